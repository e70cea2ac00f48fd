-- Invitations say when, by the provider's clock, they could be used: one that its list leaves out may have been, all the
-- same. Companies have a budget of looks. Facts name the key that claimed.

ALTER TABLE invitations ADD COLUMN given_at DOUBLE PRECISION;
ALTER TABLE invitations ADD COLUMN ends_at DOUBLE PRECISION;
ALTER TABLE companies ADD COLUMN looks DOUBLE PRECISION;
ALTER TABLE companies ADD COLUMN looked_at DOUBLE PRECISION;
ALTER TABLE facts ADD COLUMN actor TEXT;
