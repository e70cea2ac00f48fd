-- What shows that a page which starts again is the one that passed its session on: it goes on following after a reload.

ALTER TABLE sessions ADD COLUMN follower_resume_hash TEXT;
