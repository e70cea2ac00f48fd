"""A worker whose handler the test controls, on a store of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from service.domain.changes import Job, JobKind, LeasedJob
from service.store import Store
from service.store.sqlite import SqliteEngine
from service.worker import Worker
from tests.support.clock import Clock


@asynccontextmanager
async def opened_store(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    """An SQLite store in this folder, whose ids count from 1."""
    numbers = count(1)
    engine = SqliteEngine(str(folder / "work.db"), clock.now)
    opened = Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_{next(numbers)}", keys=("k" * 32,))
    await opened.open()
    yield opened
    await opened.close()


class Desk:
    """A worker whose handler notes what it was asked, and then does what the test says."""

    def __init__(self, store: Store, outcome: object = None) -> None:
        self.asked: list[str] = []
        self.counted: list[tuple[str, str]] = []
        self.outcome = outcome
        self.worker = Worker(store, {JobKind.PREPARE: self.handle}, lambda *how: self.counted.append(how))

    async def handle(self, job: LeasedJob) -> object:
        self.asked.append(job.ref)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def due(ref: str = "ses_1", in_seconds: float = 0.0) -> Job:
    return Job(JobKind.PREPARE, ref, in_seconds)
