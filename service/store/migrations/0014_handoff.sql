-- The one address by which another device may go on, the wrong codes that were given for it, and the page that passed its
-- session on and follows it.

ALTER TABLE sessions ADD COLUMN handoff_hash TEXT;
ALTER TABLE sessions ADD COLUMN handoff_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN follower_hash TEXT;
