"""A further account of a connected session is found without webhook and callback, at a price that we can name."""

from typing import Any

import httpx
import pytest

from tests.support.services import RunningServices
from tests.support.users import FramePage, User

MINUTE, HOUR, DAY = 60, 3600, 86_400
LINKS: list[dict[str, Any]] = [{"link": "magic_link"}, {"link": "invitation", "maxConnections": 2}]
EACH_LINK = pytest.mark.parametrize("fields", LINKS, ids=["magic link", "invitation"])


async def connected(services: RunningServices, ada: User, **fields: Any) -> FramePage:
    """A page that shows its first account, which its user has left alone for some minutes."""
    page = await ada.frame(expiresIn=2 * DAY, **fields)
    await page.connect()
    assert (await page.finish())["status"] == "connected"
    await services.later(200)
    return page


async def asks_again(page: FramePage) -> None:
    """Press "Connect another account": with a magic link that is only a heartbeat."""
    await page.post("another")
    await page.post("heartbeat")
    await page.services.drain()


async def pass_time(page: FramePage, seconds: int, *, present: bool) -> None:
    for _ in range(seconds // 20):
        page.services.clock.advance(20)
        if present:
            assert (await page.post("heartbeat")).status_code == 204
        await page.services.drain()


async def seconds_until_found(page: FramePage, at_most: int, *, present: bool, number: int = 2) -> int:
    for passed in range(20, at_most + 20, 20):
        await pass_time(page, 20, present=present)
        if len((await page.stored())["connections"]) == number:
            return passed
    raise AssertionError(f"nothing was found within {at_most} seconds")


@EACH_LINK
async def test_it_is_found_within_a_minute_while_its_page_is_open(
    services: RunningServices, ada: User, fields: dict[str, Any]
) -> None:
    page = await connected(services, ada, **fields)
    await asks_again(page)
    await pass_time(page, 5 * MINUTE, present=True)
    await page.connect()
    assert await seconds_until_found(page, MINUTE, present=True) <= MINUTE


@EACH_LINK
async def test_it_is_found_within_ten_minutes_after_its_page_has_gone(
    services: RunningServices, ada: User, fields: dict[str, Any]
) -> None:
    page = await connected(services, ada, **fields)
    await asks_again(page)
    await pass_time(page, HOUR, present=False)
    await page.connect()
    assert await seconds_until_found(page, 10 * MINUTE, present=False) <= 10 * MINUTE


async def test_a_page_that_was_left_alone_for_hours_and_goes_on_is_polled_for_again(
    services: RunningServices, ada: User
) -> None:
    page = await connected(services, ada, link="magic_link")
    await pass_time(page, 5 * HOUR, present=False)
    await asks_again(page)
    await page.connect()
    assert await seconds_until_found(page, MINUTE, present=True) <= MINUTE


async def test_who_says_finished_before_the_provider_lists_it_waits_some_seconds(
    services: RunningServices, ada: User
) -> None:
    page = await connected(services, ada, link="magic_link")
    (known,) = [one["id"] for one in await ada.connections()]
    await page.connect()
    listed_at = services.clock.now() + 10

    def late(_: httpx.Request, body: Any) -> Any:
        if isinstance(body, dict) and "connections" in body and services.clock.now() < listed_at:
            body["connections"] = [one for one in body["connections"] if one["id"] == known]
        return body

    services.outgoing.reshape = late
    assert len((await page.finish())["connections"]) == 1
    for _ in range(5):
        await services.later(3)
    assert len((await page.stored())["connections"]) == 2


@EACH_LINK
async def test_a_page_whose_user_is_done_costs_a_few_calls_and_then_one_a_day(
    services: RunningServices, ada: User, fields: dict[str, Any]
) -> None:
    page = await connected(services, ada, **fields)
    services.outgoing.calls.clear()
    await pass_time(page, 3 * HOUR, present=False)
    assert services.outgoing.made("GET /connection") <= 45
    services.outgoing.calls.clear()
    for _ in range(2 * 24):
        await services.later(HOUR)
    assert services.outgoing.made("GET /connection") <= 3
