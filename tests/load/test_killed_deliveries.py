"""`kill -9` at every step of deliveries, on both databases: none is lost, and a repetition has the same id."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.events import NewEvent
from service.domain.model import SessionId
from service.store import engine_for, migrate
from service.store.changes import add_event
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from tests.load.deliveries import TENANT, endpoint, opened
from tests.load.killed_deliveries import LocalReceiver, deliver

# Two sessions with three events each, which come in turns.
SESSIONS = ("ses_ada", "ses_bob")
TYPES = ("session.created", "session.opened", "session.connected")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    return f"sqlite:///{tmp_path}/magiclink.db"


@pytest.fixture
def receiver() -> Iterator[LocalReceiver]:
    with LocalReceiver() as running:
        yield running


async def _write(url: str, address: str) -> dict[str, list[str]]:
    """An empty log, an endpoint, and the events of two sessions; the ids of each session's."""
    async with opened(url) as services:
        await migrate(services.store.engine)
        await services.store.engine.write(_empty)
        await endpoint(services, address, ())
        context = services.store.endpoints._context  # noqa: SLF001 - the store's own way to write an event

        def events(tx: Transaction) -> None:
            for event_type in TYPES:
                for session in SESSIONS:
                    add_event(tx, context, NewEvent(event_type, SessionId(session)), TENANT)

        await services.store.engine.write(events)
        if isinstance(services.store.engine, PostgresEngine):
            await services.store.engine.number()
        rows = await services.store.engine.read(lambda tx: tx.all("SELECT id, session_id FROM events ORDER BY seq"))
    return {session: [row["id"] for row in rows if row["session_id"] == session] for session in SESSIONS}


def _empty(tx: Transaction) -> None:
    for table in ("deliveries", "endpoint_secrets", "endpoints", "events"):
        tx.run(f"DELETE FROM {table}")  # noqa: S608 - our own names


async def _end_leases(url: str) -> None:
    """As if the time of a lease had passed."""
    engine = engine_for(url, lambda: 0.0)
    await engine.open()
    await engine.write(lambda tx: tx.run("UPDATE endpoints SET lease_until = 0 WHERE lease IS NOT NULL"))
    await engine.close()


def _killed_at(step: int, url: str, receiver: LocalReceiver) -> bool:
    """One run that is killed at this step, and runs that are not; whether it was reached."""
    receiver.posts.clear()
    log = asyncio.run(_write(url, receiver.url))
    receiver.failing = {log["ses_ada"][0]}
    steps = deliver(url, kill_at=step)
    asyncio.run(_end_leases(url))
    deliver(url, later_seconds=1000.0)
    if log["ses_ada"][0] not in receiver.taken(log["ses_ada"]):
        # What is refused once was attempted only now.
        deliver(url, later_seconds=4000.0)
    for session, events in log.items():
        assert receiver.taken(events) == events, (step, session, receiver.posts)
    assert {event_id for event_id, _ in receiver.posts} == {one for events in log.values() for one in events}
    # One was refused, and at most the two that were under way at the kill are repeated.
    assert 7 <= len(receiver.posts) <= (7 if steps is not None else 9), (step, receiver.posts)
    return steps is None


def test_a_process_that_is_killed_at_any_step_loses_no_delivery(url: str, receiver: LocalReceiver) -> None:
    step = 1
    while _killed_at(step, url, receiver):
        step += 1
    assert step > 20
