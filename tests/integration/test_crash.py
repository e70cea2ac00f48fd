"""The process dies between the provider's answer and our commit, and the next one on the same database goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.people import FramePage, User
from tests.support.sandbox_client import Wire
from tests.support.services import Hook, RunningServices

LEASE = 91
CREATIONS = ["/company", "/site", "/invitation/company/"]


def stops_at(method: str, part: str) -> tuple[Hook, asyncio.Event]:
    """A hook that never returns from this call, and the event that tells that it was reached."""
    reached = asyncio.Event()

    async def hook(request: httpx.Request) -> None:
        path = request.url.path
        if request.method == method and (path.endswith(part) or (part.endswith("/") and part in path)):
            reached.set()
            await asyncio.Event().wait()

    return hook, reached


@asynccontextmanager
async def dying(street: RunningServices, when: str, method: str, part: str) -> AsyncIterator[None]:
    """Work until this call is just about to be made, or was just answered, and die there."""
    hook, reached = stops_at(method, part)
    setattr(street.outgoing, when, hook)
    work = asyncio.create_task(street.services.worker.run_until_idle())
    async with asyncio.timeout(5):
        await reached.wait()
    await street.die()
    work.cancel()
    await asyncio.wait([work])
    yield


async def invitations(street: RunningServices, company: str) -> list[Wire]:
    listed: Any = await street.sandbox.get(f"/invitation/company/{company}")
    rows: list[Wire] = listed["invitations"] if isinstance(listed, dict) else listed
    return rows


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", CREATIONS)
async def test_whatever_was_being_created_exists_once_in_the_end(
    street: RunningServices, ada: User, part: str, when: str
) -> None:
    made = await street.post("/v1/sessions", ada.wants(expiresIn=86400))
    async with dying(street, when, "POST", part):
        for _ in range(5):
            await street.later(LEASE)
    (company,) = await street.sandbox.get("/company")
    assert [site["externalId"] for site in company["sites"]] == ["hq"]
    stored = await street.get(f"/v1/sessions/{made['id']}")
    assert stored["link"]["status"] == "ready"
    assert stored["company"]["id"] == company["id"]
    rows = await invitations(street, company["id"])
    assert [row["status"] for row in rows].count("ACTIVE") == 1
    page = FramePage(street, made)
    await page.start()
    await page.connect()
    assert (await page.finish())["status"] == "connected"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_hundred_sessions_that_waited_for_one_company_get_the_same(
    street: RunningServices, ada: User, when: str
) -> None:
    bodies = [street.host.post("/v1/sessions", json=ada.wants(expiresIn=86400)) for _ in range(100)]
    await asyncio.gather(*bodies)
    async with dying(street, when, "POST", "/company"):
        for _ in range(5):
            await street.later(LEASE)
    (company,) = await street.sandbox.get("/company")
    rows = await street.rows("/v1/sessions", limit=100)
    assert {row["company"]["id"] for row in rows} == {company["id"]}
    assert {row["link"]["status"] for row in rows} == {"ready"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", ["/connection", "/invitation/company/"])
async def test_a_reading_that_was_interrupted_is_made_again_and_records_once(
    street: RunningServices, ada: User, part: str, when: str
) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()
    await page.post("finished")
    async with dying(street, when, "GET", part):
        assert await ada.connections() == []
        await street.later(LEASE)
    assert (await ada.newest())["sessionId"] == page.id
    assert (await page.told()).count("connection.recorded") == 1
    assert (await page.stored())["status"] == "connected"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_withdrawal_that_was_interrupted_is_made_again(street: RunningServices, ada: User, when: str) -> None:
    page = await ada.frame()
    company = (await page.stored())["company"]["id"]
    await street.post(f"/v1/sessions/{page.id}/revoke")
    async with dying(street, when, "POST", "/revoke"):
        await street.later(LEASE)
    assert [row["status"] for row in await invitations(street, company)] == ["REVOKED"]


async def test_a_page_goes_on_in_the_next_process_with_its_key(street: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await street.die()
    assert (await page.view())["link"]["url"]
    assert (await page.post("heartbeat")).status_code == 204
    await page.connect()
    assert (await page.finish())["status"] == "connected"


async def test_everything_that_was_answered_is_still_there(street: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    before = await street.rows("/v1/events", limit=100)
    await street.die()
    assert await ada.newest() == connection
    assert await street.rows("/v1/events", limit=100) == before


async def test_an_idempotency_key_outlives_the_process(street: RunningServices, ada: User) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await street.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    await street.die()
    again = await street.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())


async def test_a_call_that_waited_for_its_link_when_the_process_died_can_be_repeated(
    street: RunningServices, ada: User
) -> None:
    hook, reached = stops_at("POST", "/company")
    street.outgoing.after = hook
    headers, body = {"Idempotency-Key": "k"}, ada.wants(prepare="now", expiresIn=86400)
    waiting = asyncio.create_task(street.host.post("/v1/sessions", json=body, headers=headers))
    async with asyncio.timeout(5):
        await reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    await street.die()
    for _ in range(3):
        await street.later(LEASE)
    answer = await street.host.post("/v1/sessions", json=body, headers=headers)
    assert (answer.status_code, answer.json()["link"]["status"]) == (201, "ready")
    assert len(await street.sandbox.get("/company")) == 1
