"""Two processes, or one that woke up late, in the middle of each other's work: nothing is undone or done twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest

from service.app import Environment, Services, create_app
from service.domain.changes import Changes, CompanyBaseline, CompanyRecords, JobKind
from service.domain.model import InvitationId, ProviderCompanyId, Session, SessionId
from service.domain.session_status import SessionStatus
from service.domain.timing import ANSWER_SECONDS
from service.errors import ProviderTimeout
from service.provider import CallLimits
from service.usecases.withdrawals import invitation_seconds
from service.worker import Handler, Worker
from tests.support.clock import Clock
from tests.support.domain_values import with_status
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import FramePage, User

_MEANWHILE_SECONDS = 0.5  # long enough for a write that nothing holds up


@pytest.fixture
async def services_on_postgresql(clock: Clock, migrated_postgres_url: str) -> AsyncIterator[RunningServices]:
    """The services on PostgreSQL."""
    opened = RunningServices(clock, migrated_postgres_url)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_poll_does_not_undo_what_a_host_does_meanwhile(services_on_postgresql: RunningServices) -> None:
    page = await User(services_on_postgresql, "ada").frame()
    parts, loop = services_on_postgresql.parts, asyncio.get_running_loop()
    session = await parts.store.sessions.get(SessionId(page.id))
    meanwhile: list[Future[object]] = []

    def decide(records: CompanyRecords) -> Changes:
        revoke = parts.sessions.revoke(session.tenant, session.id)
        meanwhile.append(asyncio.run_coroutine_threadsafe(revoke, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        return Changes(sessions=(with_status(records.sessions[session.id], SessionStatus.CONNECTED),))

    named = {InvitationId(one) for one in await parts.store.sessions.invitations(session.id)}
    await parts.store.connections.change(session.company.ref, [], named, decide)
    await asyncio.wrap_future(meanwhile[0])
    assert (await page.stored())["status"] == "revoked"


@asynccontextmanager
async def other_process(services: RunningServices) -> AsyncIterator[Services]:
    """A second process of the service on the same database."""
    limits = CallLimits(monotonic=services.clock.now, sleep=asyncio.sleep)
    environment = Environment(
        services.clock.now, services.clock.now, transport=services.outgoing, limits=limits, background=False
    )
    app = create_app(services.settings, environment)
    async with app.router.lifespan_context(app):
        yield app.state.services


def once(services: RunningServices, call: str, act: Callable[[], Awaitable[object]]) -> None:
    """Do this when the provider has answered such a call for the first time, and before we read the answer."""

    async def after(request: httpx.Request) -> None:
        if re.fullmatch(call, f"{request.method} {request.url.path}"):
            services.outgoing.after = None
            await act()

    services.outgoing.after = after


async def test_a_company_that_another_process_creates_while_we_search_is_not_created_twice(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, his = [await services.post("/v1/sessions", one.wants()) for one in (ada, bob)]
    async with other_process(services) as other:
        once(services, "GET /v2.2/company", lambda: other.links.prepare(his["id"]))
        await services.parts.links.prepare(hers["id"])
    assert (services.outgoing.made("POST /v2.2/company"), services.outgoing.made("POST /site")) == (1, 1)
    made = [await services.get(f"/v1/sessions/{one['id']}") for one in (hers, his)]
    assert made[0]["company"] == made[1]["company"]
    assert [one["link"]["status"] for one in made] == ["ready", "ready"]


async def test_a_site_that_another_process_creates_while_we_search_is_not_created_twice(
    services: RunningServices, ada: User, bob: User
) -> None:
    await ada.session()
    services.outgoing.calls.clear()
    mill = [{"externalId": "mill", "name": "Mill"}]
    hers, his = [await services.post("/v1/sessions", one.wants(sites=mill)) for one in (ada, bob)]
    async with other_process(services) as other:
        once(services, "GET /v2.2/company/.*", lambda: other.links.prepare(his["id"]))
        await services.parts.links.prepare(hers["id"])
    assert services.outgoing.made("POST /site") == 1
    made = [await services.get(f"/v1/sessions/{one['id']}") for one in (hers, his)]
    assert made[0]["sites"] == made[1]["sites"]


async def test_a_company_that_was_named_keeps_its_name_whatever_a_late_process_says(
    services: RunningServices, ada: User
) -> None:
    session = await services.parts.store.sessions.get((await ada.session())["id"])
    named = await services.parts.store.companies.set_provider_id(
        session.company.ref, CompanyBaseline(ProviderCompanyId("another"), 0.0)
    )
    assert named == session.company


async def test_every_intent_whose_answer_was_lost_is_searched_for_not_only_the_first(
    services: RunningServices, ada: User
) -> None:
    async def lose(request: httpx.Request) -> None:
        if (request.method, request.url.path) == ("POST", "/v2.2/company"):
            raise httpx.ReadTimeout("lost", request=request)

    services.outgoing.before = lose
    await ada.session()
    for seconds, calls in ((60, 1), (61, 2), (30, 2), (60, 2), (60, 3)):
        await services.later(seconds)
        assert services.outgoing.made("POST /v2.2/company") == calls


async def works(services: RunningServices, page: FramePage) -> bool:
    """Whether the provider's page behind the session's link opens."""
    user = ProviderUser(services.sandbox)
    await user.open((await page.view())["link"]["url"])
    return user.last.status_code == 200


async def active(services: RunningServices, session: JsonObject) -> int:
    """How many invitations of the session's company can be used."""
    company = (await services.get(f"/v1/sessions/{session['id']}"))["company"]["id"]
    listed = await services.parts.provider.links.invitations(ProviderCompanyId(company))
    return sum(one.status == "ACTIVE" for one in listed)


