"""Two processes, or one that woke up late, in the middle of each other's work: nothing is undone or done twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest

from service.app import Wired, World, create_app
from service.connections import Connections
from service.errors import ProviderTimeout
from service.ledger import ANSWER_SECONDS, Changes, Ledger, WorkKind
from service.links import invitation_seconds
from service.model import (
    InvitationId,
    ProviderCompanyId,
    Session,
    SessionId,
    SessionStatus,
)
from service.provider import Pace
from service.sessions import Outside
from service.store.companies import Begun
from tests.clock import Clock
from tests.integration.houses import Street
from tests.integration.people import FramePage, Someone
from tests.support.sandbox_client import Wire
from tests.support.sandbox_person import Person

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


@asynccontextmanager
async def other_process(street: Street) -> AsyncIterator[Wired]:
    """A second process of the service on the same database."""
    pace = Pace(monotonic=street.clock.now, sleep=asyncio.sleep)
    world = World(street.clock.now, street.clock.now, transport=street.outgoing, pace=pace, background=False)
    app = create_app(street.settings, world)
    async with app.router.lifespan_context(app):
        yield app.state.wired


def once(street: Street, call: str, act: Callable[[], Awaitable[object]]) -> None:
    """Do this when the provider has answered such a call for the first time, and before we read the answer."""

    async def after(request: httpx.Request) -> None:
        if re.fullmatch(call, f"{request.method} {request.url.path}"):
            street.outgoing.after = None
            await act()

    street.outgoing.after = after


async def test_a_company_that_another_process_makes_while_we_look_for_it_is_not_made_twice(
    street: Street, ada: Someone, bob: Someone
) -> None:
    hers, his = [await street.post("/v1/sessions", one.wants()) for one in (ada, bob)]
    async with other_process(street) as other:
        once(street, "GET /v2.2/company", lambda: other.links.prepare(his["id"]))
        await street.wired.links.prepare(hers["id"])
    assert (street.outgoing.made("POST /v2.2/company"), street.outgoing.made("POST /site")) == (1, 1)
    made = [await street.get(f"/v1/sessions/{one['id']}") for one in (hers, his)]
    assert made[0]["company"] == made[1]["company"]
    assert [one["link"]["status"] for one in made] == ["ready", "ready"]


async def test_a_site_that_another_process_makes_while_we_look_for_it_is_not_made_twice(
    street: Street, ada: Someone, bob: Someone
) -> None:
    await ada.session()
    street.outgoing.calls.clear()
    mill = [{"externalId": "mill", "name": "Mill"}]
    hers, his = [await street.post("/v1/sessions", one.wants(sites=mill)) for one in (ada, bob)]
    async with other_process(street) as other:
        once(street, "GET /v2.2/company/.*", lambda: other.links.prepare(his["id"]))
        await street.wired.links.prepare(hers["id"])
    assert street.outgoing.made("POST /site") == 1
    made = [await street.get(f"/v1/sessions/{one['id']}") for one in (hers, his)]
    assert made[0]["sites"] == made[1]["sites"]


async def test_a_company_that_was_named_keeps_its_name_whatever_a_late_process_says(
    street: Street, ada: Someone
) -> None:
    session = await street.wired.store.sessions.get((await ada.session())["id"])
    named = await street.wired.store.companies.named(session.company.ref, Begun(ProviderCompanyId("another"), 0.0))
    assert named == session.company


async def test_every_creation_whose_answer_was_lost_is_waited_for_not_only_the_first(
    street: Street, ada: Someone
) -> None:
    async def lose(request: httpx.Request) -> None:
        if (request.method, request.url.path) == ("POST", "/v2.2/company"):
            raise httpx.ReadTimeout("lost", request=request)

    street.outgoing.before = lose
    await ada.session()
    for seconds, calls in ((60, 1), (61, 2), (30, 2), (60, 2), (60, 3)):
        await street.later(seconds)
        assert street.outgoing.made("POST /v2.2/company") == calls


async def works(street: Street, page: FramePage) -> bool:
    """Whether the provider's page behind the session's link opens."""
    person = Person(street.sandbox)
    await person.open((await page.view())["link"]["url"])
    return person.last.status_code == 200


async def active(street: Street, session: Wire) -> int:
    """How many invitations of the session's company can be used."""
    company = (await street.get(f"/v1/sessions/{session['id']}"))["company"]["id"]
    listed = await street.wired.provider.invitations(ProviderCompanyId(company))
    return sum(one.status == "ACTIVE" for one in listed)


