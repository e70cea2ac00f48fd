"""The process dies between the provider's answer and our commit, and the next one on the same database goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.domain.model import SessionId
from service.domain.timing import LEASE_SECONDS, POLL_FINISHED_SECONDS
from tests.support.patience import PATIENCE_SECONDS
from tests.support.sandbox_client import JsonObject
from tests.support.services import Hook, RunningServices, refused
from tests.support.users import FramePage, User

LEASE = 91
CREATIONS = ["/company", "/site", "/invitation/company/"]


def stops_at(method: str, part: str) -> tuple[Hook, asyncio.Event]:
    """A hook that never returns from this call, and the event that is set when it was reached."""
    reached = asyncio.Event()

    async def hook(request: httpx.Request) -> None:
        path = request.url.path
        if request.method == method and (path.endswith(part) or (part.endswith("/") and part in path)):
            reached.set()
            await asyncio.Event().wait()

    return hook, reached


@asynccontextmanager
async def dying(services: RunningServices, when: str, method: str, part: str) -> AsyncIterator[None]:
    """Work until this call is just about to be made, or was just answered, and die there."""
    hook, reached = stops_at(method, part)
    setattr(services.outgoing, when, hook)
    work = asyncio.create_task(services.parts.worker.run_until_idle())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    await services.die()
    work.cancel()
    await asyncio.wait([work])
    yield


async def invitations(services: RunningServices, company: str) -> list[JsonObject]:
    listed: Any = await services.sandbox.get(f"/invitation/company/{company}")
    rows: list[JsonObject] = listed["invitations"] if isinstance(listed, dict) else listed
    return rows


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", CREATIONS)
async def test_whatever_was_being_created_exists_once_in_the_end(
    services: RunningServices, ada: User, part: str, when: str
) -> None:
    made = await services.post("/v1/sessions", ada.wants(expiresIn=86400))
    async with dying(services, when, "POST", part):
        for _ in range(5):
            await services.later(LEASE)
    (company,) = await services.sandbox.get("/company")
    assert [site["externalId"] for site in company["sites"]] == ["hq"]
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert stored["link"]["status"] == "ready"
    assert stored["company"]["id"] == company["id"]
    rows = await invitations(services, company["id"])
    assert [row["status"] for row in rows].count("ACTIVE") == 1
    page = FramePage(services, made)
    await page.start()
    await page.connect()
    assert (await page.finish())["status"] == "connected"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_hundred_sessions_that_waited_for_one_company_get_the_same(
    services: RunningServices, ada: User, when: str
) -> None:
    bodies = [services.host.post("/v1/sessions", json=ada.wants(expiresIn=86400)) for _ in range(100)]
    await asyncio.gather(*bodies)
    async with dying(services, when, "POST", "/company"):
        for _ in range(5):
            await services.later(LEASE)
    (company,) = await services.sandbox.get("/company")
    rows = await services.rows("/v1/sessions", limit=100)
    assert {row["company"]["id"] for row in rows} == {company["id"]}
    assert {row["link"]["status"] for row in rows} == {"ready"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", ["/connection", "/invitation/company/"])
async def test_a_poll_that_was_interrupted_is_repeated_and_records_once(
    services: RunningServices, ada: User, part: str, when: str
) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()
    await services.parts.pages.finish(SessionId(page.id), page.key)  # without the poll that its route makes
    services.clock.advance(POLL_FINISHED_SECONDS)
    async with dying(services, when, "GET", part):
        assert await ada.connections() == []
        await services.later(LEASE)
    assert (await ada.newest())["sessionId"] == page.id
    assert (await page.event_types()).count("connection.recorded") == 1
    assert (await page.stored())["status"] == "connected"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_withdrawal_that_was_interrupted_is_made_again(services: RunningServices, ada: User, when: str) -> None:
    page = await ada.frame()
    company = (await page.stored())["company"]["id"]
    await services.post(f"/v1/sessions/{page.id}/revoke")
    async with dying(services, when, "POST", "/revoke"):
        await services.later(LEASE)
    assert [row["status"] for row in await invitations(services, company)] == ["REVOKED"]


async def test_a_page_goes_on_in_the_next_process_with_its_key(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await services.die()
    assert (await page.view())["link"]["url"]
    assert (await page.post("heartbeat")).status_code == 204
    await page.connect()
    assert (await page.finish())["status"] == "connected"


async def test_everything_that_was_answered_is_still_there(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    before = await services.rows("/v1/events", limit=100)
    await services.die()
    assert await ada.newest() == connection
    assert await services.rows("/v1/events", limit=100) == before


async def test_an_idempotency_key_outlives_the_process(services: RunningServices, ada: User) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await services.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    await services.die()
    again = await services.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", CREATIONS)
async def test_a_call_that_waited_for_its_link_when_the_process_died_can_be_repeated(
    services: RunningServices, ada: User, part: str, when: str
) -> None:
    headers, body = {"Idempotency-Key": "k"}, ada.wants(prepare="now", expiresIn=86400)

    async def ask() -> httpx.Response:
        return await services.host.post("/v1/sessions", json=body, headers=headers)

    hook, reached = stops_at("POST", part)
    setattr(services.outgoing, when, hook)
    waiting = asyncio.create_task(ask())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    await services.die()
    refused(await ask(), 409, "idempotency_in_progress")
    services.clock.advance(LEASE_SECONDS)
    answer = await ask()
    while answer.status_code == 502:  # an interrupted creation of a company or site is waited for
        await services.later(60)
        answer = await ask()
    assert (answer.status_code, answer.json()["link"]["status"]) == (201, "ready")
    assert (await ask()).json() == answer.json()
    for _ in range(3):
        await services.later(LEASE)
    rows = await services.rows("/v1/sessions")
    assert [row["id"] for row in rows if row["status"] != "failed"] == [answer.json()["id"]]
    (company,) = await services.sandbox.get("/company")
    listed = await invitations(services, company["id"])
    assert [row["status"] for row in listed].count("ACTIVE") == 1


async def test_a_repeat_after_the_crash_waits_for_the_link_of_the_first_calls_session(
    services: RunningServices, ada: User
) -> None:
    await ada.session()  # the company is known
    headers, body = {"Idempotency-Key": "k"}, ada.wants(prepare="now", expiresIn=86400)
    hook, reached = stops_at("POST", "/invitation/company/")
    services.outgoing.after = hook
    waiting = asyncio.create_task(services.host.post("/v1/sessions", json=body, headers=headers))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    await services.die()
    (first,) = [row for row in await services.rows("/v1/sessions") if row["link"]["status"] == "pending"]
    services.clock.advance(LEASE_SECONDS)
    answer = await services.host.post("/v1/sessions", json=body, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (201, first["id"])
    assert answer.json()["link"]["status"] == "ready"
    assert len(await services.rows("/v1/sessions")) == 2
