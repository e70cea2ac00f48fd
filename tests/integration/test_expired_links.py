"""An invitation that ended at the provider before it was used: the page gets another, three times at most."""

from typing import Any

import httpx
import pytest

from service.domain.model import SessionId
from tests.support.services import RunningServices
from tests.support.streams import EventStream
from tests.support.users import FramePage, TopPage, User


class Expired:
    """The provider's list calls these invitations expired; with `all_of_them`, every one that is active."""

    def __init__(self, services: RunningServices, *, all_of_them: bool = False) -> None:
        self._all = all_of_them
        self._ids: set[str] = set()
        services.outgoing.reshape = self
        self._services = services

    async def expire(self, page: FramePage | TopPage) -> None:
        stored = await self._services.parts.store.sessions.get(SessionId(page.id))
        assert stored.link is not None
        self._ids.add(stored.link.invitation_id or "")

    def __call__(self, request: httpx.Request, body: Any) -> Any:
        for row in body["invitations"] if "/invitation/company/" in request.url.path else ():
            if row["id"] in self._ids or (self._all and row["status"] == "ACTIVE"):
                row["status"] = "EXPIRED"
        return body


async def of(services: RunningServices, session_id: str) -> set[str]:
    """Every invitation that is kept for the session."""
    return set(await services.parts.store.sessions.invitations(SessionId(session_id)))


async def test_the_page_gets_another_link_and_goes_on(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    before = (await page.view())["link"]["url"]
    await Expired(services).expire(page)
    await services.later(30)
    view = await page.view()
    assert (view["link"]["status"], view["failure"]) == ("ready", None)
    assert view["link"]["url"] not in {before, None}
    assert len(await of(services, page.id)) == 2
    types = await page.event_types()
    assert (types.count("session.link_expired"), types.count("session.link_ready")) == (1, 2)
    await page.connect()
    await page.finish()
    assert (await ada.newest())["evidence"]["kind"] == "invitation"


async def test_nobody_is_left_on_a_dead_page_who_said_to_be_finished(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await Expired(services).expire(page)
    await page.finish()
    await services.later(5)
    view = await page.view()
    assert (view["link"]["status"], view["finished"], view["confirming"]) == ("ready", False, False)


async def test_until_the_next_link_is_there_the_page_is_told_that_there_is_none(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()

    def no_more(request: httpx.Request) -> httpx.Response | None:
        is_creation = request.method == "POST" and "/invitation/" in request.url.path
        return httpx.Response(500, json={}) if is_creation else None

    async with EventStream(services, page) as stream:
        services.outgoing.instead = no_more
        await Expired(services).expire(page)
        await services.later(30)
        ended = (await stream.until("session.link_expired"))[-1].data["view"]
        assert (ended["link"]["status"], ended["link"]["url"]) == ("pending", None)
        services.outgoing.instead = lambda _request: None
        await services.later(10)
        ready = (await stream.until("session.link_ready"))[-1].data["view"]
        assert ready["link"]["url"].startswith("http://127.0.0.1:9000/p/i/")


async def test_a_page_without_scripts_shows_the_new_link(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    before = (await page.view())["link"]["url"]
    assert before in (await page.get()).text
    await Expired(services).expire(page)
    await services.later(30)
    after = await page.get()
    assert before not in after.text
    assert (await page.view())["link"]["url"] in after.text


async def test_after_three_more_the_session_fails_and_can_be_renewed(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    Expired(services, all_of_them=True)
    for _ in range(20):
        await page.post("heartbeat")
        await services.later(20)
    stored = await page.stored()
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "link_expired"})
    assert len(await of(services, page.id)) == 4
    services.outgoing.reshape = None
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.later(60)
    renewed = await page.stored()
    assert (renewed.get("failure"), renewed["link"]["status"]) == (None, "ready")


@pytest.mark.parametrize("created", [[], None])
async def test_an_unexplained_use_gives_no_fresh_link(services: RunningServices, ada: User, created: Any) -> None:
    page = await ada.frame()

    def used(request: httpx.Request, body: Any) -> Any:
        for row in body["invitations"] if "/invitation/company/" in request.url.path else ():
            row |= {"status": "EXPIRED", "useCount": 1, "createdConnections": created}
        return body

    services.outgoing.reshape = used
    await services.later(60)
    assert len(await of(services, page.id)) == 1
    assert "session.link_expired" not in await page.event_types()


async def test_nothing_is_replaced_once_the_sessions_own_time_is_over(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=60)
    await Expired(services).expire(page)
    services.clock.advance(61)
    await page.post("heartbeat")
    await services.later(30)
    assert len(await of(services, page.id)) == 1


async def test_a_company_whose_link_is_being_replaced_is_polled_for_ever(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    services.outgoing.instead = lambda request: (
        httpx.Response(500, json={}) if request.method == "POST" and "/invitation/" in request.url.path else None
    )
    await Expired(services).expire(page)
    await services.later(30)
    await services.later(86400)
    polls = services.outgoing.made("GET /connection")
    await services.later(86400)
    assert services.outgoing.made("GET /connection") > polls
