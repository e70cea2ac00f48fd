"""A clock of the database that is set back: jobs wait no longer than they should have."""

import asyncio

import pytest

from service.domain.changes import Job, JobKind
from service.domain.timing import LEASE_SECONDS
from service.store import Store
from tests.support.clock import Clock

RECONCILE = JobKind.RECONCILE
TWO_HOURS = 7200.0


async def test_a_job_waits_as_long_as_it_would_have(store: Store, clock: Clock) -> None:
    assert await store.queue.follow_clock() == 0
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 60))
    clock.advance(-TWO_HOURS)
    assert await store.queue.next_in_seconds() == TWO_HOURS + 60
    assert await store.queue.follow_clock() == TWO_HOURS
    assert await store.queue.next_in_seconds() == 60


async def test_all_processes_together_move_it_once(store: Store, clock: Clock) -> None:
    await store.queue.follow_clock()
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 3 * TWO_HOURS))
    clock.advance(-TWO_HOURS)
    moved = await asyncio.gather(*(store.queue.follow_clock() for _ in range(10)))
    assert sorted(moved) == [0.0] * 9 + [TWO_HOURS]
    assert await store.queue.next_in_seconds() == 3 * TWO_HOURS


async def test_what_is_due_stays_due_and_what_comes_later_stays_later(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.follow_clock()
    await store.queue.enqueue(Job(RECONCILE, "cmp_2", 30))
    clock.advance(-TWO_HOURS)
    await store.queue.follow_clock()
    (first,) = await store.queue.lease(10, LEASE_SECONDS)
    await store.queue.complete(first)
    clock.advance(30)
    assert first.ref == "cmp_1"
    assert [job.ref for job in await store.queue.lease(10, LEASE_SECONDS)] == ["cmp_2"]


async def test_a_dead_workers_lease_ends_after_its_own_time(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.lease(1, LEASE_SECONDS)
    await store.queue.follow_clock()
    clock.advance(-TWO_HOURS)
    await store.queue.follow_clock()
    assert await store.queue.next_in_seconds() == LEASE_SECONDS


async def test_a_job_that_was_asked_for_while_it_ran_runs_again_in_time(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    (running,) = await store.queue.lease(1, LEASE_SECONDS)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 20))
    await store.queue.follow_clock()
    clock.advance(-TWO_HOURS)
    await store.queue.follow_clock()
    await store.queue.complete(running)
    assert await store.queue.next_in_seconds() == 20


@pytest.mark.parametrize("step", [0.0, -4.0, 60.0, TWO_HOURS])
async def test_a_clock_that_goes_on_or_is_corrected_a_little_moves_nothing(
    store: Store, clock: Clock, step: float
) -> None:
    await store.queue.follow_clock()
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 3 * TWO_HOURS))
    clock.advance(step)
    assert await store.queue.follow_clock() == 0
    assert await store.queue.next_in_seconds() == 3 * TWO_HOURS - step
