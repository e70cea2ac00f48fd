-- A user's id stands in one row, which can be erased. Sessions, events, connections and candidates refer to it by a random
-- id: a digest of the user's id could be found by trying ids. Without `user_id` the row stands for an erased user.

CREATE TABLE users (
  ref TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  user_id TEXT,
  created_at DOUBLE PRECISION NOT NULL,
  erased_at DOUBLE PRECISION,
  UNIQUE (tenant, user_id)
);
--postgresql INSERT INTO users (ref, tenant, user_id, created_at) SELECT 'usr_' || replace(CAST(gen_random_uuid() AS TEXT), '-', ''), tenant, user_id, MIN(created_at) FROM (SELECT tenant, user_id, created_at FROM sessions UNION ALL SELECT s.tenant, r.user_id, r.at FROM refused_results r JOIN sessions s ON s.id = r.session_id) AS named GROUP BY tenant, user_id;
--sqlite INSERT INTO users (ref, tenant, user_id, created_at) SELECT 'usr_' || lower(hex(randomblob(16))), tenant, user_id, MIN(created_at) FROM (SELECT tenant, user_id, created_at FROM sessions UNION ALL SELECT s.tenant, r.user_id, r.at FROM refused_results r JOIN sessions s ON s.id = r.session_id) AS named GROUP BY tenant, user_id;

ALTER TABLE sessions ADD COLUMN user_ref TEXT NOT NULL DEFAULT '';
UPDATE sessions SET user_ref =
  (SELECT u.ref FROM users u WHERE u.tenant = sessions.tenant AND u.user_id = sessions.user_id);
DROP INDEX sessions_by_user;
ALTER TABLE sessions DROP COLUMN user_id;
CREATE INDEX sessions_by_user ON sessions (tenant, user_ref, created_at, id);

ALTER TABLE connections ADD COLUMN user_ref TEXT;
UPDATE connections SET user_ref = (SELECT s.user_ref FROM sessions s WHERE s.id = connections.session_id)
  WHERE session_id IS NOT NULL;
DROP INDEX connections_by_user;
ALTER TABLE connections DROP COLUMN user_id;
CREATE INDEX connections_by_user ON connections (tenant, user_ref, recorded_at, id);
--postgresql UPDATE connections SET candidates = COALESCE((SELECT CAST(jsonb_agg(jsonb_build_array(s.id, s.tenant, s.user_ref)) AS TEXT) FROM jsonb_array_elements(CAST(connections.candidates AS jsonb)) AS c JOIN sessions s ON s.id = c.value ->> 0), '[]') WHERE candidates <> '[]';
--sqlite UPDATE connections SET candidates = (SELECT json_group_array(json_array(s.id, s.tenant, s.user_ref)) FROM json_each(connections.candidates) AS c JOIN sessions s ON s.id = json_extract(c.value, '$[0]')) WHERE candidates <> '[]';

ALTER TABLE connection_candidates ADD COLUMN user_ref TEXT NOT NULL DEFAULT '';
UPDATE connection_candidates SET user_ref =
  COALESCE((SELECT s.user_ref FROM sessions s WHERE s.id = connection_candidates.session_id), '');
DROP INDEX candidates_by_user;
ALTER TABLE connection_candidates DROP COLUMN user_id;
CREATE INDEX candidates_by_user ON connection_candidates (user_ref);

ALTER TABLE events ADD COLUMN user_ref TEXT;
UPDATE events SET user_ref =
  (SELECT u.ref FROM users u WHERE u.tenant = events.tenant AND u.user_id = events.user_id) WHERE user_id IS NOT NULL;
