-- Webhooks to hosts: where they go, what signs them, and a delivery for each event that an endpoint is told of.

-- `types` is "" for all, or the names with a comma before and after each. `lease` is held by the one process that sends to
-- the endpoint. `review_at`: when a failing endpoint reaches the next step towards being disabled.
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  url TEXT NOT NULL,
  description TEXT NOT NULL,
  types TEXT NOT NULL,
  company_id TEXT,
  status TEXT NOT NULL,
  disabled_reason TEXT,
  created_at DOUBLE PRECISION NOT NULL,
  created_by TEXT NOT NULL,
  changed_at DOUBLE PRECISION NOT NULL,
  changed_by TEXT NOT NULL,
  failing_since DOUBLE PRECISION,
  failures INTEGER NOT NULL DEFAULT 0,
  probe_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  review_at DOUBLE PRECISION,
  last_success_at DOUBLE PRECISION,
  last_failure_at DOUBLE PRECISION,
  lease TEXT,
  lease_until DOUBLE PRECISION
);
CREATE INDEX endpoints_by_time ON endpoints (tenant, created_at, id);
CREATE INDEX endpoints_to_review ON endpoints (review_at) WHERE review_at IS NOT NULL AND status = 'enabled';
CREATE INDEX endpoints_by_lease ON endpoints (lease) WHERE lease IS NOT NULL;

-- The secrets of an endpoint, encrypted; a replaced one signs until `ends_at`.
CREATE TABLE endpoint_secrets (
  id TEXT PRIMARY KEY,
  endpoint_id TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL,
  ends_at DOUBLE PRECISION
);
CREATE INDEX endpoint_secrets_by_endpoint ON endpoint_secrets (endpoint_id, created_at);
CREATE INDEX endpoint_secrets_by_end ON endpoint_secrets (ends_at) WHERE ends_at IS NOT NULL;

-- Who changed an endpoint, and what: `actor` is the id of the API key, or "magiclink".
CREATE TABLE endpoint_audit (
  id TEXT PRIMARY KEY,
  endpoint_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  actor TEXT NOT NULL,
  change TEXT NOT NULL
);
CREATE INDEX endpoint_audit_by_endpoint ON endpoint_audit (endpoint_id, at);

-- `lane`: the session (or the connection) whose deliveries keep their order. `blocks`: the delivery failed so that the later
-- ones of its lane wait for it, and those have `waiting`. `aside`: a test, a replay or a session's own address: its answers
-- say nothing of the endpoint's health. `next_at` is 0 before the first attempt, whatever clocks say; `drawn` is the order in
-- which deliveries were written.
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  url TEXT,
  lane TEXT NOT NULL,
  aside INTEGER NOT NULL,
  status TEXT NOT NULL,
  waiting INTEGER NOT NULL DEFAULT 0,
  blocks INTEGER NOT NULL DEFAULT 0,
  attempts TEXT NOT NULL DEFAULT '[]',
  next_at DOUBLE PRECISION,
  drawn BIGINT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL
);
-- An endpoint sends what is due in this order.
CREATE INDEX deliveries_due ON deliveries (endpoint_id, aside, next_at, drawn) WHERE status = 'pending' AND waiting = 0;
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, lane) WHERE waiting = 1;
CREATE INDEX deliveries_blocking ON deliveries (endpoint_id, lane) WHERE blocks = 1;
CREATE INDEX deliveries_pending ON deliveries (endpoint_id, created_at) WHERE status = 'pending';
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_of_endpoint_by_status ON deliveries (endpoint_id, status, created_at, id);
CREATE INDEX deliveries_by_time ON deliveries (created_at);

-- A replay that goes on: the events after `after_seq` up to `until_seq` get deliveries, some at a time.
CREATE TABLE replays (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  since_at DOUBLE PRECISION NOT NULL,
  after_seq BIGINT NOT NULL,
  until_seq BIGINT NOT NULL
);

-- The address that a session named for its own events, beneath that of an endpoint.
ALTER TABLE sessions ADD COLUMN webhook_url TEXT;
ALTER TABLE sessions ADD COLUMN webhook_endpoint TEXT;

-- How many reminders of the episode that began at `episode_at` were told.
CREATE TABLE reminders (
  connection_id TEXT PRIMARY KEY,
  episode_at DOUBLE PRECISION NOT NULL,
  told INTEGER NOT NULL
);

-- Connections that need attention already get their reminders too, once the processes of the previous version are gone.
INSERT INTO work (kind, ref, due_at, waited_for)
  SELECT 'remind', id, :now + 3600, 0 FROM connections WHERE attention_at IS NOT NULL AND removed_at IS NULL;

-- Each delivery is written at least twice.
--postgresql ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
