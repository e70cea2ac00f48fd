"""Loops that run in every process beside the worker of jobs: they lease rows and run use cases. No SQL, no decision."""
