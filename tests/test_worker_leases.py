"""A worker's leases: renewed while its jobs run, lost when it stands still; some are kept for what a page waits for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.changes import Job, JobKind, LeasedJob
from service.domain.timing import LEASE_RENEWAL_SECONDS, LEASE_SECONDS
from service.errors import LeaseLost
from service.store import Store
from service.worker import Worker
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.worker_desk import Desk, due, opened_store

ROUNDS = 20


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


class Sleeper:
    """A sleep that moves the clock, so many times; afterwards it sleeps for ever."""

    def __init__(self, clock: Clock, times: int) -> None:
        self.clock = clock
        self.slept: list[float] = []
        self.times = times
        self.done = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == self.times:
            self.done.set()
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.clock.advance(seconds)


async def never(_job: LeasedJob) -> None:
    await asyncio.Event().wait()


async def test_a_job_that_takes_a_minute_is_nobody_elses_meanwhile(store: Store, clock: Clock) -> None:
    sleeper = Sleeper(clock, ROUNDS)
    worker, other = Worker(store, {JobKind.PREPARE: never}, sleep=sleeper.sleep), Desk(store)
    await store.queue.enqueue(due())
    await worker.lease_batch()
    loop = asyncio.create_task(worker.run())
    await sleeper.done.wait()
    assert sleeper.slept == [LEASE_RENEWAL_SECONDS] * ROUNDS
    await other.worker.run_until_idle()
    assert other.asked == []
    await worker.stop(0)
    await loop
    await other.worker.run_until_idle()
    assert other.asked == ["ses_1"]


async def test_what_was_due_before_the_clock_was_set_back_is_done_at_the_start(store: Store, clock: Clock) -> None:
    await store.queue.follow_clock()  # as the process before did
    desk, done = Desk(store), asyncio.Event()
    worker = Worker(store, {JobKind.PREPARE: desk.handle}, lambda *_how: done.set())
    await store.queue.enqueue(due())
    clock.advance(-7200)
    loop = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await done.wait()
    await worker.stop(5)
    await loop
    assert desk.asked == ["ses_1"]


async def test_a_database_that_is_away_for_a_moment_ends_no_renewals(store: Store, clock: Clock) -> None:
    sleeper = Sleeper(clock, 2)
    worker = Worker(store, {JobKind.PREPARE: never}, sleep=sleeper.sleep)
    await store.queue.enqueue(due())
    await worker.lease_batch()
    await store.close()
    loop = asyncio.create_task(worker.run())
    await sleeper.done.wait()
    await store.engine.open()
    await worker.renew_leases()
    clock.advance(LEASE_SECONDS - 1)
    assert await store.queue.lease(10, LEASE_SECONDS) == []
    await worker.stop(0)
    await loop


async def test_a_worker_that_stood_still_is_told_that_its_lease_was_lost_and_the_job_is_repeated(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def stands_still(job: LeasedJob) -> None:
        asked.append(job.ref)
        if len(asked) == 1:
            clock.advance(LEASE_SECONDS)
            await worker.renew_leases()
            raise LeaseLost

    worker = Worker(store, {JobKind.PREPARE: stands_still})
    await store.queue.enqueue(due())
    await worker.run_until_idle()
    assert "the lease of a running job was lost: prepare ses_1" in caplog.text
    clock.advance(1)
    await worker.run_until_idle()
    assert asked == ["ses_1", "ses_1"]
    assert await store.queue.next_in_seconds() is None


async def test_a_backlog_of_slow_jobs_does_not_stand_before_a_page(store: Store) -> None:
    go_on, polled, begun, done = (asyncio.Event() for _ in range(4))
    expired: list[str] = []

    async def slow(job: LeasedJob) -> None:
        expired.append(job.ref)
        begun.set()
        await go_on.wait()
        if len(expired) == 100:
            done.set()

    async def poll(_job: LeasedJob) -> None:
        polled.set()

    worker = Worker(store, {JobKind.EXPIRE: slow, JobKind.RECONCILE: poll})
    store.engine.on_jobs(worker.wake)
    await store.queue.enqueue(*(Job(JobKind.EXPIRE, f"ses_{number}") for number in range(100)))
    loop = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        await begun.wait()
        await store.queue.enqueue(Job(JobKind.RECONCILE, "cmp_1", waited_for=True))
        await polled.wait()
        go_on.set()
        await done.wait()  # the backlog is worked off without a pause after each batch
    await worker.stop(5)
    await loop
