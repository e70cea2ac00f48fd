"""Leases: renewed while the work goes on; without one that holds, nothing that was read before is written."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from service.domain.changes import Changes, Job, JobKind, LeasedJob
from service.domain.events import NewEvent
from service.domain.model import ProviderSiteId
from service.errors import LeaseLost
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import COMPANY, connection
from tests.support.store_cases import UNNAMED, count, create, fresh

LEASE = 10.0
Write = Callable[[Store, LeasedJob], Awaitable[object]]
EVENT = NewEvent("session.opened")


async def leased(store: Store, ref: str = "cmp_1") -> LeasedJob:
    await store.queue.enqueue(Job(JobKind.RECONCILE, ref))
    jobs = await store.queue.lease(100, LEASE)
    return next(job for job in jobs if job.ref == ref)


async def change_company(store: Store, job: LeasedJob) -> object:
    return await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(events=(EVENT,)), job=job)


async def change_session(store: Store, job: LeasedJob) -> object:
    return await store.sessions.change(fresh().id, lambda _: Changes(events=(EVENT,)), job=job)


async def name_documents(store: Store, job: LeasedJob) -> object:
    return await store.documents.name_new(connection(), ["d1"], lambda _total, _new: EVENT, job)


async def name_uploads(store: Store, job: LeasedJob) -> None:
    await store.documents.name_uploaded(replace(COMPANY, ref=UNNAMED.ref), ["d2"], lambda *_: EVENT, job)


async def complete_webhook(store: Store, job: LeasedJob) -> None:
    await store.inbox.complete("msg_1", Job(JobKind.DOCUMENTS, "con_1"), lease=job)


WRITES = [change_company, change_session, name_documents, name_uploads, complete_webhook]


@pytest.fixture
async def filled(store: Store) -> Store:
    """With one row of everything that a job writes."""
    await create(store, fresh())
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(connections=(connection(),)))
    return store


async def written(store: Store) -> tuple[int, ...]:
    events = await count(store, "events", "type = 'session.opened'")
    return events, await count(store, "work", "kind = 'documents'"), await count(store, "documents")


@pytest.mark.parametrize("write", WRITES)
async def test_a_job_whose_lease_holds_may_write(filled: Store, write: Write) -> None:
    await write(filled, await leased(filled))
    assert sum(await written(filled)) > 0


@pytest.mark.parametrize("write", WRITES)
async def test_a_job_whose_lease_has_ended_writes_nothing_though_no_worker_took_it(
    filled: Store, clock: Clock, write: Write
) -> None:
    job = await leased(filled)
    clock.advance(LEASE)
    with pytest.raises(LeaseLost):
        await write(filled, job)
    assert await written(filled) == (0, 0, 0)


@pytest.mark.parametrize("write", WRITES)
async def test_a_job_that_another_worker_leased_meanwhile_writes_nothing(
    filled: Store, clock: Clock, write: Write
) -> None:
    late = await leased(filled)
    clock.advance(LEASE)
    await leased(filled)
    with pytest.raises(LeaseLost):
        await write(filled, late)
    assert await written(filled) == (0, 0, 0)


async def test_a_lease_that_is_renewed_goes_on_from_then(store: Store, clock: Clock) -> None:
    job = await leased(store)
    for _ in range(5):
        clock.advance(LEASE - 1)
        assert await store.queue.renew([job.lease], LEASE) == {job.lease}
    assert await store.queue.lease(10, LEASE) == []


async def test_all_leases_are_renewed_in_one_statement_and_no_other_is(store: Store, clock: Clock) -> None:
    jobs = [await leased(store, f"cmp_{number}") for number in range(20)]
    clock.advance(LEASE - 1)
    assert await store.queue.renew([job.lease for job in jobs[1:]], LEASE) == {job.lease for job in jobs[1:]}
    clock.advance(1)
    assert [job.ref for job in await store.queue.lease(100, LEASE)] == ["cmp_0"]


async def test_a_lease_that_has_ended_is_not_revived(store: Store, clock: Clock) -> None:
    job = await leased(store)
    clock.advance(LEASE)
    assert await store.queue.renew([job.lease], LEASE) == frozenset()
    assert await store.queue.lease(10, LEASE)


async def test_a_site_keeps_the_first_id_that_was_written(store: Store) -> None:
    ref = (await create(store, fresh())).sites[0].ref
    for found in ("first", "late"):
        await store.companies.set_site_id(ref, ProviderSiteId(found))
    assert (await store.companies.site(ref)).provider_id == "first"
