"""Leases and due times by the clock of a PostgreSQL server, which no test's clock replaces here."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from service.domain.changes import Job, JobKind
from service.domain.model import SessionId
from service.domain.timing import PRESENCE_SECONDS
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.presence import put_off_checks
from service.store.queue import JobQueue


@pytest.fixture
async def engine(migrated_postgres_url: str) -> AsyncIterator[PostgresEngine]:
    opened = PostgresEngine(migrated_postgres_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def queue(engine: PostgresEngine) -> JobQueue:
    numbers = count()
    return JobQueue(engine, lambda prefix: f"{prefix}_{next(numbers)}")


async def test_a_job_is_leased_renewed_put_off_and_completed(queue: JobQueue) -> None:
    await queue.enqueue(Job(JobKind.RECONCILE, "cmp_1"), Job(JobKind.RECONCILE, "cmp_2", 600))
    (job,) = await queue.lease(10, 30)
    assert (job.ref, await queue.lease(10, 30)) == ("cmp_1", [])
    assert await queue.renew([job.lease], 30) == {job.lease}
    assert 25 < (await queue.next_in_seconds() or 0) <= 30
    await queue.retry(job, 60)
    assert 55 < (await queue.next_in_seconds() or 0) <= 60
    again = await queue.lease_now(JobKind.RECONCILE, "cmp_2", 30)
    assert again is not None
    await queue.complete(again, 0)
    (due,) = await queue.lease(10, 30)
    await queue.complete(due)
    assert 50 < (await queue.next_in_seconds() or 0) <= 60


async def test_a_check_of_presence_is_put_off_where_it_is_due_soon(engine: PostgresEngine, queue: JobQueue) -> None:
    sessions = [SessionId("ses_1"), SessionId("ses_2")]

    def unit(tx: Transaction) -> None:
        put_off_checks(tx, sessions)
        tx.run("UPDATE work SET due_at = due_at - :seconds", seconds=PRESENCE_SECONDS)
        put_off_checks(tx, sessions)

    await engine.write(unit)
    assert PRESENCE_SECONDS - 5 < (await queue.next_in_seconds() or 0) <= PRESENCE_SECONDS
