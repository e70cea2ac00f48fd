"""What the log of a session's invitation tells: each step once, in the timeline, in the page's view and in the exit."""

from typing import Any

import httpx
import pytest

from tests.support.provider_user import ProviderUser
from tests.support.services import RunningServices
from tests.support.users import FramePage, User


async def steps(services: RunningServices, session_id: str) -> list[str]:
    events = await services.rows(f"/v1/sessions/{session_id}/events", limit=100)
    return [one["data"]["step"] for one in events if one["type"] == "session.progress"]


async def exits(services: RunningServices, session_id: str) -> list[Any]:
    events = await services.rows(f"/v1/sessions/{session_id}/events", limit=100)
    return [one["data"] for one in events if one["type"] == "session.exited"]


def logs_read(services: RunningServices) -> int:
    return sum(call.startswith("GET /v2.2/invitation/") and "/company/" not in call for call in services.outgoing.calls)


async def viewed(services: RunningServices, user: User, **fields: Any) -> tuple[FramePage, ProviderUser]:
    """A page behind whose link the user opened the provider's page, and did no more."""
    page = await user.frame(**fields)
    visitor = ProviderUser(services.sandbox)
    await visitor.open(str((await page.view())["link"]["url"]))
    await present(services, page)
    return page, visitor


async def present(services: RunningServices, page: FramePage, seconds: float = 20.0) -> None:
    """The page stays open until the next poll."""
    await page.post("heartbeat")
    await services.later(seconds)


async def test_another_sessions_invitation_tells_nothing_of_this_one(
    services: RunningServices, ada: User, bob: User
) -> None:
    page, _ = await viewed(services, ada)
    other = await bob.frame()
    await present(services, other)
    assert await steps(services, page.id) == ["viewed"]
    assert await steps(services, other.id) == []


async def test_a_magic_link_has_no_log(services: RunningServices, ada: User) -> None:
    page, _ = await viewed(services, ada, link="magic_link")
    assert (await steps(services, page.id), logs_read(services)) == ([], 0)


async def test_a_link_that_no_page_has_shown_costs_no_call(services: RunningServices, ada: User) -> None:
    await ada.session()
    for _ in range(10):
        await services.later(60)
    assert logs_read(services) == 0


async def test_each_step_is_told_once_however_often_the_log_is_read(services: RunningServices, ada: User) -> None:
    page, visitor = await viewed(services, ada)
    for _ in range(3):
        await present(services, page)
    assert await steps(services, page.id) == ["viewed"]
    await visitor.choose_provider()
    await visitor.sign_in()
    await visitor.connect()
    await page.finish()
    assert await steps(services, page.id) == ["viewed", "submitted"]
    read = logs_read(services)
    for _ in range(3):
        await present(services, page)
    assert (await steps(services, page.id), logs_read(services)) == (["viewed", "submitted"], read)


async def test_the_step_has_the_providers_time_and_nothing_else_of_the_log(
    services: RunningServices, ada: User
) -> None:
    page, _ = await viewed(services, ada)
    (event,) = [
        one for one in await services.rows(f"/v1/sessions/{page.id}/events") if one["type"] == "session.progress"
    ]
    assert event["data"].keys() == {"step", "providerAt"}
    assert (event["userId"], event["sessionId"]) == ("ada", page.id)
    assert (await page.view())["providerStep"] == "viewed"


async def test_an_address_in_the_log_is_in_no_event(services: RunningServices, ada: User) -> None:
    page = await ada.frame(userEmail="ada@example.com")
    log = [{"type": "EMAIL_VERIFIED", "email": "ada@example.com", "createdAt": "odd"}]
    services.outgoing.reshape = lambda call, body: body | {"events": log} if is_detail(call) else body
    await present(services, page)
    assert await steps(services, page.id) == ["verified"]
    assert "ada@example.com" not in str(await services.rows("/v1/events", limit=100))


def is_detail(call: httpx.Request) -> bool:
    return call.method == "GET" and "/invitation/" in call.url.path and "/company/" not in call.url.path


async def test_a_revocation_by_the_host_is_told_when_the_log_names_it(services: RunningServices, ada: User) -> None:
    page, _ = await viewed(services, ada)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    for _ in range(4):
        await services.later(20)
    assert "session.revoked" in await services.event_types(page.id)
    assert await steps(services, page.id) == ["viewed", "revoked"]


@pytest.mark.parametrize("reason", ["left", "closed"])
async def test_who_leaves_the_providers_page_has_the_stage_that_the_log_tells(
    services: RunningServices, ada: User, reason: str
) -> None:
    page, _ = await viewed(services, ada)
    await page.post("exit", {"stage": "provider", "reason": reason})
    assert await exits(services, page.id) == [{"stage": "provider_viewed", "reason": reason}]


async def test_whose_log_tells_nothing_has_the_pages_own_stage(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await present(services, page)
    await page.post("exit", {"stage": "provider", "reason": "left"})
    assert await exits(services, page.id) == [{"stage": "provider", "reason": "left"}]


async def test_a_page_that_disappeared_has_the_stage_too(services: RunningServices, ada: User) -> None:
    page, _ = await viewed(services, ada)
    await services.later(90)
    assert await exits(services, page.id) == [{"stage": "provider_viewed", "reason": "gone"}]


async def test_a_log_that_lags_behind_the_use_is_read_again_for_ten_minutes_at_most(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await services.sandbox.trouble("invitation_activity_lag", seconds=90)
    await page.connect()
    await page.finish()
    assert await steps(services, page.id) == []
    for _ in range(4):
        await services.later(60)
    assert await steps(services, page.id) == ["viewed", "submitted"]


async def test_a_log_that_never_names_the_use_costs_a_bounded_number_of_calls(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    services.outgoing.reshape = lambda call, body: body | {"events": []} if is_detail(call) else body
    await page.connect()
    await page.finish()
    for _ in range(60):
        await services.later(60)
    assert (await page.stored())["status"] == "connected"
    assert 2 <= logs_read(services) <= 15


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_provider_that_shows_no_detail_still_connects(
    services: RunningServices, ada: User, status: int
) -> None:
    services.outgoing.instead = lambda call: httpx.Response(status) if is_detail(call) else None
    page = await ada.frame()
    await page.connect()
    await page.finish()
    assert (await page.stored())["status"] == "connected"
    assert await steps(services, page.id) == []


async def test_many_present_pages_share_the_companys_budget_and_all_are_read_in_turn(
    services: RunningServices, ada: User
) -> None:
    pages = [(await viewed(services, ada))[0] for _ in range(8)]
    services.outgoing.calls.clear()
    for _ in range(60):
        for page in pages:
            await page.post("heartbeat")
        await services.later(20)
    polls = services.outgoing.made("GET /connection")
    # 240 calls an hour, of polls and logs together, and at most what the budget held at the start.
    assert polls + logs_read(services) <= 80 + 60
    assert polls >= 55  # and the logs delay no poll
    for page in pages:
        assert await steps(services, page.id) == ["viewed"]
