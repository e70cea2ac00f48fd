"""Looking ourselves: with webhooks and callback both silent, a connection is found in time, at a price we can name."""

import asyncio

import httpx
import pytest

from tests.support.connection_steps import connect_at
from tests.support.people import FramePage, User
from tests.support.sandbox_person import Person
from tests.support.services import RunningServices
from tests.support.webhooks import send

MINUTE, HOUR, DAY = 60, 3600, 86400


async def seconds_until_found(street: RunningServices, person: User, at_most: int, step: int, page: FramePage) -> int:
    """Let time pass in steps, with the page's heartbeat where it still has one, until the connection is recorded."""
    for passed in range(step, at_most + step, step):
        street.clock.advance(step)
        if page.key is not None:
            await page.post("heartbeat")
        await street.drain()
        if await person.connections():
            return passed
    raise AssertionError(f"nothing was found within {at_most} seconds")


async def test_within_a_minute_while_the_page_is_there(street: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await street.later(30)
    await page.connect()
    assert await seconds_until_found(street, ada, MINUTE, 5, page) <= MINUTE
    assert (await page.view())["status"] == "connected"


async def test_within_a_minute_long_after_the_page_was_opened(street: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=4 * HOUR)
    for _ in range(HOUR // 2 // 20):
        street.clock.advance(20)
        await page.post("heartbeat")
        await street.drain()
    await page.connect()
    assert await seconds_until_found(street, ada, MINUTE, 5, page) <= MINUTE


async def test_within_a_minute_for_ten_minutes_after_the_page_has_gone(street: RunningServices, ada: User) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    page.key = None
    await street.later(9 * MINUTE)
    await connect_at(street, url)
    assert await seconds_until_found(street, ada, MINUTE, 5, page) <= MINUTE


async def test_within_a_quarter_of_an_hour_while_the_session_is_open(street: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=6 * HOUR)
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(60):
        await street.later(MINUTE)
    await connect_at(street, url)
    assert await seconds_until_found(street, ada, 15 * MINUTE, MINUTE, page) <= 15 * MINUTE


async def test_within_a_day_after_the_session_is_over(street: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=MINUTE, link="magic_link")
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(3 * 24):
        await street.later(HOUR)
    assert (await page.stored())["status"] == "expired"
    await connect_at(street, url)
    assert await seconds_until_found(street, ada, DAY, HOUR, page) <= DAY


async def test_within_a_day_even_weeks_later(street: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=MINUTE, link="magic_link")
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(40):
        await street.later(DAY)
    await connect_at(street, url)
    assert await seconds_until_found(street, ada, DAY, HOUR, page) <= DAY


async def test_soon_after_somebody_said_finished(street: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.finish()
    await page.connect()
    assert await seconds_until_found(street, ada, 10, 1, page) <= 5


async def test_a_new_session_of_the_company_looks_at_once(street: RunningServices, ada: User, bob: User) -> None:
    page = await ada.frame(expiresIn=MINUTE)
    url = (await page.view())["link"]["url"]
    person = Person(street.sandbox)
    await person.open(url)
    await person.choose_provider()
    await person.sign_in()
    page.key = None
    await street.later(MINUTE)
    await person.connect()
    await bob.frame()
    await street.later(5)
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_company_is_asked_about_once_however_many_sessions_it_has(street: RunningServices, ada: User) -> None:
    pages = [await ada.frame() for _ in range(10)]
    await street.drain()
    street.outgoing.calls.clear()
    for _ in range(3):
        street.clock.advance(20)
        await asyncio.gather(*(page.post("heartbeat") for page in pages))
        await street.drain()
    assert street.outgoing.made("GET /connection") <= 4


async def test_many_webhooks_of_one_company_are_looked_into_within_its_hourly_budget(
    street: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    await street.later(600)
    street.outgoing.calls.clear()
    for number in range(600):
        told = {"eventType": "connection.updated.v2", "id": connection["id"]}
        assert (await send(street, told, f"msg_{number}")).status_code == 204
        await street.later(6)
    assert 240 <= street.outgoing.made("GET /connection") <= 301


async def test_an_open_session_that_nobody_looks_at_costs_a_few_calls_an_hour(
    street: RunningServices, ada: User
) -> None:
    await ada.frame(expiresIn=DAY)
    for _ in range(60):
        await street.later(MINUTE)
    street.outgoing.calls.clear()
    for _ in range(60):
        await street.later(MINUTE)
    assert 4 <= street.outgoing.made("GET /connection") <= 7


async def test_a_company_whose_sessions_are_over_is_asked_about_daily_for_ever(
    street: RunningServices, ada: User
) -> None:
    await ada.frame(expiresIn=MINUTE)
    for _ in range(48):
        await street.later(HOUR)
    street.outgoing.calls.clear()
    for _ in range(24 * 7):
        await street.later(HOUR)
    assert 6 <= street.outgoing.made("GET /connection") <= 8


async def test_a_session_whose_page_was_never_opened_is_not_asked_about_often(
    street: RunningServices, ada: User
) -> None:
    await ada.session(expiresIn=HOUR)
    street.outgoing.calls.clear()
    for _ in range(60):
        await street.later(MINUTE)
    assert street.outgoing.made("GET /connection") <= 7


async def test_an_hour_of_outage_loses_nothing(street: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=4 * HOUR)
    await page.connect()
    page.key = None
    street.outgoing.is_down = True
    for _ in range(60):
        await street.later(MINUTE)
    street.outgoing.is_down = False
    assert await seconds_until_found(street, ada, 2 * MINUTE, 10, page) <= 2 * MINUTE
    assert (await page.stored())["status"] == "connected"


async def test_a_connection_that_the_provider_has_removed_keeps_its_owner_and_says_so(
    street: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    answer = await street.sandbox.plain("DELETE", f"/_control/connections/{connection['id']}")
    assert answer.status_code == 204
    for _ in range(48):
        await street.later(HOUR)
    after = await ada.newest()
    assert (after["id"], after["userId"], after["status"]) == (connection["id"], "ada", "REMOVED")
    assert (await street.told()).count("connection.removed") == 1


async def test_one_failed_reading_removes_nothing(street: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    company = connection["company"]["id"]
    await street.sandbox.trouble("provider_5xx", companyId=company)
    for _ in range(26):
        await street.later(HOUR)
    after = await ada.newest()
    assert (after["status"], "connection.removed" in await street.told()) == ("CONNECTED", False)


@pytest.mark.parametrize("status", [400, 410, 401, 503, 429])
async def test_what_is_asked_about_a_missing_connection_keeps_nobody_elses_from_being_found(
    street: RunningServices, ada: User, bob: User, status: int
) -> None:
    old = await ada.connected()

    def gone(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(f"/connection/{old['id']}/details"):
            return httpx.Response(status, json={"detail": "no"})
        return None

    await street.sandbox.plain("DELETE", f"/_control/connections/{old['id']}")
    street.outgoing.instead = gone
    page = await bob.frame()
    for _ in range(20):
        await street.later(MINUTE / 2)
        await page.post("heartbeat")
    await page.connect()
    assert await seconds_until_found(street, bob, MINUTE, 5, page) <= MINUTE
    assert (await ada.newest())["status"] == "CONNECTED"


async def test_a_list_that_is_refused_once_is_asked_for_again_while_somebody_waits(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    refusals: list[str] = []

    def refuse_once(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/connection") or refusals:
            return None
        refusals.append(request.url.path)
        return httpx.Response(400, json={"detail": "not now"})

    await page.connect()
    street.outgoing.instead = refuse_once
    await street.later(30)
    assert refusals
    assert await seconds_until_found(street, ada, 2 * MINUTE, 10, page) <= 70
