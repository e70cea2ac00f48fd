-- Leases of jobs and of idempotency keys are renewed every three seconds: these indexes hold the leased rows alone. A key
-- whose call waits for its link names the session that it made, so that a repeat after a crash goes on with that one.

CREATE INDEX work_by_lease ON work (lease) WHERE lease IS NOT NULL;
ALTER TABLE idempotency ADD COLUMN session_id TEXT;
ALTER TABLE idempotency ADD COLUMN lease TEXT;
ALTER TABLE idempotency ADD COLUMN lease_until DOUBLE PRECISION;
CREATE INDEX idempotency_by_lease ON idempotency (lease) WHERE lease IS NOT NULL;

-- Every query that is repeated reads no more than it returns, however long the history of a tenant or a company is.
-- Lists are read newest first, so each index ends with the order of its list.
CREATE INDEX sessions_by_status ON sessions (tenant, status, created_at, id);
DROP INDEX sessions_by_user;
CREATE INDEX sessions_by_user ON sessions (tenant, user_id, created_at, id);
DROP INDEX sessions_by_company;
CREATE INDEX sessions_by_company ON sessions (company_ref, created_at, id);
CREATE INDEX connections_by_status ON connections (tenant, status, recorded_at, id);
DROP INDEX connections_by_user;
CREATE INDEX connections_by_user ON connections (tenant, user_id, recorded_at, id);
CREATE INDEX connections_of_company ON connections (company_ref, recorded_at, id);
CREATE INDEX connections_unattributed ON connections (tenant, recorded_at, id) WHERE session_id IS NULL;
CREATE INDEX connections_not_removed ON connections (company_ref, id) WHERE removed_at IS NULL;
CREATE INDEX idempotency_by_time ON idempotency (created_at);

-- A poll asks how busy its company is: each question is one entry of an index.
CREATE INDEX sessions_by_presence ON sessions (company_ref, seen_at) WHERE seen_at IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (company_ref, (COALESCE(revoked_at, expires_at)))
  WHERE revealed_at IS NOT NULL AND status <> 'connected';
CREATE INDEX sessions_linked ON sessions (company_ref) WHERE (link_url IS NOT NULL OR serial > 1);

-- Jobs that a page waits for are leased before the others.
ALTER TABLE work ADD COLUMN waited_for INTEGER NOT NULL DEFAULT 0;
DROP INDEX work_by_time;
CREATE INDEX work_by_turn ON work (waited_for, due_at);

-- An event is written twice (its position comes after the commit), and a job several times a minute: without this,
-- PostgreSQL leaves dead rows until a fifth of the table is dead.
--postgresql ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
--postgresql ALTER TABLE work SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
--postgresql ALTER TABLE sessions SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
