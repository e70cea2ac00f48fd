-- For which other users a session's signed result was presented to POST /v1/verify: each is reported once. By the user's
-- id, so that what is held of a user can be found and erased.

CREATE TABLE refused_results (
  session_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (session_id, user_id)
);
CREATE INDEX refused_results_by_user ON refused_results (user_id);

-- Since when a connection's status asks something of its user, told or not; and when its user mended it, by the
-- provider's clock: an older status is still to be checked.
ALTER TABLE connections ADD COLUMN asks_at DOUBLE PRECISION;
ALTER TABLE connections ADD COLUMN provider_mended_at DOUBLE PRECISION;
UPDATE connections SET asks_at = attention_at;
