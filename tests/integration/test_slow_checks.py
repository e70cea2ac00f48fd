"""Checks that take a minute, hours or days: never `expired` after a recorded connection, each change told once."""

from collections.abc import Awaitable, Callable

import pytest

from tests.support.connection_steps import broken, reconnecting
from tests.support.provider_user import ProviderUser
from tests.support.services import RETURN_URL, RunningServices
from tests.support.users import FramePage, TopPage, User

MINUTE, HOUR, DAY = 60, 3600, 86_400
CHECKS = {"a minute": MINUTE, "two hours": 2 * HOUR, "three days": 3 * DAY}
TOLD = {"CONNECTED": "session.connected", "MFA_TOKEN_EXPIRED": "connection.needs_attention"}

Page = FramePage | TopPage


async def by_invitation(_services: RunningServices, ada: User, *, embed: bool) -> Page:
    return await (ada.frame if embed else ada.browser)(link="invitation")


async def by_magic_link(_services: RunningServices, ada: User, *, embed: bool) -> Page:
    return await (ada.frame if embed else ada.browser)(link="magic_link")


async def by_reconnect(services: RunningServices, ada: User, *, embed: bool) -> Page:
    connection = await broken(ada)
    if embed:
        return await reconnecting(services, connection)
    made = await services.post(f"/v1/connections/{connection['id']}/reconnect", {"returnUrl": RETURN_URL})
    await services.drain()
    page = TopPage(services, made)
    await page.press_start()
    return page


LINKS: dict[str, Callable[..., Awaitable[Page]]] = {
    "invitation": by_invitation,
    "magic link": by_magic_link,
    "reconnect": by_reconnect,
}


async def hand_over(services: RunningServices, page: Page) -> None:
    """Sign in on the provider's page; the provider checks the account."""
    user = ProviderUser(services.sandbox)
    await user.open(str((await page.view())["link"]["url"]))
    if user.screen.step == "provider":
        await user.choose_provider()
    if user.screen.step == "credentials":
        await user.sign_in()
    if user.screen.step == "settings":
        await user.press("Save changes" if "Save changes" in user.screen.form.buttons else "Connect")
    await reports(services, page, "PENDING")
    await page.finish()


async def reports(services: RunningServices, page: Page, status: str) -> None:
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)


async def told(services: RunningServices, page: Page) -> list[str]:
    """What the log says of the session and of its connection, since the session was created."""
    events = await services.rows("/v1/events", limit=100)
    connections = {one["id"] for one in (await page.stored())["connections"]}
    since = next(i for i, event in enumerate(events) if event["sessionId"] == page.id)
    return [
        one["type"]
        for one in events[since:]
        if one["sessionId"] == page.id or (one["type"].startswith("connection.") and one["connectionId"] in connections)
    ]


@pytest.mark.parametrize("outcome", TOLD)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("way", ["embed", "redirect"])
@pytest.mark.parametrize("link", LINKS)
async def test_a_check_ends_in_one_event_and_the_session_never_expires(
    services: RunningServices, ada: User, link: str, way: str, check: str, outcome: str
) -> None:
    page = await LINKS[link](services, ada, embed=way == "embed")
    await hand_over(services, page)
    assert (await page.stored())["status"] == "submitted"
    before = (await told(services, page)).count(TOLD[outcome])
    await services.later(CHECKS[check])
    assert (await page.stored())["status"] == "submitted"
    await reports(services, page, outcome)
    for _ in range(4):
        await services.later(DAY)
    types = await told(services, page)
    assert not {"session.expired", "session.exited", "session.reopened", "session.failed"} & set(types)
    assert types.count("session.submitted") == 1
    # A connection that was broken before and has not worked since is still in its one episode.
    asked_before = link == "reconnect" and outcome != "CONNECTED"
    assert types.count(TOLD[outcome]) - before == int(not asked_before)
    assert types.count("session.connected") == int(outcome == "CONNECTED")
    assert (await page.stored())["status"] == ("connected" if outcome == "CONNECTED" else "submitted")


@pytest.mark.parametrize("way", ["embed", "redirect"])
async def test_each_change_after_the_check_is_told_once(services: RunningServices, ada: User, way: str) -> None:
    page = await by_invitation(services, ada, embed=way == "embed")
    await hand_over(services, page)
    for status in ("CONNECTED", "PASSWORD_INCORRECT", "MFA_TOKEN_EXPIRED", "CONNECTED", "NO_ACCOUNTS_FOUND"):
        await reports(services, page, status)
        for _ in range(3):
            await services.later(DAY)
    types = [one for one in await told(services, page) if one in {*TOLD.values(), "session.submitted"}]
    assert types == ["session.submitted", "session.connected", *["connection.needs_attention"] * 2]