ALTER TABLE events DROP COLUMN user_id;
-- The data of two types names users: one of them two, each beside a session of theirs.
--postgresql UPDATE events SET data = CAST(jsonb_set(CAST(data AS jsonb), '{from,userId}', COALESCE((SELECT to_jsonb(s.user_ref) FROM sessions s WHERE s.id = CAST(events.data AS jsonb) #>> '{from,sessionId}'), 'null'), false) AS TEXT) WHERE type = 'connection.reassigned';
--postgresql UPDATE events SET data = CAST(jsonb_set(CAST(data AS jsonb), '{to,userId}', COALESCE((SELECT to_jsonb(s.user_ref) FROM sessions s WHERE s.id = CAST(events.data AS jsonb) #>> '{to,sessionId}'), 'null'), false) AS TEXT) WHERE type = 'connection.reassigned';
--sqlite UPDATE events SET data = json_replace(data, '$.from.userId', (SELECT s.user_ref FROM sessions s WHERE s.id = json_extract(events.data, '$.from.sessionId')), '$.to.userId', (SELECT s.user_ref FROM sessions s WHERE s.id = json_extract(events.data, '$.to.sessionId'))) WHERE type = 'connection.reassigned';

--postgresql UPDATE events SET data = CAST(jsonb_set(CAST(data AS jsonb), '{presentedFor}', COALESCE((SELECT to_jsonb(u.ref) FROM users u WHERE u.tenant = events.tenant AND u.user_id = CAST(events.data AS jsonb) ->> 'presentedFor'), 'null'), false) AS TEXT) WHERE type = 'session.verify_failed';
--sqlite UPDATE events SET data = json_replace(data, '$.presentedFor', (SELECT u.ref FROM users u WHERE u.tenant = events.tenant AND u.user_id = json_extract(events.data, '$.presentedFor'))) WHERE type = 'session.verify_failed';

CREATE TABLE refused_results_of_users (
  session_id TEXT NOT NULL,
  user_ref TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (session_id, user_ref)
);
INSERT INTO refused_results_of_users (session_id, user_ref, at) SELECT r.session_id, u.ref, r.at FROM refused_results r
  JOIN sessions s ON s.id = r.session_id JOIN users u ON u.tenant = s.tenant AND u.user_id = r.user_id;
DROP TABLE refused_results;
ALTER TABLE refused_results_of_users RENAME TO refused_results;
CREATE INDEX refused_results_by_user ON refused_results (user_ref);

-- A stored answer is about one user, with whom it is erased.
ALTER TABLE idempotency ADD COLUMN user_ref TEXT;
--postgresql UPDATE idempotency SET user_ref = (SELECT u.ref FROM users u WHERE u.tenant = idempotency.tenant AND u.user_id = CAST(idempotency.answer AS jsonb) ->> 'userId') WHERE answer IS NOT NULL;
--sqlite UPDATE idempotency SET user_ref = (SELECT u.ref FROM users u WHERE u.tenant = idempotency.tenant AND u.user_id = json_extract(idempotency.answer, '$.userId')) WHERE answer IS NOT NULL;
CREATE INDEX idempotency_by_user ON idempotency (user_ref) WHERE user_ref IS NOT NULL;

-- The body of a webhook may hold the user's name at the utility, an e-mail address and account numbers. Nothing reads it
-- after its job: from then on only the message id is kept, by which a repetition is recognised.
UPDATE inbox SET sealed_body = '' WHERE done_at IS NOT NULL;

-- What is long over is deleted. `reviewed_at`: this session was long over and a verdict needed it; it is looked at again
-- after as long a time.
ALTER TABLE sessions ADD COLUMN reviewed_at DOUBLE PRECISION;
CREATE INDEX sessions_by_review ON sessions ((COALESCE(reviewed_at, expires_at)));
CREATE INDEX connections_removed ON connections (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX facts_by_session ON facts (session_id) WHERE session_id IS NOT NULL;

-- E-mail addresses that are stored as they are get encrypted by a job, since SQL has no key.
INSERT INTO work (kind, ref, due_at) SELECT 'encrypt', 'emails', 0
  WHERE EXISTS (SELECT 1 FROM sessions WHERE user_email IS NOT NULL);
