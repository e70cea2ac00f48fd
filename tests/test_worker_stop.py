"""A worker that is stopped: what it had leased and not finished is another worker's at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.changes import JobKind, LeasedJob
from service.domain.timing import LEASE_SECONDS
from service.store import Store
from service.worker import Worker
from tests.support.clock import Clock
from tests.support.worker_desk import Desk, due, opened_store


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


async def test_a_worker_that_is_stopped_gives_the_leases_of_unfinished_jobs_back(store: Store) -> None:
    started = asyncio.Event()

    async def never(_job: LeasedJob) -> None:
        started.set()
        await asyncio.Event().wait()

    await store.queue.enqueue(due())
    stopped = Worker(store, {JobKind.PREPARE: never})
    await stopped.lease_batch()
    await started.wait()
    await stopped.stop(0)
    heir = Desk(store)
    await heir.worker.run_until_idle()
    assert heir.asked == ["ses_1"]


async def test_a_worker_that_is_stopped_while_the_database_is_away_leaves_its_jobs_to_their_leases(
    store: Store, clock: Clock
) -> None:
    async def never(_job: LeasedJob) -> None:
        await asyncio.Event().wait()

    await store.queue.enqueue(due())
    stopped = Worker(store, {JobKind.PREPARE: never})
    await stopped.lease_batch()
    await store.close()
    await stopped.stop(0)
    await store.engine.open()
    clock.advance(LEASE_SECONDS)
    heir = Desk(store)
    await heir.worker.run_until_idle()
    assert heir.asked == ["ses_1"]
