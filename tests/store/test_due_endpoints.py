"""Which endpoints get the next turns: a tenant with many that are due leaves turns for the others."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from service.domain.deliveries import Delivery, DeliveryKind, DeliveryStatus
from service.domain.endpoints import MOST_ENDPOINTS, Endpoint, EndpointChange
from service.domain.model import EventId, Tenant
from service.errors import InvalidRequest
from service.store import Store
from service.store.due_endpoints import TenantShare

# The endpoints of the first one come first in the order of their ids.
MALLORY, ADA, BOB = Tenant("mallory"), Tenant("ada"), Tenant("bob")
ENDPOINT = Endpoint("whe_1", MALLORY, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")


async def added(store: Store, tenant: Tenant, number: int) -> Endpoint:
    first = {MALLORY: "a", ADA: "b", BOB: "c"}[tenant]
    made = replace(ENDPOINT, id=f"whe_{first}{number:03}", tenant=tenant)
    await store.endpoints.create(EndpointChange(made, "created", "k"))
    return made


async def due(store: Store, **tenants: int) -> None:
    """So many endpoints of each of these tenants have a test that is due."""
    for name, count in tenants.items():
        for number in range(count):
            made = await added(store, Tenant(name), number)
            event_id = EventId(f"evt_{made.id}")
            status, kind = DeliveryStatus.PENDING, DeliveryKind.TEST
            row = (f"whd_{made.id}", made.tenant, made.id, event_id, kind, None, made.id, status, (), 0.0, 1.0)
            await store.deliveries.add(Delivery(*row))


async def leased(store: Store, limit: int, most: int, taken: Mapping[Tenant, int]) -> Counter[Tenant]:
    return Counter(lease.tenant for lease in await store.deliveries.lease(limit, TenantShare(most, taken)))


async def test_without_a_share_a_tenant_gets_every_turn(store: Store) -> None:
    await due(store, mallory=6, ada=1)
    assert [lease.tenant for lease in await store.deliveries.lease(4)] == [MALLORY] * 4


async def test_a_tenant_with_many_due_endpoints_gets_its_share_and_the_others_the_rest(store: Store) -> None:
    await due(store, mallory=10, ada=2, bob=1)
    assert await leased(store, 8, 4, {}) == {MALLORY: 4, ADA: 2, BOB: 1}


async def test_turns_that_a_tenant_has_already_count(store: Store) -> None:
    await due(store, mallory=10, ada=10, bob=1)
    assert await leased(store, 4, 4, {MALLORY: 3, ADA: 1}) == {MALLORY: 1, ADA: 3}


async def test_a_tenant_that_has_its_share_gets_no_turn(store: Store) -> None:
    await due(store, mallory=3, ada=1)
    assert await leased(store, 8, 4, {MALLORY: 4}) == {ADA: 1}
    assert await leased(store, 8, 4, {MALLORY: 4}) == {}
    assert await leased(store, 8, 4, {MALLORY: 3}) == {MALLORY: 1}


async def test_a_tenant_may_have_a_hundred_endpoints_however_many_calls_create_them(store: Store) -> None:
    for number in range(MOST_ENDPOINTS - 5):
        await added(store, MALLORY, number)
    calls = (added(store, MALLORY, number) for number in range(MOST_ENDPOINTS, MOST_ENDPOINTS + 20))
    made = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, Endpoint) for one in made) == 5
    assert [str(one) for one in made if isinstance(one, InvalidRequest)] == [
        "There are at most 100 webhook endpoints; delete one first"
    ] * 15
    await added(store, ADA, 1)
    await store.endpoints.delete("whe_a000", MALLORY, "k")
    await added(store, MALLORY, 0)
    with pytest.raises(InvalidRequest):
        await added(store, MALLORY, MOST_ENDPOINTS)
