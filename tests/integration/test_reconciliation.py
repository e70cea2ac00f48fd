"""Polling: with webhooks and callback both silent, a connection is found in time, at a price we can name."""

import asyncio

import httpx
import pytest

from tests.support.connection_steps import connect_at
from tests.support.provider_user import ProviderUser
from tests.support.services import RunningServices
from tests.support.users import FramePage, User
from tests.support.webhooks import send

MINUTE, HOUR, DAY = 60, 3600, 86400


async def seconds_until_found(services: RunningServices, user: User, at_most: int, step: int, page: FramePage) -> int:
    """Let time pass in steps, with the page's heartbeat where it still has one, until the connection is recorded."""
    for passed in range(step, at_most + step, step):
        services.clock.advance(step)
        if page.key is not None:
            await page.post("heartbeat")
        await services.drain()
        if await user.connections():
            return passed
    raise AssertionError(f"nothing was found within {at_most} seconds")


async def test_within_a_minute_while_the_page_is_there(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await services.later(30)
    await page.connect()
    assert await seconds_until_found(services, ada, MINUTE, 5, page) <= MINUTE
    assert (await page.view())["status"] == "connected"


async def test_within_a_minute_long_after_the_page_was_opened(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=4 * HOUR)
    for _ in range(HOUR // 2 // 20):
        services.clock.advance(20)
        await page.post("heartbeat")
        await services.drain()
    await page.connect()
    assert await seconds_until_found(services, ada, MINUTE, 5, page) <= MINUTE


async def test_within_a_minute_for_ten_minutes_after_the_page_has_gone(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    page.key = None
    await services.later(9 * MINUTE)
    await connect_at(services, url)
    assert await seconds_until_found(services, ada, MINUTE, 5, page) <= MINUTE


async def test_within_a_quarter_of_an_hour_while_the_session_is_open(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=6 * HOUR)
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(60):
        await services.later(MINUTE)
    await connect_at(services, url)
    assert await seconds_until_found(services, ada, 15 * MINUTE, MINUTE, page) <= 15 * MINUTE


async def test_within_a_day_after_the_session_is_over(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=MINUTE, link="magic_link")
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(3 * 24):
        await services.later(HOUR)
    assert (await page.stored())["status"] == "expired"
    await connect_at(services, url)
    assert await seconds_until_found(services, ada, DAY, HOUR, page) <= DAY


async def test_within_a_day_even_weeks_later(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=MINUTE, link="magic_link")
    url = (await page.view())["link"]["url"]
    page.key = None
    for _ in range(40):
        await services.later(DAY)
    await connect_at(services, url)
    assert await seconds_until_found(services, ada, DAY, HOUR, page) <= DAY


async def test_soon_after_somebody_said_finished(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.finish()
    await page.connect()
    assert await seconds_until_found(services, ada, 10, 1, page) <= 5


async def test_a_new_session_of_the_company_polls_at_once(services: RunningServices, ada: User, bob: User) -> None:
    page = await ada.frame(expiresIn=MINUTE)
    url = (await page.view())["link"]["url"]
    user = ProviderUser(services.sandbox)
    await user.open(url)
    await user.choose_provider()
    await user.sign_in()
    page.key = None
    await services.later(MINUTE)
    await user.connect()
    await bob.frame()
    await services.later(5)
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_company_is_polled_once_however_many_sessions_it_has(services: RunningServices, ada: User) -> None:
    pages = [await ada.frame() for _ in range(10)]
    await services.drain()
    services.outgoing.calls.clear()
    for _ in range(3):
        services.clock.advance(20)
        await asyncio.gather(*(page.post("heartbeat") for page in pages))
        await services.drain()
    assert services.outgoing.made("GET /connection") <= 4


async def test_many_webhooks_of_one_company_cause_polls_within_its_hourly_budget(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    await services.later(600)
    services.outgoing.calls.clear()
    for number in range(600):
        reported = {"eventType": "connection.updated.v2", "id": connection["id"]}
        assert (await send(services, reported, f"msg_{number}")).status_code == 204
        await services.later(6)
    assert 240 <= services.outgoing.made("GET /connection") <= 301


async def test_an_open_session_without_a_page_costs_a_few_calls_an_hour(services: RunningServices, ada: User) -> None:
    await ada.frame(expiresIn=DAY)
    for _ in range(60):
        await services.later(MINUTE)
    services.outgoing.calls.clear()
    for _ in range(60):
        await services.later(MINUTE)
    assert 4 <= services.outgoing.made("GET /connection") <= 7


async def test_a_company_whose_sessions_have_ended_is_polled_daily_for_ever(
    services: RunningServices, ada: User
) -> None:
    await ada.frame(expiresIn=MINUTE)
    for _ in range(48):
        await services.later(HOUR)
    services.outgoing.calls.clear()
    for _ in range(24 * 7):
        await services.later(HOUR)
    assert 6 <= services.outgoing.made("GET /connection") <= 8


async def test_a_session_whose_page_was_never_opened_is_not_polled_often(services: RunningServices, ada: User) -> None:
    await ada.session(expiresIn=HOUR)
    services.outgoing.calls.clear()
    for _ in range(60):
        await services.later(MINUTE)
    assert services.outgoing.made("GET /connection") <= 7


async def test_an_hour_of_outage_loses_nothing(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=4 * HOUR)
    await page.connect()
    page.key = None
    services.outgoing.is_down = True
    for _ in range(60):
        await services.later(MINUTE)
    services.outgoing.is_down = False
    assert await seconds_until_found(services, ada, 2 * MINUTE, 10, page) <= 2 * MINUTE
    assert (await page.stored())["status"] == "connected"


async def test_a_connection_that_the_provider_has_removed_keeps_its_owner_and_says_so(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    answer = await services.sandbox.plain("DELETE", f"/_control/connections/{connection['id']}")
    assert answer.status_code == 204
    for _ in range(48):
        await services.later(HOUR)
    after = await ada.newest()
    assert (after["id"], after["userId"], after["status"]) == (connection["id"], "ada", "REMOVED")
    assert (await services.event_types()).count("connection.removed") == 1
    (listed,) = (await services.get(f"/v1/sessions/{after['sessionId']}"))["connections"]
    assert (listed["status"], listed["state"]) == (after["status"], after["state"]) == ("REMOVED", "inactive")
    assert await services.rows("/v1/connections", status="REMOVED") == [after]
    assert await services.rows("/v1/connections", status="CONNECTED") == []


async def test_one_failed_poll_removes_nothing(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    company = connection["company"]["id"]
    await services.sandbox.trouble("provider_5xx", companyId=company)
    for _ in range(26):
        await services.later(HOUR)
    after = await ada.newest()
    assert (after["status"], "connection.removed" in await services.event_types()) == ("CONNECTED", False)


@pytest.mark.parametrize("status", [400, 410, 401, 503, 429])
async def test_what_is_asked_about_a_missing_connection_keeps_nobody_elses_from_being_found(
    services: RunningServices, ada: User, bob: User, status: int
) -> None:
    old = await ada.connected()

    def gone(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(f"/connection/{old['id']}/details"):
            return httpx.Response(status, json={"detail": "no"})
        return None

    await services.sandbox.plain("DELETE", f"/_control/connections/{old['id']}")
    services.outgoing.instead = gone
    page = await bob.frame()
    for _ in range(20):
        await services.later(MINUTE / 2)
        await page.post("heartbeat")
    await page.connect()
    assert await seconds_until_found(services, bob, MINUTE, 5, page) <= MINUTE
    assert (await ada.newest())["status"] == "CONNECTED"


async def test_a_list_that_is_refused_once_is_asked_for_again_while_somebody_waits(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    refusals: list[str] = []

    def refuse_once(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/connection") or refusals:
            return None
        refusals.append(request.url.path)
        return httpx.Response(400, json={"detail": "not now"})

    await page.connect()
    services.outgoing.instead = refuse_once
    await services.later(30)
    assert refusals
    assert await seconds_until_found(services, ada, 2 * MINUTE, 10, page) <= 70


async def test_a_connection_that_a_list_lacks_and_the_provider_still_has_is_asked_for_and_stays(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    services.outgoing.reshape = lambda call, body: [] if call.url.path.endswith("/connection") else body
    services.outgoing.calls.clear()
    for _ in range(48):
        await services.later(HOUR)
    assert services.outgoing.made(f"GET /connection/{connection['id']}/details") >= 2
    after = await ada.newest()
    assert (after["status"], "connection.removed" in await services.event_types()) == ("CONNECTED", False)
