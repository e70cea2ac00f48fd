"""Deliveries are written with their events; one process at a time sends to an endpoint; rows do not stay for ever."""

import asyncio
from dataclasses import replace

import pytest

from service.domain import events
from service.domain.changes import Changes
from service.domain.deliveries import Attempt, DeliveryResult, Meaning, attempted
from service.domain.endpoints import Endpoint, EndpointChange, EndpointHealth, EndpointSecret
from service.domain.timing import DELIVERIES_KEPT_SECONDS, LEASE_SECONDS
from service.errors import LeaseLost, NotFound
from service.store import Store
from service.store.deliveries import EndpointLease
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import create, fresh, numbered


def an_endpoint(number: int = 1, **fields: object) -> Endpoint:
    made = Endpoint(f"whe_{number:08}", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    return replace(made, **fields)  # type: ignore[arg-type]


async def added(store: Store, number: int = 1, **fields: object) -> Endpoint:
    endpoint = an_endpoint(number, **fields)
    secret = EndpointSecret(f"whs_{number}", "whsec_x", "whsk_x", 1.0)
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", secret))
    return endpoint


async def leased(store: Store) -> EndpointLease:
    (lease,) = await store.deliveries.lease(8)
    return lease


async def answered(store: Store, lease: EndpointLease, status: int) -> list[DeliveryResult]:
    due = await store.deliveries.due(lease, 25, aside=False)
    results = [attempted(one, Attempt(2e9, status, 1), 0.0) for one in due.deliveries]
    await store.deliveries.record(lease, results, EndpointHealth(), ())
    return results


async def test_without_an_endpoint_no_delivery_is_written(store: Store) -> None:
    await create(store, fresh())
    await numbered(store)
    assert await store.deliveries.lease(8) == ()


async def test_an_event_and_its_delivery_are_one_transaction(store: Store) -> None:
    await added(store)

    async def fails() -> None:
        await store.sessions.create(fresh(), lambda _: 1 // 0)  # type: ignore[arg-type, return-value]

    with pytest.raises(ZeroDivisionError):
        await fails()
    await create(store, fresh())
    await numbered(store)
    due = await store.deliveries.due(await leased(store), 25, aside=False)
    events = await store.events.after(0, 25)
    assert [one.event_id for one in due.deliveries] == [event.id for event in events]


async def test_the_due_deliveries_of_a_lane_keep_the_order_of_their_events(store: Store, clock: Clock) -> None:
    await added(store)
    for number in range(5):
        await create(store, fresh(name=f"ses_{number}"))
        clock.advance(-10)  # another process's clock may be behind
    await numbered(store)
    lease = await leased(store)
    due = await store.deliveries.due(lease, 3, aside=False)
    assert [one.event.seq for one in due.deliveries if one.event] == [1, 2, 3]


async def test_one_process_at_a_time_sends_to_an_endpoint(store: Store, clock: Clock) -> None:
    await added(store)
    await create(store, fresh())
    await numbered(store)
    found = await asyncio.gather(*(store.deliveries.lease(8) for _ in range(5)))
    assert sum(len(one) for one in found) == 1
    (lease,) = [one for leases in found for one in leases]
    clock.advance(LEASE_SECONDS)
    with pytest.raises(LeaseLost):
        await store.deliveries.due(lease, 25, aside=False)
    assert await store.deliveries.renew([lease.token]) == frozenset()
    later = await leased(store)
    with pytest.raises(LeaseLost):
        await store.deliveries.record(lease, [], EndpointHealth(), ())
    with pytest.raises(LeaseLost):
        await store.deliveries.hold(lease, [])
    assert await store.deliveries.renew([later.token]) == {later.token}
    await store.deliveries.release([later.token])
    assert len(await store.deliveries.lease(8)) == 1


async def test_what_was_read_while_its_lane_was_blocked_does_not_wait_once_it_is_free(
    store: Store, clock: Clock
) -> None:
    await added(store)
    made = await create(store, fresh())
    await numbered(store)
    lease = await leased(store)
    await answered(store, lease, 500)
    opened = events.session_opened(made, cross_device=False)
    await store.sessions.change(made.id, lambda _: Changes(events=(opened,)))
    await numbered(store)
    read = await store.deliveries.due(lease, 25, aside=False)
    assert (len(read.deliveries), len(read.held)) == (0, 1)
    clock.advance(2e9)
    await store.deliveries.release([lease.token])
    lease = await leased(store)
    await answered(store, lease, 200)  # the failed one, after what follows was read and before it is told to wait
    await store.deliveries.hold(lease, read.held)
    due = await store.deliveries.due(lease, 25, aside=False)
    assert {one.id for one in due.deliveries} == read.held


async def test_a_delivered_one_is_due_no_more_and_a_failed_one_later(store: Store, clock: Clock) -> None:
    await added(store)
    await create(store, fresh())
    await numbered(store)
    lease = await leased(store)
    (result,) = await answered(store, lease, 500)
    assert result.delivery.blocks
    await store.deliveries.release([lease.token])
    assert await store.deliveries.lease(8) == ()
    clock.advance(2e9)
    lease = await leased(store)
    assert [one.delivery.status for one in await answered(store, lease, 200)] == ["delivered"]
    await store.deliveries.release([lease.token])
    assert await store.deliveries.lease(8) == ()
    stored = await store.deliveries.get(result.delivery.id, TENANT)
    assert [attempt.status for attempt in stored.attempts] == [500, 200]


async def test_a_change_of_the_endpoint_ends_the_lease(store: Store) -> None:
    endpoint = await added(store)
    await create(store, fresh())
    await numbered(store)
    lease = await leased(store)
    await store.endpoints.change(endpoint.id, lambda one: EndpointChange(one, "changed", "k"))
    with pytest.raises(LeaseLost):
        await store.deliveries.record(lease, [], EndpointHealth(), ())


async def test_deliveries_are_purged_by_their_age(store: Store, clock: Clock) -> None:
    await added(store)
    await create(store, fresh(name="ses_old"))
    clock.advance(DELIVERIES_KEPT_SECONDS)
    await create(store, fresh(name="ses_new"))
    clock.advance(1)
    assert await store.deliveries.purge() == 1
    assert await store.deliveries.purge() == 0
    (left,) = await store.deliveries.list_page("whe_00000001", None, None, 25)
    assert left.lane == "ses_new"


async def test_what_waited_for_a_delivery_that_was_purged_is_due(store: Store, clock: Clock) -> None:
    await added(store)
    made = await create(store, fresh())
    await numbered(store)
    lease = await leased(store)
    (failed,) = await answered(store, lease, 500)
    clock.advance(5 * 86400.0)
    opened = events.session_opened(made, cross_device=False)
    await store.sessions.change(made.id, lambda _: Changes(events=(opened,)))
    await numbered(store)
    lease = await leased(store)
    read = await store.deliveries.due(lease, 25, aside=False)
    await store.deliveries.hold(lease, read.held)
    await store.deliveries.release([lease.token])
    # The endpoint is disabled meanwhile, for so long that its failed delivery is purged, and enabled again.
    clock.advance(DELIVERIES_KEPT_SECONDS - 5 * 86400.0 + 1)
    assert await store.deliveries.purge() == 1
    with pytest.raises(NotFound):
        await store.deliveries.get(failed.delivery.id, TENANT)
    due = await store.deliveries.due(await leased(store), 25, aside=False)
    assert {one.id for one in due.deliveries} == read.held != set()


async def test_what_a_deleted_endpoint_had_to_get_is_deleted(store: Store) -> None:
    endpoint = await added(store)
    await create(store, fresh())
    (pending,) = await store.deliveries.list_page(endpoint.id, None, None, 25)
    await store.endpoints.delete(endpoint.id, TENANT, "k")
    assert await store.deliveries.delete_of(endpoint.id) is False
    with pytest.raises(NotFound):
        await store.deliveries.get(pending.id, TENANT)


async def test_a_clock_that_is_set_back_delays_no_retry(store: Store, clock: Clock) -> None:
    endpoint = await failing_endpoint(store, clock)
    await store.queue.follow_clock()
    clock.advance(-7200)
    assert await store.queue.follow_clock() == 7200
    health = (await store.endpoints.get(endpoint.id)).health
    assert (health.probe_at, health.review_at) == (clock.now() + 30, clock.now() + 3600)
    assert health.failing_since == clock.now()
    clock.advance(29)
    assert await store.deliveries.lease(8) == ()
    clock.advance(1)
    lease = await leased(store)
    assert len((await store.deliveries.due(lease, 25, aside=False)).deliveries) == 1


async def failing_endpoint(store: Store, clock: Clock) -> Endpoint:
    """An endpoint with one delivery that has just failed; both are tried again after 30 s."""
    endpoint = await added(store)
    await create(store, fresh())
    await numbered(store)
    lease = await leased(store)
    (one,) = (await store.deliveries.due(lease, 25, aside=False)).deliveries
    now = clock.now()
    health = EndpointHealth(failing_since=now, failures=1, probe_at=now + 30, review_at=now + 3600)
    failed = DeliveryResult(replace(one, next_at=now + 30), Meaning.PASSES, releases=False)
    await store.deliveries.record(lease, [failed], health, ())
    await store.deliveries.release([lease.token])
    return endpoint
