"""A provider that is still catching up: 404 or 403 on what was created a moment ago is retried, never a refusal."""

from typing import Any

import httpx
import pytest

from tests.support.services import RunningServices, refused
from tests.support.users import User


class CatchingUp:
    """For so long after a company was created, every call that names it is answered like an unknown id."""

    def __init__(self, services: RunningServices, seconds: float, status: int) -> None:
        self._services = services
        self._status = status
        self._until = services.clock.now() + seconds

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        names_one = request.url.path.rpartition("/company/")[2] not in {"", request.url.path}
        if not names_one or self._services.clock.now() >= self._until:
            return None
        now = {"date": httpx.Response(200).headers.get("date", "")}
        return httpx.Response(self._status, headers=now, json={"detail": "Not found."})


@pytest.mark.parametrize("status", [404, 403])
@pytest.mark.parametrize("link", ["auto", "magic_link"])
async def test_a_company_created_moments_ago_is_waited_for(
    services: RunningServices, ada: User, status: int, link: str
) -> None:
    services.outgoing.instead = CatchingUp(services, 20, status)
    session = await ada.session(link=link)
    assert (await services.get(f"/v1/sessions/{session['id']}"))["status"] == "created"
    for _ in range(12):
        await services.later(10)
    stored = await services.get(f"/v1/sessions/{session['id']}")
    kind = "magic_link" if link == "magic_link" else "invitation"
    assert (stored["status"], stored["link"]) == ("created", {"kind": kind, "status": "ready"})
    assert len(await services.sandbox.get("/company")) == 1


async def test_a_company_that_is_gone_for_long_is_a_refusal(services: RunningServices, ada: User) -> None:
    await ada.session()
    await services.later(3600)
    services.outgoing.instead = CatchingUp(services, 3600, 404)
    session = await ada.session()
    stored = await services.get(f"/v1/sessions/{session['id']}")
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "provider_refused"})


async def test_a_provider_without_invitations_is_believed_where_it_knows_the_company(
    services: RunningServices, ada: User
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(404, json={}) if request.url.path.count("/invitation/") else None

    services.outgoing.instead = refuse
    session = await ada.session()
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"] == {"kind": "magic_link", "status": "ready"}


class NotFoundFor:
    """Answers 404 (or 403) to calls of a method whose path has this word, for so long."""

    def __init__(self, services: RunningServices, seconds: float, *words: str, status: int = 404) -> None:
        self._clock, self._until, self._words, self._status = services.clock, 0.0, words, status
        self._until = services.clock.now() + seconds

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        call = f"{request.method} {request.url.path}"
        if self._clock.now() >= self._until or not any(word in call for word in self._words):
            return None
        return httpx.Response(self._status, json={"detail": "Not found."})


@pytest.mark.parametrize("status", [404, 403])
async def test_a_connection_found_moments_ago_can_be_reconnected_as_soon_as_the_provider_knows_it(
    services: RunningServices, ada: User, status: int
) -> None:
    connection = await ada.connected()
    path = f"/connection/{connection['id']}"
    services.outgoing.instead = NotFoundFor(services, 20, path, status=status)
    session = await services.post(f"/v1/connections/{connection['id']}/reconnect")
    await services.drain()
    assert (await services.get(f"/v1/sessions/{session['id']}"))["status"] == "created"
    for _ in range(6):
        await services.later(10)
    stored = await services.get(f"/v1/sessions/{session['id']}")
    assert stored["link"] == {"kind": "invitation", "status": "ready"}


async def test_a_connection_known_for_long_that_is_gone_is_a_refusal(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await services.later(600)
    services.outgoing.instead = NotFoundFor(services, 600, f"/connection/{connection['id']}")
    session = await services.post(f"/v1/connections/{connection['id']}/reconnect")
    await services.drain()
    stored = await services.get(f"/v1/sessions/{session['id']}")
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "provider_refused"})


async def test_a_site_created_moments_ago_is_waited_for(services: RunningServices, ada: User) -> None:
    await ada.session()
    await services.later(3600)
    until = services.clock.now() + 20

    def without_sites(request: httpx.Request, body: Any) -> Any:
        is_company = "/company/" in request.url.path and isinstance(body, dict) and "sites" in body
        return body | {"sites": []} if is_company and services.clock.now() < until else body

    services.outgoing.reshape = without_sites
    services.outgoing.instead = NotFoundFor(services, 20, "POST /v2.2/invitation/", "/link")
    session = await ada.session(sites=[{"externalId": "mill", "name": "Mill"}])
    assert (await services.get(f"/v1/sessions/{session['id']}"))["status"] == "created"
    for _ in range(6):
        await services.later(10)
    stored = await services.get(f"/v1/sessions/{session['id']}")
    assert stored["link"] == {"kind": "invitation", "status": "ready"}
    (company,) = await services.sandbox.get("/company")
    assert [site["name"] for site in company["sites"]].count("Mill") == 1


async def test_an_invitation_that_the_provider_does_not_know_yet_is_revoked_later(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    services.outgoing.instead = NotFoundFor(services, 5, "/revoke")
    await services.post(f"/v1/sessions/{page.id}/revoke")
    for _ in range(3):
        await services.later(10)
    (company,) = await services.sandbox.get("/company")
    listed = await services.sandbox.get(f"/invitation/company/{company['id']}")
    assert [one["status"] for one in listed["invitations"]] == ["REVOKED"]


async def test_documents_of_a_connection_found_moments_ago_are_asked_for_again(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    services.outgoing.instead = NotFoundFor(services, 20, "document")
    refused(await services.host.get(f"/v1/connections/{connection['id']}/documents"), 502, "provider_error")
    for _ in range(6):
        await services.later(10)
    assert "document.available" in await services.event_types()


async def test_a_webhook_about_a_connection_that_the_provider_does_not_show_yet_is_processed_later(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await services.later(700)
    services.outgoing.instead = NotFoundFor(services, 3, "/details")
    await page.connect()
    polls = services.outgoing.made("GET /connection")
    await services.sandbox.deliver_webhooks()
    await services.drain()
    services.outgoing.instead = lambda _request: None
    await services.later(5)
    assert services.outgoing.made("GET /connection") > polls
