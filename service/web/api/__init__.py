"""Routes for host backends: JSON bodies, queries, answers and problem documents of `/v1`."""
