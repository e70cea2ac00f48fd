"""How long a test waits for what must come."""

# No measure of speed: a busy machine stood still for seconds where a test waited for five. What never comes fails.
PATIENCE_SECONDS = 20.0