async def test_a_late_process_takes_no_link_away_and_leaves_none_behind(services: RunningServices, ada: User) -> None:
    made = await services.post("/v1/sessions", ada.wants())
    asked, given = asyncio.Event(), asyncio.Event()
    late: list[asyncio.Task[Session]] = []
    async with other_process(services) as other:

        async def after(request: httpx.Request) -> None:
            if request.method != "POST" or "/invitation/company/" not in request.url.path:
                return
            if late:
                asked.set()
                await given.wait()
            else:
                late.append(asyncio.create_task(other.links.prepare(made["id"])))
                await asked.wait()

        services.outgoing.after = after
        await services.parts.links.prepare(made["id"])
        given.set()
        await late[0]
    page = FramePage(services, made)
    await page.start()
    assert await works(services, page)
    assert await active(services, made) == 1


async def test_a_lost_invitation_is_not_mistaken_for_that_of_another_session(
    services: RunningServices, ada: User, bob: User
) -> None:
    page, sessions = await ada.frame(), services.parts.store.sessions
    theirs = await services.post("/v1/sessions", bob.wants())
    hers, his = await sessions.get(SessionId(page.id)), await sessions.get(theirs["id"])
    same = replace(his, expires_at=his.expires_at + invitation_seconds(hers) - invitation_seconds(his))
    await sessions.change(his.id, lambda _: Changes(sessions=(same,)))

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation/" in request.url.path:
            raise httpx.ReadTimeout("lost", request=request)

    services.outgoing.before = lose
    with pytest.raises(ProviderTimeout):
        await services.parts.links.prepare(his.id)
    services.outgoing.before = None
    await services.parts.links.prepare(his.id)
    for _ in range(4):
        await services.later(ANSWER_SECONDS)
    assert await works(services, page)
    assert await active(services, theirs) == 2


async def test_a_withdrawal_that_comes_late_spares_the_link_of_the_renewed_session(
    services: RunningServices, ada: User
) -> None:
    made = await services.post("/v1/sessions", ada.wants(expiresIn=60))

    services.clock.advance(50)

    async def expire() -> None:
        services.clock.advance(20)
        await services.parts.sessions.expire(made["id"])

    once(services, "POST .*/invitation/company/.*", expire)
    await services.parts.links.prepare(made["id"])
    page = FramePage(services, await services.post(f"/v1/sessions/{made['id']}/renew"))
    await services.parts.links.prepare(made["id"])
    await services.parts.withdrawals.revoke_invitations(made["id"])
    await page.start()
    assert await works(services, page)
    assert await active(services, made) == 1


async def test_a_poll_that_waits_for_another_ends_even_where_that_one_was_the_last(
    services: RunningServices, ada: User
) -> None:
    store = services.parts.store
    ref = (await store.sessions.get(SessionId((await ada.session())["id"]))).company.ref
    work = [await store.queue.lease_now(JobKind.RECONCILE, ref, 90.0)]
    waits = 0

    async def sleep(_seconds: float) -> None:
        nonlocal waits
        waits += 1
        assert waits < 5, "it waits for ever"
        for _ in range(2):
            if work[-1] is not None:
                await store.queue.complete(work[-1])
            work.append(await store.queue.lease_now(JobKind.RECONCILE, ref, 90.0))
        if work[-1] is not None:
            await store.queue.complete(work[-1])

    reconciliation = services.parts.reconciliation
    services.outgoing.calls.clear()
    handlers: dict[JobKind, Handler] = {JobKind.RECONCILE: lambda job: reconciliation.reconcile(ref, job)}
    await Worker(store, handlers, sleep=sleep).run_now(JobKind.RECONCILE, ref, 5.0)
    assert services.outgoing.made("GET /connection") == 1


async def test_two_processes_that_miss_a_connection_at_once_do_not_take_it_for_gone(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    session = await services.parts.store.sessions.get(SessionId(connection["sessionId"]))
    await services.sandbox.plain("DELETE", f"/_control/connections/{connection['id']}")
    async with other_process(services) as other:
        once(services, "GET .*/details", lambda: other.reconciliation.reconcile(session.company.ref))
        await services.parts.reconciliation.reconcile(session.company.ref)
    assert (await ada.newest())["status"] == "CONNECTED"
    assert "connection.removed" not in await services.event_types()
