"""Simulated histories of users, troubles and crashes, each decided by a seed; `python -m tests.simulation`."""
