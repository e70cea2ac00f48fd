"""The ends of jobs that the database did not take: each is written once the database is back."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import pytest

from service.domain.changes import JobKind, LeasedJob
from service.domain.timing import LEASE_SECONDS
from service.errors import ProviderTimeout, Unavailable
from service.store import Store
from service.store.engine import Engine
from service.store.queue import JobQueue
from service.worker import Worker
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.worker_desk import due, opened_store


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


class _QueueThatIsAway(JobQueue):
    """A job queue that takes the end of no job in `away`, and waits for `gate` while it writes the others."""

    def __init__(self, engine: Engine, *away: str) -> None:
        super().__init__(engine, lambda prefix: f"{prefix}_{next(self._numbers)}")
        self._numbers = count(1)
        self.away = set(away)
        self.refused, self.writing, self.gate = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.written: list[str] = []

    async def retry(self, job: LeasedJob, again_in_seconds: float) -> None:
        if job.ref in self.away:
            self.refused.set()
            raise Unavailable
        self.writing.set()
        await self.gate.wait()
        await super().retry(job, again_in_seconds)
        self.written.append(job.ref)


async def test_a_job_whose_end_is_refused_runs_again_when_its_lease_ends(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    async def handle(job: LeasedJob) -> None:
        ran.append(job.ref)

    worker = Worker(store, {JobKind.PREPARE: handle})
    await store.queue.enqueue(due("ses_1"))
    with monkeypatch.context() as refusing:  # as where the role of the database has lost a right
        for end in ("complete", "retry"):
            refusing.setattr(JobQueue, end, Mock(side_effect=PermissionError))
        assert await worker.lease_batch()
        await worker.wait_for_running()
    await worker.renew_leases()  # a lease of what runs no more must not be renewed
    clock.advance(LEASE_SECONDS + 1)
    await worker.run_until_idle()
    assert ran == ["ses_1", "ses_1"]


async def test_a_job_that_ends_while_another_end_is_written_later_is_written_too(store: Store) -> None:
    second = asyncio.Event()

    async def handle(job: LeasedJob) -> None:
        await (second.wait() if job.ref == "ses_2" else asyncio.sleep(0))
        raise ProviderTimeout

    queue = store.queue = _QueueThatIsAway(store.engine, "ses_1", "ses_2")
    await queue.enqueue(due("ses_1"), due("ses_2"))
    worker = Worker(store, {JobKind.PREPARE: handle})
    loop = asyncio.create_task(worker.run())
    await queue.refused.wait()
    queue.away.remove("ses_1")
    worker.wake()
    await queue.writing.wait()
    second.set()  # its end cannot be written while that of the first one is
    await worker.wait_for_running()
    queue.away.clear()
    queue.gate.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(queue.written) < 2:
            worker.wake()
            await asyncio.sleep(0)
    await worker.stop(5)
    await loop
    assert queue.written == ["ses_1", "ses_2"]
