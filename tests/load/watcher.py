"""Looks at the jobs of the workers in their database, from outside: when those that were under way went on."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, time  # noqa: TID251 - real processes live in real time
from typing import Any

import psycopg

_LOOK_SECONDS = 0.1
_KINDS = "('prepare', 'reconcile')"  # what a page waits for


@dataclass
class WatchedJob:
    """A job that was leased when a worker was ended; `gone_at` is when it went on, infinite before."""

    how: str
    kind: str
    ref: str
    lease: str
    lease_until: float
    marked_at: float
    gone_at: float = float("inf")


@dataclass
class Watcher:
    """`rows` runs a query on the workers' database, without the lock file that an engine would hold."""

    rows: Any
    jobs: list[WatchedJob] = field(default_factory=list)
    _intents: dict[tuple[str, float], tuple[float, float]] = field(default_factory=dict)  # marked at, gone at

    @classmethod
    @contextmanager
    def of(cls, url: str) -> Iterator["Watcher"]:
        if url.startswith("sqlite:///"):
            connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
        else:
            connection = psycopg.connect(url, autocommit=True)
        try:
            yield cls(lambda sql: connection.execute(sql).fetchall())
        finally:
            connection.close()

    def mark(self, how: str) -> None:
        """From now on these jobs and creating calls are watched."""
        now = time()
        sql = f"SELECT kind, ref, lease, lease_until FROM work WHERE lease IS NOT NULL AND kind IN {_KINDS}"  # noqa: S608 - our own words
        watched = {job.lease for job in self.jobs if job.gone_at == float("inf")}
        for kind, ref, lease, lease_until in self.rows(sql):
            if lease not in watched:
                self.jobs.append(WatchedJob(how, kind, ref, lease, lease_until, now))
        for intent in self._creating():
            self._intents.setdefault(intent, (now, float("inf")))

    async def watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def settled(self, patience_seconds: float) -> None:
        """Wait until every watched job went on, and every interrupted creation."""
        ends_at = perf_counter() + patience_seconds
        while perf_counter() < ends_at and self._is_waiting():  # noqa: ASYNC110 - the database changes it
            await asyncio.sleep(_LOOK_SECONDS)

    def creations(self) -> list[float]:
        """How long each creating call of a company or site, that was under way at a mark, was not made again."""
        return [gone - marked for marked, gone in self._intents.values()]

    def _is_waiting(self) -> bool:
        waiting = [job for job in self.jobs if job.gone_at == float("inf")]
        return bool(waiting) or any(gone == float("inf") for _, gone in self._intents.values())

    def _look(self) -> None:
        now = time()
        found = {
            (kind, ref): rest
            for kind, ref, *rest in self.rows("SELECT kind, ref, lease, lease_until, due_at FROM work")
        }
        for job in self.jobs:
            if job.gone_at != float("inf"):
                continue
            lease, until, due_at = found.get((job.kind, job.ref), (None, None, float("inf")))
            if lease == job.lease:
                job.lease_until = until
            elif lease is not None or due_at > now:  # run by another lease, or done
                job.gone_at = now
        open_now = set(self._creating())
        for intent, (marked, gone) in self._intents.items():
            if gone == float("inf") and intent not in open_now:
                self._intents[intent] = (marked, now)

    def _creating(self) -> list[tuple[str, float]]:
        # An invitation's intent starts with its session's id; it holds up nothing.
        return [(ref, at) for ref, at in self.rows("SELECT ref, called_at FROM intents") if not ref.startswith("ses_")]
