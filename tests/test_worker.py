"""The loop behind every process, on a real work list: what is done, put off, dropped, or left to another."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest

from service.domain.changes import JobKind, LeasedJob
from service.domain.timing import LEASE_SECONDS
from service.errors import NotFound, ProviderBusy, ProviderRefused, ProviderTimeout
from service.store import Store
from service.worker import Handler, Worker, retry_seconds
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.worker_desk import Desk, due, opened_store


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


async def test_what_is_due_is_done_once_and_gone(store: Store) -> None:
    desk = Desk(store)
    await store.queue.enqueue(due(), due("ses_2", 10.0))
    await desk.worker.run_until_idle()
    await desk.worker.run_until_idle()
    assert desk.asked == ["ses_1"]
    assert await store.queue.next_in_seconds() == 10.0


async def test_more_than_one_batch_is_all_done(store: Store) -> None:
    desk = Desk(store)
    await store.queue.enqueue(*(due(f"ses_{number}") for number in range(30)))
    await desk.worker.run_until_idle()
    assert sorted(desk.asked) == sorted(f"ses_{number}" for number in range(30))
    assert desk.counted == [("prepare", "done")] * 30


async def test_a_handler_that_answers_in_seconds_is_asked_again_after_them(store: Store, clock: Clock) -> None:
    desk = Desk(store, 20.0)
    await store.queue.enqueue(due())
    await desk.worker.run_until_idle()
    clock.advance(19)
    await desk.worker.run_until_idle()
    assert desk.asked == ["ses_1"]
    clock.advance(1)
    await desk.worker.run_until_idle()
    assert desk.asked == ["ses_1", "ses_1"]


async def test_the_log_of_a_dropped_job_has_the_words_of_the_refusal(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, ProviderRefused("The provider does not know this id"))
    await store.queue.enqueue(due())
    await desk.worker.run_until_idle()
    assert caplog.messages == ["job dropped: prepare ses_1: provider_refused The provider does not know this id"]


@pytest.mark.parametrize("refusal", [NotFound(), ProviderRefused()])
async def test_what_will_never_succeed_is_dropped(store: Store, refusal: Exception) -> None:
    desk = Desk(store, refusal)
    await store.queue.enqueue(due())
    await desk.worker.run_until_idle()
    assert await store.queue.next_in_seconds() is None
    assert desk.counted == [("prepare", "dropped")]


async def test_a_failure_is_tried_again_and_less_often_each_time(store: Store, clock: Clock) -> None:
    desk = Desk(store, ProviderTimeout())
    await store.queue.enqueue(due())
    waits = []
    for _ in range(11):
        await desk.worker.run_until_idle()
        waits.append(await store.queue.next_in_seconds() or 0.0)
        clock.advance(waits[-1])
    assert waits == [retry_seconds(attempt) for attempt in range(11)]
    assert waits[0] <= 5
    assert waits == sorted(waits)
    assert waits[-1] == 60.0


async def test_a_job_that_fails_for_hours_is_in_the_log_at_first_and_about_each_hour(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, ProviderTimeout())
    await store.queue.enqueue(due())
    for _ in range(130):
        await desk.worker.run_until_idle()
        clock.advance(60)
    assert len(desk.asked) == 130
    assert [line.partition(":")[0] for line in caplog.messages] == ["job put off"] * 3


async def test_a_fault_of_ours_is_logged_whole_and_stops_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, ZeroDivisionError("of ours"))
    await store.queue.enqueue(due(), due("ses_2"))
    await desk.worker.run_until_idle()
    assert sorted(desk.asked) == ["ses_1", "ses_2"]
    assert await store.queue.next_in_seconds() == 60.0
    assert "of ours" in caplog.text


async def test_a_job_that_a_dead_worker_leased_is_done_by_another_when_its_lease_ends(
    store: Store, clock: Clock
) -> None:
    reached = asyncio.Event()

    async def never(_job: LeasedJob) -> None:
        reached.set()
        await asyncio.Event().wait()

    dying, heir = Worker(store, {JobKind.PREPARE: never}), Desk(store)
    await store.queue.enqueue(due())
    await dying.lease_batch()
    await reached.wait()
    clock.advance(LEASE_SECONDS - 1)
    await heir.worker.run_until_idle()
    assert heir.asked == []
    clock.advance(1)
    await heir.worker.run_until_idle()
    assert heir.asked == ["ses_1"]
    await dying.stop(0)


async def test_stopping_waits_for_what_is_running(store: Store) -> None:
    reached, leave = asyncio.Event(), asyncio.Event()

    async def slow(_job: LeasedJob) -> None:
        reached.set()
        await leave.wait()

    worker = Worker(store, {JobKind.PREPARE: slow})
    await store.queue.enqueue(due())
    await worker.lease_batch()
    await reached.wait()
    stopping = asyncio.create_task(worker.stop(5))
    leave.set()
    await stopping
    assert await store.queue.next_in_seconds() is None


async def test_a_worker_that_retires_claims_nothing_more_and_what_is_running_goes_on(store: Store) -> None:
    reached, leave = asyncio.Event(), asyncio.Event()
    asked: list[str] = []

    async def slow(job: LeasedJob) -> None:
        asked.append(job.ref)
        reached.set()
        await leave.wait()

    worker = Worker(store, {JobKind.PREPARE: slow})
    await store.queue.enqueue(*(due(f"ses_{number}") for number in range(20)))
    loop = asyncio.create_task(worker.run())
    await reached.wait()
    worker.stop_leasing()
    leave.set()
    await worker.stop(5)
    await loop
    assert len(asked) < 20
    assert len(await store.queue.lease(100, 90)) == 20 - len(asked)


async def test_the_time_to_finish_runs_from_the_moment_of_retiring(store: Store) -> None:
    reached = asyncio.Event()

    async def never(_job: LeasedJob) -> None:
        reached.set()
        await asyncio.Event().wait()

    worker = Worker(store, {JobKind.PREPARE: never})
    await store.queue.enqueue(due())
    await worker.lease_batch()
    await reached.wait()
    worker.stop_leasing()
    await asyncio.sleep(1)  # requests are being answered
    began = perf_counter()
    await worker.stop(1)
    assert perf_counter() - began < 0.5


async def test_the_loop_runs_jobs_as_they_are_enqueued_until_it_is_stopped(store: Store) -> None:
    done = asyncio.Event()

    async def handle(_job: LeasedJob) -> None:
        done.set()

    worker = Worker(store, {JobKind.PREPARE: handle})
    store.engine.on_jobs(worker.wake)
    loop = asyncio.create_task(worker.run())
    await store.queue.enqueue(due())
    await done.wait()
    await worker.stop(5)
    await loop


class Heard(logging.Handler):
    """Signals to the test that the loop has noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "is unavailable" in record.getMessage():
            self.event.set()


