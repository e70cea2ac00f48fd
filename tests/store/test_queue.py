"""Work: claimed with a lease, picked up when the lease ends, asked for again while it runs."""

import asyncio

import pytest

from service.domain.changes import Job, JobKind, LeasedJob
from service.store import Store
from tests.support.clock import Clock

LEASE = 90.0
RECONCILE = JobKind.RECONCILE


async def claim(store: Store, limit: int = 10) -> list[LeasedJob]:
    return list(await store.queue.lease(limit, LEASE))


async def only(store: Store) -> LeasedJob:
    (work,) = await claim(store)
    return work


async def test_what_is_due_is_leased_once(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    work = await only(store)
    assert (work.kind, work.ref, work.attempts) == (RECONCILE, "cmp_1", 0)
    assert await claim(store) == []


async def test_a_kind_that_only_a_newer_version_knows_holds_up_no_other_job(store: Store) -> None:
    newer = "INSERT INTO work (kind, ref, due_at, waited_for) VALUES ('newer', '1', 0, 0), ('newer', '2', 0, 0)"
    await store.engine.write(lambda tx: tx.run(newer))
    await store.queue.enqueue(Job(RECONCILE, "cmp_9"))
    assert [work.ref for work in await claim(store, 2)] == ["cmp_9"]


async def test_what_is_due_later_waits_for_its_time(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 10))
    assert await claim(store) == []
    clock.advance(11)
    assert (await only(store)).ref == "cmp_1"


async def test_the_earlier_of_two_times_asked_for_stays(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 10), Job(RECONCILE, "cmp_1", 100))
    await store.queue.enqueue(Job(RECONCILE, "cmp_2", 100), Job(RECONCILE, "cmp_2", 10))
    clock.advance(11)
    assert {work.ref for work in await claim(store)} == {"cmp_1", "cmp_2"}


async def test_the_most_overdue_is_leased_first_and_no_more_than_requested(store: Store, clock: Clock) -> None:
    for number in (3, 1, 2):
        await store.queue.enqueue(Job(RECONCILE, f"cmp_{number}", number))
    clock.advance(10)
    assert [work.ref for work in await claim(store, 2)] == ["cmp_1", "cmp_2"]
    assert [work.ref for work in await claim(store, 2)] == ["cmp_3"]


async def test_a_hundred_workers_at_once_lease_the_jobs_without_overlap(store: Store) -> None:
    await store.queue.enqueue(*(Job(RECONCILE, f"cmp_{number}") for number in range(50)))
    batches = await asyncio.gather(*(store.queue.lease(3, LEASE) for _ in range(100)))
    refs = [work.ref for batch in batches for work in batch]
    assert len(refs) == len(set(refs))
    rest = [work.ref for work in await claim(store, 100)]
    assert sorted([*refs, *rest]) == sorted(f"cmp_{number}" for number in range(50))


