"""Two processes, or one that woke up late, in the middle of each other's work: nothing is undone or done twice."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

import pytest

from service.ledger import Changes, Ledger
from service.model import InvitationId, Session, SessionId, SessionStatus
from tests.clock import Clock
from tests.integration.houses import Street
from tests.integration.people import Someone

_MEANWHILE_SECONDS = 0.5  # long enough for a write that nothing holds up


@pytest.fixture
async def wide(clock: Clock, postgres_url: str) -> AsyncIterator[Street]:
    """A street whose service keeps its rows in PostgreSQL."""
    opened = Street(clock, postgres_url)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_look_at_the_provider_does_not_undo_what_a_host_does_meanwhile(wide: Street) -> None:
    page = await Someone(wide, "ada").frame()
    wired, loop = wide.wired, asyncio.get_running_loop()
    session = await wired.store.sessions.get(SessionId(page.id))
    meanwhile: list[Future[Session]] = []

    def decide(ledger: Ledger) -> Changes:
        revoke = wired.sessions.revoke(session.tenant, session.id)
        meanwhile.append(asyncio.run_coroutine_threadsafe(revoke, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        return Changes(sessions=(replace(ledger.sessions[session.id], status=SessionStatus.CONNECTED),))

    named = {InvitationId(one) for one in await wired.store.sessions.invitations(session.id)}
    await wired.store.connections.settle(session.company.ref, [], named, decide)
    await asyncio.wrap_future(meanwhile[0])
    assert (await page.stored())["status"] == "revoked"
