-- A session's status follows from what became of it and from how far its connections have come, so both are stored. The
-- column `status` stays for lists. Progress: 0 nothing attached, 1 attached, 2 being checked, 3 working, at any time.

ALTER TABLE sessions ADD COLUMN progress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN left_at DOUBLE PRECISION;
ALTER TABLE sessions ADD COLUMN over_at DOUBLE PRECISION;
ALTER TABLE sessions ADD COLUMN settled_at DOUBLE PRECISION;
ALTER TABLE sessions ADD COLUMN link_used_at DOUBLE PRECISION;
ALTER TABLE session_connections ADD COLUMN progress INTEGER NOT NULL DEFAULT 1;
ALTER TABLE connections ADD COLUMN attention_at DOUBLE PRECISION;
ALTER TABLE connections ADD COLUMN state TEXT NOT NULL DEFAULT 'delayed';
CREATE INDEX connections_by_state ON connections (tenant, state, recorded_at, id);
UPDATE connections SET state = CASE
  WHEN removed_at IS NOT NULL OR status = 'COMPANY_INACTIVE' THEN 'inactive'
  WHEN status = 'CONNECTED' THEN 'working'
  WHEN status = 'PENDING' THEN 'checking'
  WHEN status = 'NO_ACCOUNTS_FOUND' THEN 'empty'
  WHEN status IN ('PASSWORD_INCORRECT', 'MFA_TOKEN_EXPIRED', 'NEW_PASSWORD_NEEDED', 'ADDITIONAL_CREDENTIALS_NEEDED')
    THEN 'action_needed'
  ELSE 'delayed' END;

-- An event of a connection can be on the timelines of several sessions, beside the one that it names.
CREATE TABLE event_sessions (
  session_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  PRIMARY KEY (session_id, event_id)
);
CREATE INDEX event_sessions_by_event ON event_sessions (event_id);

-- The sessions that a connection without an owner could belong to, so that it is found by its candidates' users.
CREATE TABLE connection_candidates (
  connection_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  user_id TEXT NOT NULL,
  PRIMARY KEY (connection_id, session_id)
);
CREATE INDEX candidates_by_session ON connection_candidates (session_id);
CREATE INDEX candidates_by_user ON connection_candidates (tenant, user_id);
--postgresql INSERT INTO connection_candidates (connection_id, session_id, tenant, user_id) SELECT n.id, c.value ->> 0, c.value ->> 1, c.value ->> 2 FROM connections n CROSS JOIN LATERAL jsonb_array_elements(CAST(n.candidates AS jsonb)) AS c WHERE n.session_id IS NULL;
--sqlite INSERT INTO connection_candidates (connection_id, session_id, tenant, user_id) SELECT n.id, json_extract(c.value, '$[0]'), json_extract(c.value, '$[1]'), json_extract(c.value, '$[2]') FROM connections n, json_each(n.candidates) AS c WHERE n.session_id IS NULL;

-- Until now this event meant that the user said "I have finished".
UPDATE events SET type = 'session.finished' WHERE type = 'session.submitted';

-- How far each attached connection has come: what its events say of it while it was attached, or its status now. An
-- event of a session that the connection has since been taken from names another session, so it does not count.
UPDATE session_connections SET progress = CASE
  WHEN EXISTS (SELECT 1 FROM connections n
    WHERE n.account = 'default' AND n.id = session_connections.connection_id AND n.status = 'CONNECTED')
    OR EXISTS (SELECT 1 FROM events e WHERE e.session_id = session_connections.session_id
      AND e.connection_id = session_connections.connection_id AND e.data LIKE '%"status": "CONNECTED"%') THEN 3
  WHEN EXISTS (SELECT 1 FROM connections n
      WHERE n.account = 'default' AND n.id = session_connections.connection_id AND n.status NOT IN
      ('NO_ACCOUNTS_FOUND', 'PASSWORD_INCORRECT', 'MFA_TOKEN_EXPIRED', 'NEW_PASSWORD_NEEDED',
       'ADDITIONAL_CREDENTIALS_NEEDED', 'COMPANY_INACTIVE'))
    OR EXISTS (SELECT 1 FROM events e WHERE e.session_id = session_connections.session_id
      AND e.connection_id = session_connections.connection_id AND (e.data LIKE '%"status": "PENDING"%'
      OR e.data LIKE '%"status": "UNDER_INVESTIGATION"%' OR e.data LIKE '%"status": "WEBSITE_DOWN"%'
      OR e.data LIKE '%"status": "URL_INACCESSIBLE"%' OR e.data LIKE '%"status": "OTHER_ERROR"%')) THEN 2
  ELSE 1 END;
UPDATE sessions SET progress = COALESCE(
  (SELECT MAX(j.progress) FROM session_connections j WHERE j.session_id = sessions.id), 0);

-- What became of each session, as far as its old status tells. A session that was connected had no job any more that
-- would notice the end of its time: one whose time is over by now is over, the others get such a job.
UPDATE sessions SET left_at = COALESCE(seen_at, created_at) WHERE status = 'exited';
UPDATE sessions SET over_at = expires_at
  WHERE status = 'expired' OR (status = 'connected' AND expires_at + 900 < :now);
INSERT INTO work (kind, ref, due_at) SELECT 'expire', id, expires_at FROM sessions
  WHERE status = 'connected' AND over_at IS NULL ON CONFLICT (kind, ref) DO NOTHING;
UPDATE sessions SET failure = COALESCE(failure, 'provider_error') WHERE status = 'failed';
UPDATE sessions SET revoked_at = COALESCE(revoked_at, created_at) WHERE status = 'revoked';
UPDATE sessions SET opened_at = COALESCE(opened_at, created_at) WHERE status = 'opened';

-- The same function as `domain/session_status.py`, over all stored sessions, without events.
UPDATE sessions SET status = CASE
  WHEN revoked_at IS NOT NULL THEN 'revoked'
  WHEN progress = 3 THEN 'connected'
  WHEN progress = 2 THEN 'submitted'
  WHEN failure IS NOT NULL THEN 'failed'
  WHEN over_at IS NOT NULL AND progress = 1 THEN 'exited'
  WHEN over_at IS NOT NULL THEN 'expired'
  WHEN left_at IS NOT NULL THEN 'exited'
  WHEN opened_at IS NOT NULL THEN 'opened'
  ELSE 'created' END;
UPDATE sessions SET settled_at = COALESCE(revoked_at, over_at, finished_at, created_at)
  WHERE status IN ('revoked', 'connected', 'submitted', 'failed', 'expired') OR over_at IS NOT NULL;

-- An owner who was told that the connection needs attention is not told again before it has worked.
UPDATE connections SET attention_at = updated_at WHERE session_id IS NOT NULL AND status IN
  ('NO_ACCOUNTS_FOUND', 'PASSWORD_INCORRECT', 'MFA_TOKEN_EXPIRED', 'NEW_PASSWORD_NEEDED',
   'ADDITIONAL_CREDENTIALS_NEEDED');
