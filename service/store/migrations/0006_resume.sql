-- A page that starts again shows by a value of its own that it is the same page: its digest outlives the page's key.
-- `resume_by_host`: the host's page keeps the value. `resumed_by_host`: a start was let through by such a value.

ALTER TABLE sessions ADD COLUMN resume_hash TEXT;
ALTER TABLE sessions ADD COLUMN resume_by_host INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN resumed_by_host INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN resumed_by_host INTEGER NOT NULL DEFAULT 0;

-- In the redirect flow the cookie holds the page key, so a page that is open during the upgrade may leave and come back.
UPDATE sessions SET resume_hash = page_hash;
