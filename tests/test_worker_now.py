"""Jobs that are run at once: one run for all that wait for it, and no place while another worker has the lease."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.changes import Job, JobKind, LeasedJob
from service.store import Store
from service.worker import Worker
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.worker_desk import due, opened_store

PLACES, BACKGROUND = 16, 8
POLL, POLL_SECONDS = JobKind.RECONCILE, 30.0


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


class Polls:
    """Workers whose polls run until the test ends them; each asks for a held lease again when the test says so."""

    def __init__(self, store: Store) -> None:
        self.begun: list[str] = []
        self.gate, self.ask_again, self.has_asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.is_prepared = asyncio.Event()
        self.asked = 0
        handlers = {POLL: self._poll, JobKind.PREPARE: self._prepare}
        self.one, self.other = Worker(store, handlers), Worker(store, handlers, sleep=self._pause)

    async def _poll(self, job: LeasedJob) -> None:
        self.begun.append(job.ref)
        await self.gate.wait()

    async def _prepare(self, _job: LeasedJob) -> None:
        self.is_prepared.set()

    async def _pause(self, _seconds: float) -> None:
        self.asked += 1
        self.has_asked.set()
        await self.ask_again.wait()
        self.ask_again.clear()

    async def end(self) -> None:
        await self.one.stop(0)
        await self.other.stop(0)


@pytest.fixture
async def polls(store: Store) -> AsyncIterator[Polls]:
    made = Polls(store)
    yield made
    await made.end()


async def held(store: Store, polls: Polls, count: int = 1) -> list[str]:
    """Let the first worker poll so many companies."""
    refs = [f"cmp_{number}" for number in range(count)]
    await store.queue.enqueue(*(Job(POLL, ref, waited_for=True) for ref in refs))
    assert await polls.one.lease_batch()
    return refs


async def test_calls_that_wait_for_polls_of_another_process_take_no_place(store: Store, polls: Polls) -> None:
    refs = await held(store, polls, PLACES)
    waiting = [asyncio.create_task(polls.other.run_now(POLL, ref, POLL_SECONDS)) for ref in refs]
    while polls.asked < PLACES:  # noqa: ASYNC110 - a moment
        await asyncio.sleep(0)
    await store.queue.enqueue(due("ses_1"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await polls.other.lease_batch()
        await polls.is_prepared.wait()
    assert not any(one.done() for one in waiting)


async def test_calls_that_wait_for_background_polls_of_their_own_process_take_no_place(
    store: Store, polls: Polls
) -> None:
    refs = [f"cmp_{number}" for number in range(BACKGROUND)]
    await store.queue.enqueue(*(Job(POLL, ref) for ref in refs))
    assert await polls.one.lease_batch()
    waiting = [asyncio.create_task(polls.one.run_now(POLL, ref, POLL_SECONDS)) for ref in refs]
    await store.queue.enqueue(Job(JobKind.PREPARE, "ses_1", waited_for=True))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await polls.one.lease_batch()
        await polls.is_prepared.wait()
    assert not any(one.done() for one in waiting)


async def test_nothing_asks_for_a_held_lease_once_no_caller_waits(store: Store, polls: Polls) -> None:
    (ref,) = await held(store, polls)
    await polls.other.run_now(POLL, ref, 0.05)
    assert polls.asked == 1
    polls.ask_again.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await polls.other.wait_for_running()
    assert (polls.asked, polls.begun) == (1, [ref])


async def test_a_call_goes_on_asking_where_an_earlier_caller_of_the_same_job_gave_up(
    store: Store, polls: Polls
) -> None:
    (ref,) = await held(store, polls)
    patient = asyncio.create_task(polls.other.run_now(POLL, ref, POLL_SECONDS))
    await polls.other.run_now(POLL, ref, 0.05)
    polls.has_asked.clear()
    polls.ask_again.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await polls.has_asked.wait()
        polls.gate.set()
        await polls.one.wait_for_running()
        polls.ask_again.set()
        await patient
    assert polls.begun == [ref, ref]


async def test_a_worker_that_leases_no_more_asks_for_no_held_lease(store: Store, polls: Polls) -> None:
    (ref,) = await held(store, polls)
    waiting = asyncio.create_task(polls.other.run_now(POLL, ref, POLL_SECONDS))
    await polls.has_asked.wait()
    polls.other.stop_leasing()
    polls.ask_again.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await waiting
    assert (polls.asked, polls.begun) == (1, [ref])


async def test_all_callers_wait_for_one_run_that_goes_on_after_their_time(store: Store, polls: Polls) -> None:
    await asyncio.gather(*(polls.one.run_now(POLL, "cmp_1", seconds) for seconds in (0.1, 0.2, 0.3)))
    assert polls.begun == ["cmp_1"]
    assert await store.queue.lease_now(POLL, "cmp_1", 90.0) is None
    polls.gate.set()
    await polls.one.wait_for_running()
    assert polls.begun == ["cmp_1"]


async def test_a_call_after_the_end_of_a_run_begins_another(polls: Polls) -> None:
    polls.gate.set()
    for _ in range(2):
        await polls.one.run_now(POLL, "cmp_1", POLL_SECONDS)
    assert polls.begun == ["cmp_1", "cmp_1"]


async def test_a_run_at_once_that_is_cut_by_the_stop_gives_its_lease_back(store: Store, polls: Polls) -> None:
    await polls.one.run_now(POLL, "cmp_1", 0.05)
    await polls.one.stop(0)
    assert await store.queue.lease_now(POLL, "cmp_1", 90.0) is not None
