-- An invitation says when, by the provider's clock, it can be used: one that its list leaves out may have been, all the
-- same. A company has a budget of looks. A fact names the key that claimed. What nothing ever read is gone.

ALTER TABLE invitations ADD COLUMN given_at DOUBLE PRECISION;
ALTER TABLE invitations ADD COLUMN ends_at DOUBLE PRECISION;
ALTER TABLE invitations DROP COLUMN withdrawn_at;
ALTER TABLE companies ADD COLUMN looks DOUBLE PRECISION;
ALTER TABLE companies ADD COLUMN looked_at DOUBLE PRECISION;
ALTER TABLE companies DROP COLUMN read_at;
ALTER TABLE intents DROP COLUMN lost;
ALTER TABLE facts ADD COLUMN actor TEXT;
