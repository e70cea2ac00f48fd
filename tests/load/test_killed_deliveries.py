"""`kill -9` at every step of deliveries: none is lost, and a repetition has the same id. `make soak` runs SQLite too.

Each step costs one process that is forked and killed; what it left is delivered by this process. `make kill` kills at
random moments under load.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time  # noqa: TID251 - real processes live in real time

import pytest

from service.app import Environment, Services, build_services
from service.domain.events import NewEvent
from service.domain.model import SessionId
from service.store import migrate
from service.store.changes import add_event
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from tests.load.deliveries import TENANT, endpoint, settings_of
from tests.load.killed_deliveries import is_killed_at
from tests.load.local_receiver import LocalReceiver

# Two sessions with two events each, which come in turns.
SESSIONS = ("ses_ada", "ses_bob")
TYPES = ("session.created", "session.connected")
# Until the first, the second and the third attempt of a delivery are due.
_TIMES_SECONDS = (0.0, 1000.0, 4000.0)


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    return f"sqlite:///{tmp_path}/magiclink.db"


class Survivor:
    """This process: it writes events, and delivers what another one left."""

    def __init__(self, url: str) -> None:
        self._later_seconds = 0.0
        self._services: Services = build_services(
            settings_of(url), Environment(clock=lambda: time() + self._later_seconds)
        )

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncIterator["Survivor"]:
        survivor = cls(url)
        services = survivor._services
        await services.store.open()
        await migrate(services.store.engine)
        yield survivor
        await services.hosts.worker.stop(0)
        await services.http.aclose()
        await services.hosts.sender.close()
        await services.store.close()

    async def write(self, address: str) -> dict[str, list[str]]:
        """An empty log, an endpoint, and the events of two sessions; the ids of each session's."""
        self._later_seconds = 0.0
        engine = self._services.store.engine
        await engine.write(_empty)
        await endpoint(self._services, address, ())
        context = self._services.store.endpoints._context  # noqa: SLF001 - the store's own way to write an event

        def events(tx: Transaction) -> None:
            for event_type in TYPES:
                for session in SESSIONS:
                    add_event(tx, context, NewEvent(event_type, SessionId(session)), TENANT)

        await engine.write(events)
        if isinstance(engine, PostgresEngine):
            await engine.number()
        rows = await engine.read(lambda tx: tx.all("SELECT id, session_id FROM events ORDER BY seq"))
        return {session: [row["id"] for row in rows if row["session_id"] == session] for session in SESSIONS}

    async def deliver(self) -> None:
        """The lease of the process that was killed ends, and all attempts are made that may be needed."""
        end = "UPDATE endpoints SET lease_until = 0 WHERE lease IS NOT NULL"
        await self._services.store.engine.write(lambda tx: tx.run(end))
        for self._later_seconds in _TIMES_SECONDS:
            await self._services.hosts.worker.run_until_idle()


def _empty(tx: Transaction) -> None:
    for table in ("deliveries", "endpoint_secrets", "endpoints", "events"):
        tx.run(f"DELETE FROM {table}")  # noqa: S608 - our own names


async def _is_reached(step: int, url: str, survivor: Survivor) -> bool:
    """Kill a process at this step, go on, and check what the receiver got; whether the process came so far."""
    failing: set[str] = set()
    attempts = Counter[str]()

    def status(event_id: str) -> int:
        attempts[event_id] += 1
        return 503 if event_id in failing and attempts[event_id] == 1 else 204

    with LocalReceiver(status) as receiver:
        log = await survivor.write(receiver.url)
        failing.add(log["ses_ada"][0])
        was_killed = await asyncio.to_thread(is_killed_at, step, url)
        await survivor.deliver()
    taken = list(dict.fromkeys(post.event_id for post in receiver.posts if post.is_taken))
    for session, events in log.items():
        assert [one for one in taken if one in events] == events, (step, session, receiver.posts)
    assert {post.event_id for post in receiver.posts} == {one for events in log.values() for one in events}
    # One was refused, and at most the two that were under way at the kill are repeated.
    assert 5 <= len(receiver.posts) <= (7 if was_killed else 5), (step, receiver.posts)
    return was_killed


async def test_a_process_that_is_killed_at_any_step_loses_no_delivery(url: str) -> None:
    step = 1
    async with Survivor.on(url) as survivor:
        while await _is_reached(step, url, survivor):
            step += 1
    assert step > 20
