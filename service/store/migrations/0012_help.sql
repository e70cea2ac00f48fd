-- The host's own pages of help, by topic, which the session's page links to.

ALTER TABLE sessions ADD COLUMN help_urls TEXT NOT NULL DEFAULT '{}';