async def test_a_late_process_takes_no_link_away_and_leaves_none_behind(street: Street, ada: Someone) -> None:
    made = await street.post("/v1/sessions", ada.wants())
    asked, given = asyncio.Event(), asyncio.Event()
    late: list[asyncio.Task[Session]] = []
    async with other_process(street) as other:

        async def after(request: httpx.Request) -> None:
            if request.method != "POST" or "/invitation/company/" not in request.url.path:
                return
            if late:
                asked.set()
                await given.wait()
            else:
                late.append(asyncio.create_task(other.links.prepare(made["id"])))
                await asked.wait()

        street.outgoing.after = after
        await street.wired.links.prepare(made["id"])
        given.set()
        await late[0]
    page = FramePage(street, made)
    await page.start()
    assert await works(street, page)
    assert await active(street, made) == 1


async def test_a_lost_invitation_is_not_mistaken_for_that_of_another_session(
    street: Street, ada: Someone, bob: Someone
) -> None:
    page, sessions = await ada.frame(), street.wired.store.sessions
    theirs = await street.post("/v1/sessions", bob.wants())
    hers, his = await sessions.get(SessionId(page.id)), await sessions.get(theirs["id"])
    same = replace(his, expires_at=his.expires_at + invitation_seconds(hers) - invitation_seconds(his))
    await sessions.change(his.id, lambda _: Changes(sessions=(same,)))

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation/" in request.url.path:
            raise httpx.ReadTimeout("lost", request=request)

    street.outgoing.before = lose
    with pytest.raises(ProviderTimeout):
        await street.wired.links.prepare(his.id)
    street.outgoing.before = None
    await street.wired.links.prepare(his.id)
    for _ in range(4):
        await street.later(ANSWER_SECONDS)
    assert await works(street, page)
    assert await active(street, theirs) == 2


async def test_a_withdrawal_that_comes_late_spares_the_link_of_the_renewed_session(
    street: Street, ada: Someone
) -> None:
    made = await street.post("/v1/sessions", ada.wants(expiresIn=60))

    street.clock.advance(50)

    async def expire() -> None:
        street.clock.advance(20)
        await street.wired.sessions.expire(made["id"])

    once(street, "POST .*/invitation/company/.*", expire)
    await street.wired.links.prepare(made["id"])
    page = FramePage(street, await street.post(f"/v1/sessions/{made['id']}/renew"))
    await street.wired.links.prepare(made["id"])
    await street.wired.links.withdraw(made["id"])
    await page.start()
    assert await works(street, page)
    assert await active(street, made) == 1


async def test_a_look_that_waits_for_anothers_ends_even_where_that_one_was_the_last(
    street: Street, ada: Someone
) -> None:
    store = street.wired.store
    ref = (await store.sessions.get(SessionId((await ada.session())["id"]))).company.ref
    work = [await store.work.claim_one(WorkKind.RECONCILE, ref, 90.0)]
    waits = 0

    async def sleep(_seconds: float) -> None:
        nonlocal waits
        waits += 1
        assert waits < 5, "it waits for ever"
        for _ in range(2):
            if work[-1] is not None:
                await store.work.done(work[-1])
            work.append(await store.work.claim_one(WorkKind.RECONCILE, ref, 90.0))
        if work[-1] is not None:
            await store.work.done(work[-1])

    outside = Outside(street.clock.now, new_id=lambda kind: kind, sleep=sleep)
    street.outgoing.calls.clear()
    await Connections(store, street.wired.provider, outside).look_now(ref, 5.0)
    assert street.outgoing.made("GET /connection") == 1


async def test_two_processes_that_miss_a_connection_at_once_do_not_take_it_for_gone(
    street: Street, ada: Someone
) -> None:
    connection = await ada.connected()
    session = await street.wired.store.sessions.get(SessionId(connection["sessionId"]))
    await street.sandbox.plain("DELETE", f"/_control/connections/{connection['id']}")
    async with other_process(street) as other:
        once(street, "GET .*/details", lambda: other.connections.reconcile(session.company.ref))
        await street.wired.connections.reconcile(session.company.ref)
    assert (await ada.newest())["status"] == "CONNECTED"
    assert "connection.removed" not in await street.told()
