-- How a session's pages look, which pages may stand around the one that frames them, and how many accounts may be
-- connected: `more_asked` counts the further ones that its user asked for.

ALTER TABLE sessions ADD COLUMN theme TEXT NOT NULL DEFAULT '{}';
ALTER TABLE sessions ADD COLUMN ancestors TEXT NOT NULL DEFAULT '[]';
ALTER TABLE sessions ADD COLUMN max_connections INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN more_asked INTEGER NOT NULL DEFAULT 0;