@pytest.fixture
async def logged() -> AsyncIterator[asyncio.Event]:
    handler = Heard()
    logging.getLogger("service.worker").addHandler(handler)
    yield handler.event
    logging.getLogger("service.worker").removeHandler(handler)


async def test_a_database_that_is_away_is_asked_until_it_is_back(store: Store, logged: asyncio.Event) -> None:
    desk = Desk(store)
    await store.queue.enqueue(due())
    await store.close()
    loop = asyncio.create_task(desk.worker.run())
    await logged.wait()
    await store.engine.open()
    while not desk.counted:
        desk.worker.wake()
        await asyncio.sleep(0)
    await desk.worker.stop(5)
    await loop
    assert desk.asked == ["ses_1"]


@pytest.mark.parametrize("outcome", [None, ProviderTimeout(), NotFound()])
async def test_what_cannot_be_written_down_as_done_is_left_to_the_lease(
    store: Store, clock: Clock, outcome: Exception | None, logged: asyncio.Event
) -> None:
    async def handle(_job: LeasedJob) -> None:
        await store.close()
        if outcome is not None:
            raise outcome

    handlers: dict[JobKind, Handler] = {JobKind.PREPARE: handle}
    await store.queue.enqueue(due())
    worker = Worker(store, handlers)
    await worker.lease_batch()
    await worker.wait_for_running()
    assert logged.is_set()
    await store.engine.open()
    clock.advance(LEASE_SECONDS)
    heir = Desk(store)
    await heir.worker.run_until_idle()
    assert heir.asked == ["ses_1"]


async def test_what_could_not_be_written_down_is_so_once_the_database_is_back(
    store: Store, logged: asyncio.Event
) -> None:
    asked = asyncio.Event()

    async def handle(_job: LeasedJob) -> None:
        await store.close()
        asked.set()
        raise ProviderTimeout

    await store.queue.enqueue(due())
    worker = Worker(store, {JobKind.PREPARE: handle})
    loop = asyncio.create_task(worker.run())
    await asked.wait()
    await logged.wait()
    await store.engine.open()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await store.queue.next_in_seconds() == LEASE_SECONDS:
            worker.wake()
            await asyncio.sleep(0)
    assert await store.queue.next_in_seconds() == retry_seconds(0)
    await worker.stop(5)
    await loop


@pytest.mark.parametrize(("asked", "again"), [(None, 1.0), (0.5, 1.0), (20.0, 20.0), (1e9, 60.0)])
async def test_a_job_is_retried_no_sooner_than_the_provider_asked_for_within_reason(
    store: Store, asked: float | None, again: float
) -> None:
    busy = ProviderBusy()
    busy.after_seconds = asked
    desk = Desk(store, busy)
    await store.queue.enqueue(due())
    await desk.worker.run_until_idle()
    assert await store.queue.next_in_seconds() == again
