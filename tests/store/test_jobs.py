"""Jobs that are enqueued with a change: one row for each kind and ref, however many are enqueued at once."""

import pytest

from service.domain.changes import Job, JobKind
from service.store import Store
from service.store.engine import Transaction
from service.store.jobs import end_jobs, enqueue
from tests.support.clock import Clock

LEASE = 90.0


async def leased(store: Store) -> list[tuple[str, str, bool]]:
    return sorted((job.kind, job.ref, job.waited_for) for job in await store.queue.lease(100, LEASE))


async def test_of_equal_jobs_the_earliest_time_counts_and_a_page_that_waits_for_one(store: Store, clock: Clock) -> None:
    later = Job(JobKind.RECONCILE, "cmp_1", 100, waited_for=True)

    def unit(tx: Transaction) -> bool:
        enqueue(tx, later, Job(JobKind.RECONCILE, "cmp_1", 10), Job(JobKind.PREPARE, "cmp_1", 50))
        return tx.jobs_due

    assert await store.engine.write(unit) is False
    clock.advance(11)
    assert await leased(store) == [(JobKind.RECONCILE, "cmp_1", True)]
    clock.advance(40)
    assert await leased(store) == [(JobKind.PREPARE, "cmp_1", False)]


async def test_more_jobs_than_one_statement_has(store: Store) -> None:
    refs = [f"cmp_{number:02}" for number in range(40)]

    def unit(tx: Transaction) -> bool:
        enqueue(tx, *(Job(JobKind.RECONCILE, ref) for ref in refs))
        return tx.jobs_due

    assert await store.engine.write(unit) is True
    assert [ref for _, ref, _ in await leased(store)] == refs


@pytest.mark.parametrize("again_in_seconds", [None, 5.0])
async def test_a_job_that_was_ended_while_it_ran_does_not_run_again(
    store: Store, clock: Clock, again_in_seconds: float | None
) -> None:
    waiting, running = Job(JobKind.PRESENCE, "ses_1", 10), Job(JobKind.PRESENCE, "ses_2")
    await store.queue.enqueue(waiting, running, Job(JobKind.EXPIRE, "ses_1", 10))
    (job,) = await store.queue.lease(5, 9.0)
    await store.engine.write(lambda tx: end_jobs(tx, waiting, running))
    await store.queue.complete(job, again_in_seconds)
    clock.advance(20)
    assert await leased(store) == [(JobKind.EXPIRE, "ses_1", False)]
