-- What the logs of a session's invitations have told: words with a space between them, each of which is told once.

ALTER TABLE sessions ADD COLUMN provider_steps TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_use ON sessions (company_ref, link_used_at) WHERE link_used_at IS NOT NULL;

-- The documents that were named to hosts: each once for its connection, or for its company (connection_id is '').

CREATE TABLE documents (
  company_ref TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  id TEXT NOT NULL,
  recorded_at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (company_ref, connection_id, id)
);
CREATE INDEX documents_by_id ON documents (company_ref, id);

-- What was found out about the provider and outlives a process: which generation of paths an address of its API serves,
-- and when the newest purged webhook was received.

CREATE TABLE provider_state (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL
);