async def test_what_is_done_is_gone(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.complete(await only(store))
    clock.advance(1000)
    assert await claim(store) == []
    assert await store.queue.next_in_seconds() is None


async def test_a_dead_workers_job_is_leased_again_when_its_lease_ends(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await only(store)
    clock.advance(LEASE - 2)
    assert await claim(store) == []
    clock.advance(3)
    assert (await only(store)).ref == "cmp_1"


async def test_a_worker_that_woke_up_late_changes_nothing(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    late = await only(store)
    clock.advance(LEASE + 1)
    current = await only(store)
    await store.queue.complete(late)
    await store.queue.retry(late, 0)
    clock.advance(LEASE - 2)
    assert await claim(store) == []
    await store.queue.complete(current)
    clock.advance(LEASE)
    assert await claim(store) == []


async def test_what_is_due_again_waits_for_that_time(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.complete(await only(store), 20)
    clock.advance(18)
    assert await claim(store) == []
    clock.advance(3)
    assert (await only(store)).attempts == 0


async def test_what_was_asked_for_while_it_ran_runs_once_more(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    running = await only(store)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    assert await claim(store) == []
    await store.queue.complete(running)
    assert (await only(store)).ref == "cmp_1"


async def test_of_what_was_asked_for_while_it_ran_the_earliest_time_holds(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    running = await only(store)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 50), Job(RECONCILE, "cmp_1", 10), Job(RECONCILE, "cmp_1", 30))
    await store.queue.complete(running, 600)
    clock.advance(11)
    assert (await only(store)).ref == "cmp_1"


async def test_failures_are_counted_until_a_success(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    for attempts in range(3):
        work = await only(store)
        assert work.attempts == attempts
        await store.queue.retry(work, 5)
        clock.advance(6)
    await store.queue.complete(await only(store), 5)
    clock.advance(6)
    assert (await only(store)).attempts == 0


async def test_asking_for_what_failed_makes_it_due_at_once(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.retry(await only(store), 600)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    assert (await only(store)).attempts == 1


async def test_one_job_is_leased_before_it_is_due(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 600))
    work = await store.queue.lease_now(RECONCILE, "cmp_1", LEASE)
    assert work is not None
    assert await store.queue.lease_now(RECONCILE, "cmp_1", LEASE) is None


@pytest.mark.parametrize(("kind", "ref"), [(RECONCILE, "cmp_2"), (JobKind.DOCUMENTS, "cmp_1")])
async def test_a_job_that_is_not_there_is_enqueued_and_leased(store: Store, kind: JobKind, ref: str) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    leased = await store.queue.lease_now(kind, ref, LEASE)
    assert leased is not None
    assert (leased.kind, leased.ref) == (kind, ref)


async def test_one_job_is_leased_again_after_its_lease(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.lease_now(RECONCILE, "cmp_1", LEASE)
    clock.advance(LEASE + 1)
    assert await store.queue.lease_now(RECONCILE, "cmp_1", LEASE) is not None


async def test_the_next_time_is_known_with_leases_in_mind(store: Store, clock: Clock) -> None:
    assert await store.queue.next_in_seconds() is None
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 30))
    assert await store.queue.next_in_seconds() == pytest.approx(30, abs=2)
    clock.advance(60)
    assert await store.queue.next_in_seconds() == 0
    await only(store)
    assert await store.queue.next_in_seconds() == pytest.approx(LEASE, abs=2)


async def test_a_listener_for_jobs_is_woken_for_what_is_due_now_and_only_for_that(store: Store, clock: Clock) -> None:
    reported: list[str] = []
    store.engine.on_jobs(lambda: reported.append("due"))
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", 60))
    assert reported == []
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    assert reported == ["due"]
    running = await only(store)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    await store.queue.complete(running, 60)
    assert reported == ["due"] * 3
    clock.advance(1)
    await store.queue.complete(await only(store))
    assert reported == ["due"] * 3


async def test_a_lease_that_is_given_back_leaves_the_job_due_at_once(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    leased = await store.queue.lease(1, LEASE)
    await store.queue.release(leased)
    assert [job.ref for job in await store.queue.lease(1, LEASE)] == ["cmp_1"]


async def test_a_lease_that_was_lost_cannot_be_given_back(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    late = await store.queue.lease(1, LEASE)
    clock.advance(LEASE + 1)
    assert await store.queue.lease(1, LEASE)
    await store.queue.release(late)
    assert await store.queue.lease(1, LEASE) == []


async def test_what_a_page_waits_for_comes_before_a_backlog_that_is_due_for_longer(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(*(Job(JobKind.EXPIRE, f"ses_{number}") for number in range(100)))
    clock.advance(3600)
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", waited_for=True))
    leased = await claim(store, 3)
    assert leased[0].ref == "cmp_1"
    assert [job.waited_for for job in leased] == [True, False, False]


@pytest.mark.parametrize("limit", [1, 4, 16])
async def test_many_pages_leave_one_turn_in_four_to_the_others(store: Store, limit: int) -> None:
    await store.queue.enqueue(*(Job(RECONCILE, f"cmp_{number}", waited_for=True) for number in range(100)))
    await store.queue.enqueue(*(Job(JobKind.EXPIRE, f"ses_{number}") for number in range(100)))
    leased = [job for _ in range(48 // limit) for job in await claim(store, limit)]
    assert len(leased) == 48
    assert sum(not job.waited_for for job in leased) == 12


async def test_jobs_that_no_page_waits_for_leave_room_for_those_that_one_waits_for(store: Store) -> None:
    await store.queue.enqueue(*(Job(JobKind.EXPIRE, f"ses_{number}") for number in range(20)))
    assert len(await store.queue.lease(16, LEASE, 8)) == 8
    assert await store.queue.lease(8, LEASE, 0) == []
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", waited_for=True))
    assert [job.ref for job in await store.queue.lease(8, LEASE, 0)] == ["cmp_1"]


async def test_a_job_that_is_due_already_is_waited_for_from_when_a_page_asks_for_it(store: Store) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"), Job(RECONCILE, "cmp_1", 5, waited_for=True))
    await store.queue.enqueue(Job(RECONCILE, "cmp_1"))
    assert (await only(store)).waited_for


@pytest.mark.parametrize("again", [3.0, 20.0, 600.0])
async def test_a_poll_is_waited_for_while_its_interval_is_that_of_a_present_page(
    store: Store, clock: Clock, again: float
) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", waited_for=True))
    await store.queue.complete(await only(store), again)
    clock.advance(again)
    assert (await only(store)).waited_for is (again < 600)


async def test_a_job_that_failed_is_still_waited_for(store: Store, clock: Clock) -> None:
    await store.queue.enqueue(Job(RECONCILE, "cmp_1", waited_for=True))
    await store.queue.retry(await only(store), 60)
    clock.advance(60)
    assert (await only(store)).waited_for
