-- The first schema. Facts stand apart from verdicts, and every row that belongs to somebody names its tenant.
-- Times are seconds since the epoch; `provider_*` times are the provider's clock, all others are ours.
-- A line that starts with `--postgresql` or `--sqlite` is for that database alone.

--postgresql CREATE SEQUENCE event_draws;

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  created_at DOUBLE PRECISION NOT NULL,
  revoked_at DOUBLE PRECISION
);

CREATE TABLE companies (
  ref TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  external_id TEXT,
  name TEXT,
  provider_id TEXT,
  provider_since_at DOUBLE PRECISION,
  created_at DOUBLE PRECISION NOT NULL,
  read_at DOUBLE PRECISION,
  UNIQUE (tenant, external_id),
  UNIQUE (account, provider_id)
);

CREATE TABLE sites (
  ref TEXT PRIMARY KEY,
  company_ref TEXT NOT NULL,
  external_id TEXT,
  name TEXT,
  address TEXT,
  provider_id TEXT,
  UNIQUE (company_ref, external_id)
);
CREATE INDEX sites_by_provider ON sites (company_ref, provider_id);

-- What we are about to create at the provider: written before the call, so that a lost answer is noticed.
CREATE TABLE intents (
  ref TEXT PRIMARY KEY,
  called_at DOUBLE PRECISION NOT NULL,
  lost INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  user_id TEXT NOT NULL,
  company_ref TEXT NOT NULL,
  site_refs TEXT NOT NULL,
  mode TEXT NOT NULL,
  status TEXT NOT NULL,
  link_choice TEXT NOT NULL,
  link_kind TEXT NOT NULL,
  link_status TEXT NOT NULL,
  link_url TEXT,
  link_given_at DOUBLE PRECISION,
  invitation_id TEXT,
  invitation_uses INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  created_at DOUBLE PRECISION NOT NULL,
  expires_at DOUBLE PRECISION NOT NULL,
  serial INTEGER NOT NULL,
  issued_at BIGINT NOT NULL,
  key_id TEXT NOT NULL,
  origin TEXT,
  return_url TEXT,
  locale TEXT NOT NULL,
  user_label TEXT,
  user_email TEXT,
  support_url TEXT,
  prefill TEXT NOT NULL,
  metadata TEXT NOT NULL,
  connection_id TEXT,
  page_hash TEXT,
  page_serial INTEGER NOT NULL DEFAULT 0,
  taken_over INTEGER NOT NULL DEFAULT 0,
  opened_at DOUBLE PRECISION,
  revealed_at DOUBLE PRECISION,
  finished_at DOUBLE PRECISION,
  seen_at DOUBLE PRECISION,
  revoked_at DOUBLE PRECISION
);
CREATE INDEX sessions_by_time ON sessions (tenant, created_at, id);
CREATE INDEX sessions_by_user ON sessions (tenant, user_id, created_at);
CREATE INDEX sessions_by_company ON sessions (company_ref, created_at);
CREATE INDEX sessions_by_reconnect ON sessions (connection_id);

-- Every invitation that was ever made for a session: a renewed session has several, and each may still be used.
CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  withdrawn_at DOUBLE PRECISION
);
CREATE INDEX invitations_by_session ON invitations (session_id);

CREATE TABLE idempotency (
  tenant TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  body_digest TEXT NOT NULL,
  answer TEXT,
  created_at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (tenant, route, key)
);

CREATE TABLE facts (
  id TEXT PRIMARY KEY,
  company_ref TEXT NOT NULL,
  kind TEXT NOT NULL,
  connection_id TEXT,
  session_id TEXT,
  invitation_id TEXT,
  provider_at DOUBLE PRECISION,
  nonce TEXT NOT NULL,
  recorded_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX facts_by_company ON facts (company_ref, kind);
CREATE INDEX facts_by_connection ON facts (connection_id);

CREATE TABLE connections (
  account TEXT NOT NULL,
  id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  company_ref TEXT NOT NULL,
  status TEXT NOT NULL,
  provider_status TEXT NOT NULL,
  provider_created_at DOUBLE PRECISION NOT NULL,
  provider_updated_at DOUBLE PRECISION NOT NULL,
  provider_name TEXT,
  provider_url TEXT,
  site_ids TEXT NOT NULL,
  session_id TEXT,
  user_id TEXT,
  evidence_kind TEXT,
  evidence_at DOUBLE PRECISION,
  presumed INTEGER NOT NULL,
  cross_device INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  candidates TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  recorded_at DOUBLE PRECISION NOT NULL,
  updated_at DOUBLE PRECISION NOT NULL,
  missing_at DOUBLE PRECISION,
  removed_at DOUBLE PRECISION,
  PRIMARY KEY (account, id)
);
CREATE INDEX connections_by_time ON connections (tenant, recorded_at, id);
CREATE INDEX connections_by_user ON connections (tenant, user_id);
CREATE INDEX connections_by_company ON connections (company_ref, waiting);
CREATE INDEX connections_by_session ON connections (session_id);

CREATE TABLE session_connections (
  session_id TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (session_id, connection_id)
);

CREATE TABLE events (
  id TEXT PRIMARY KEY,
  seq BIGINT UNIQUE,
  drawn BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  session_id TEXT,
  connection_id TEXT,
  user_id TEXT,
  data TEXT NOT NULL
);
CREATE INDEX events_by_session ON events (session_id, seq);
CREATE INDEX events_by_tenant ON events (tenant, seq);
CREATE INDEX events_unsequenced ON events (drawn) WHERE seq IS NULL;

CREATE TABLE inbox (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  message_id TEXT NOT NULL,
  sealed_body TEXT NOT NULL,
  received_at DOUBLE PRECISION NOT NULL,
  done_at DOUBLE PRECISION,
  UNIQUE (account, message_id)
);
CREATE INDEX inbox_by_time ON inbox (received_at);

CREATE TABLE work (
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  due_at DOUBLE PRECISION NOT NULL,
  again_at DOUBLE PRECISION,
  attempts INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  lease_until DOUBLE PRECISION,
  PRIMARY KEY (kind, ref)
);
CREATE INDEX work_by_time ON work (due_at);
