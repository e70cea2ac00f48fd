"""A provider whose links are not on the configured pages: permanent, with a code of its own, and nothing is left."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.domain.model import SessionId
from tests.support.clock import Clock
from tests.support.services import RunningServices, refused
from tests.support.shown_text import shown_text
from tests.support.users import FramePage, User


@pytest.fixture
async def foreign(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    opened = RunningServices(clock, database_url, provider_pages_url="https://dash.example.com")
    await opened.open()
    yield opened
    await opened.close()


async def invitations(services: RunningServices) -> list[str]:
    (company,) = await services.sandbox.get("/company")
    listed = await services.sandbox.get(f"/invitation/company/{company['id']}")
    return [row["status"] for row in (listed["invitations"] if isinstance(listed, dict) else listed)]


async def test_the_session_fails_and_its_one_invitation_is_revoked(foreign: RunningServices) -> None:
    session = await User(foreign, "ada").session()
    for _ in range(5):
        await foreign.later(30)
    stored = await foreign.get(f"/v1/sessions/{session['id']}")
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "link_refused"})
    assert await invitations(foreign) == ["REVOKED"]


async def test_a_magic_link_is_asked_for_once(foreign: RunningServices) -> None:
    session = await User(foreign, "ada").session(link="magic_link")
    await foreign.later(300)
    assert (await foreign.get(f"/v1/sessions/{session['id']}"))["failure"] == {"code": "link_refused"}
    assert foreign.outgoing.made("POST /link") == 1


async def test_a_host_that_waits_hears_that_the_provider_failed(foreign: RunningServices) -> None:
    answer = await foreign.host.post("/v1/sessions", json=User(foreign, "ada").wants(prepare="now"))
    refused(answer, 502, "provider_error")
    (row,) = await foreign.rows("/v1/sessions")
    assert row["failure"] == {"code": "link_refused"}


async def test_an_invitation_that_cannot_be_revoked_at_once_is_revoked_later_and_not_made_again(
    foreign: RunningServices,
) -> None:
    until = foreign.clock.now() + 30

    def broken(request: httpx.Request) -> httpx.Response | None:
        is_broken = request.url.path.endswith("/revoke") and foreign.clock.now() < until
        return httpx.Response(500, json={}) if is_broken else None

    foreign.outgoing.instead = broken
    page = FramePage(foreign, await User(foreign, "ada").session())
    assert (await page.stored())["failure"] == {"code": "link_refused"}
    for _ in range(5):
        await foreign.later(30)
    assert await invitations(foreign) == ["REVOKED"]


def only_answer(services: RunningServices, body: Any) -> None:
    """Every creation of an invitation is carried out, and answered with this."""

    async def keep(request: httpx.Request) -> None:
        is_creation = request.method == "POST" and "/invitation/company/" in request.url.path
        services.outgoing.answer_with = body if is_creation else None

    services.outgoing.before = keep


@pytest.mark.parametrize(
    "body", [{"token": "tok"}, {"id": None, "token": "tok"}, {"id": 5, "token": "t"}, [], "made", 7]
)
async def test_an_answer_without_an_id_fails_the_session_and_what_was_made_is_found_and_revoked(
    services: RunningServices, ada: User, body: Any
) -> None:
    only_answer(services, body)
    page = FramePage(services, await ada.session())
    for _ in range(8):
        await services.later(30)
    stored = await page.stored()
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "link_refused"})
    assert await invitations(services) == ["REVOKED"]


async def test_an_answer_that_names_the_invitation_of_another_session_fails_this_one_and_leaves_the_other(
    services: RunningServices, ada: User, bob: User
) -> None:
    first = await ada.frame()
    stored = await services.parts.store.sessions.get(SessionId(first.id))
    assert stored.link is not None
    only_answer(services, {"id": stored.link.invitation_id, "token": "tok"})
    session = await bob.session()
    for _ in range(8):
        await services.later(30)
    second = await services.get(f"/v1/sessions/{session['id']}")
    assert (second["status"], second["failure"]) == ("failed", {"code": "link_refused"})
    assert services.outgoing.made(f"POST /invitation/company/{second['company']['id']}") == 2
    assert (await first.view())["link"]["status"] == "ready"


@pytest.mark.parametrize("body", [[], {}, None, {"magicLinkUrl": 5}])
async def test_a_magic_link_that_cannot_be_read_is_asked_for_once(
    services: RunningServices, ada: User, body: Any
) -> None:
    def unread(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json=body) if request.url.path.endswith("/link") else None

    services.outgoing.instead = unread
    page = FramePage(services, await ada.session(link="magic_link"))
    await services.later(300)
    assert (await page.stored())["failure"] == {"code": "link_refused"}
    assert services.outgoing.made("POST /link") == 1


async def test_a_page_without_scripts_says_that_a_link_which_is_no_longer_on_the_providers_pages_is_refused(
    clock: Clock, database_url: str, services: RunningServices, ada: User
) -> None:
    page = await ada.browser()
    await services.close()
    changed = RunningServices(clock, database_url, provider_pages_url="https://dash.example.com")
    await changed.open()
    async with changed.web() as http:
        http.cookies = page.http.cookies
        shown = shown_text((await http.get(page.path, headers={"Accept": "text/html"})).text)
    await changed.close()
    assert "The secure page is not available." in shown
    assert "link_refused" in shown
    assert "Your secure page is ready." not in shown
