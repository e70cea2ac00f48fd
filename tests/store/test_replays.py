"""Replays go on in pieces, from the right position, and end."""

import pytest

from service.domain.changes import JobKind
from service.domain.deliveries import DeliveryKind
from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from service.errors import NotFound
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import create, fresh, numbered


async def test_a_replay_begins_at_its_time_and_ends_with_the_log(store: Store, clock: Clock) -> None:
    for number in range(30):
        await create(store, fresh(name=f"ses_{number:02}"))
        clock.advance(100)
    await numbered(store)
    since = clock.now() - 10 * 100
    endpoint = Endpoint("whe_00000001", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", EndpointSecret("whs_1", "a", "b", 1.0)))
    replay_id = "rpl_one"
    await store.replays.begin(replay_id, endpoint, since)
    (row,) = await store.engine.read(lambda tx: tx.all("SELECT * FROM replays"))
    assert 15 <= row["after_seq"] <= 20
    (job,) = [job for job in await store.queue.lease(99, 10.0) if job.kind is JobKind.REPLAY]
    assert job.ref == replay_id
    assert await store.replays.advance(replay_id, job) is False
    written = await store.deliveries.list_page(endpoint.id, None, None, 100)
    assert {one.kind for one in written} == {DeliveryKind.REPLAY}
    events = [event.id for event in await store.events.after(0, 100) if event.at >= since]
    assert {one.event_id for one in written} == set(events)
    with pytest.raises(NotFound):
        await store.replays.advance(replay_id)


async def test_a_long_replay_is_written_in_pieces(store: Store) -> None:
    endpoint = Endpoint("whe_00000001", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", EndpointSecret("whs_1", "a", "b", 1.0)))
    replay_id = "rpl_one"
    await store.replays.begin(replay_id, endpoint, 0.0)
    await store.engine.write(lambda tx: tx.run("UPDATE replays SET until_seq = 2500"))
    assert [await store.replays.advance(replay_id) for _ in range(3)] == [True, True, False]
