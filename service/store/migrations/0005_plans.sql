-- Leases of jobs and of idempotency keys are renewed every three seconds: these indexes hold the leased rows alone. A key
-- whose call waits for its link names the session that it made, so that a repeat after a crash goes on with that one.

CREATE INDEX work_by_lease ON work (lease) WHERE lease IS NOT NULL;
ALTER TABLE idempotency ADD COLUMN session_id TEXT;
ALTER TABLE idempotency ADD COLUMN lease TEXT;
ALTER TABLE idempotency ADD COLUMN lease_until DOUBLE PRECISION;
CREATE INDEX idempotency_by_lease ON idempotency (lease) WHERE lease IS NOT NULL;
