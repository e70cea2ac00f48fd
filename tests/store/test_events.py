"""The log as its readers see it: positions only grow, and nothing appears behind a reader."""

import asyncio

from service.domain.changes import Changes
from service.domain.events import NewEvent
from service.domain.model import SessionId, Tenant
from service.store import Store
from tests.support.domain_values import TENANT
from tests.support.patience import PATIENCE_SECONDS
from tests.support.store_cases import UNNAMED, create, fresh, numbered

ADA, BOB = SessionId("ses_ada"), SessionId("ses_bob")


async def tell(store: Store, name: str, session: SessionId | None = ADA) -> None:
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(events=(NewEvent(name, session),)))


async def reported(store: Store, *names: str) -> None:
    """Ada's creation first, then these, in this order."""
    await create(store, fresh("ada"))
    for name in names:
        await tell(store, name)
    await numbered(store)


async def newest(store: Store) -> int:
    """The position of the newest event of all."""
    return (await store.events.after(0, 1000))[-1].seq


async def last(store: Store, session_id: SessionId) -> int:
    return (await store.sessions.page_snapshot(session_id)).seq


async def test_an_empty_log_ends_at_zero(store: Store) -> None:
    assert await store.events.position("evt_none") is None
    assert await store.events.after(0, 10) == []


async def test_events_come_in_the_order_in_which_they_happened(store: Store) -> None:
    await reported(store, "a", "b", "c")
    events = await store.events.after(0, 10)
    assert [event.type for event in events] == ["session.created", "a", "b", "c"]
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert events[-1].seq == await newest(store)


async def test_a_reader_goes_on_after_its_position(store: Store) -> None:
    await reported(store, "a", "b", "c")
    first = await store.events.after(0, 2)
    rest = await store.events.after(first[-1].seq, 10)
    assert [event.type for event in (*first, *rest)] == ["session.created", "a", "b", "c"]
    assert await store.events.after(rest[-1].seq, 10) == []


async def test_a_sessions_timeline_is_its_own(store: Store) -> None:
    await reported(store, "a")
    await create(store, fresh("bob"))
    await numbered(store)
    assert {event.session_id for event in await store.events.after(0, 10, session_id=ADA)} == {ADA}
    assert await last(store, ADA) < await last(store, BOB) == await newest(store)


async def test_another_tenant_sees_nothing(store: Store) -> None:
    await reported(store, "a")
    assert await store.events.after(0, 10, Tenant("elsewhere")) == []
    assert len(await store.events.after(0, 10, TENANT, ADA)) == 2


async def test_an_event_is_found_by_its_id_in_its_own_session_only(store: Store) -> None:
    await reported(store, "a")
    event = (await store.events.after(0, 10))[-1]
    assert await store.events.position(event.id) == await store.events.position(event.id, ADA) == event.seq
    assert await store.events.position(event.id, BOB) is None
    assert await store.events.position("evt_future") is None


async def test_an_event_of_no_session_wakes_the_company(store: Store) -> None:
    await reported(store)
    await tell(store, "connection.ambiguous", None)
    await numbered(store)
    assert (await store.events.after(0, 10))[-1].session_id is None


async def test_a_reader_that_reads_while_a_hundred_write_misses_nothing(store: Store) -> None:
    await reported(store)
    seen: list[str] = []
    seq = await newest(store)
    writing = [asyncio.ensure_future(tell(store, f"e{number}")) for number in range(100)]
    while not all(task.done() for task in writing) or len(seen) < 100:
        for event in await store.events.after(seq, 7):
            seen.append(event.type)
            assert event.seq > seq
            seq = event.seq
    assert sorted(seen) == sorted(f"e{number}" for number in range(100))


async def test_a_listener_is_given_the_sessions_with_new_events(store: Store) -> None:
    notified: set[str] = set()
    store.engine.on_events(notified.update)
    await reported(store)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not notified:  # PostgreSQL's listener begins a moment after the store, so the event is repeated
            await tell(store, "again")
            await asyncio.sleep(0.05)
    assert notified == {ADA}
