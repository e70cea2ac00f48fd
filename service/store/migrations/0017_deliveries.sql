-- An erasure finds every delivery of an event: also replays, and those of an endpoint that was deleted.

CREATE INDEX deliveries_by_event ON deliveries (event_id);
