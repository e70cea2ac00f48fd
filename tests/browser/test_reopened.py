"""An account that is recorded for somebody else afterwards: a page that is still open says what is so now."""

import re

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, FlowPage, NewUser

QUIET_POLL_MS = 15_500  # longer than a page that waits for nothing rests between its polls
OVERTURNED = "The account is no longer connected here."


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    return await (await new_user()).sign_in()


async def _connected(ada: BrowserUser, api: Api, company: str, *, inline: bool = False) -> tuple[FlowPage, Json]:
    """Ada's page, which shows her account as connected, and the session."""
    session = await api.create("ada", company, link="magic_link")
    flow = await ada.open(session, inline=inline)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    return flow, session


async def test_a_page_that_shows_connected_says_when_the_account_became_someone_elses(
    ada: BrowserUser, api: Api
) -> None:
    flow, session = await _connected(ada, api, "reopened")
    async with ada.page.expect_request(re.compile("/heartbeat$")):  # its presence counts again, and at once
        await api.claim_for_bob(session)
    await flow.shows(OVERTURNED, seconds=5)
    await expect(flow.heading("Your account is connected.")).to_be_hidden()
    assert "Bob" not in await flow.where.locator("main").inner_text()
    events = [(one["event"], one["seq"]) for one in await ada.messages() if one["type"] == "event"]
    timeline = (await api.service("GET", f"/v1/sessions/{session['id']}/events"))["data"]
    (reopened,) = [one for one in timeline if one["type"] == "session.reopened"]
    assert ("session.reopened", reopened["seq"]) in events


async def test_from_there_another_account_can_be_connected_and_the_host_hears(ada: BrowserUser, api: Api) -> None:
    flow, session = await _connected(ada, api, "reopened-again")
    await api.claim_for_bob(session)
    await flow.shows(OVERTURNED)
    await flow.press("Connect another account")
    await expect(flow.words("An account that you connected before is not recorded for you here.")).to_be_visible()
    await flow.provider.connect("Warehouse")
    await flow.shows("Your account is connected.")
    assert (await api.only_connection(session["id"]))["userId"] == "ada"
    assert await ada.message_types() == ["ready", "open", "connected", "connected"]


async def test_leaving_from_there_is_told_to_both(ada: BrowserUser, api: Api) -> None:
    flow, session = await _connected(ada, api, "reopened-left")
    await api.claim_for_bob(session)
    await flow.shows(OVERTURNED)
    await flow.press("Leave")
    await expect(ada.page.locator("dialog")).to_have_count(0)
    assert (await ada.messages())[-1]["outcome"] == "none"
    await api.becomes(session["id"], "exited")


async def test_it_says_so_after_done_too_where_the_page_stays(ada: BrowserUser, api: Api) -> None:
    flow, session = await _connected(ada, api, "reopened-done", inline=True)
    await flow.press("Done")
    await api.claim_for_bob(session)
    await flow.shows(OVERTURNED, seconds=5)
    assert [one["event"] for one in await ada.messages() if one["type"] == "event"][-1] == "session.reopened"


async def test_a_page_whose_stream_is_held_back_sees_it_by_its_polls(ada: BrowserUser, api: Api) -> None:
    await ada.page.clock.install()
    await ada.page.route(re.compile("/live/"), _only_polls)
    flow, session = await _connected(ada, api, "reopened-polled")
    await api.claim_for_bob(session)
    await ada.page.clock.fast_forward(QUIET_POLL_MS)
    await flow.shows(OVERTURNED)


async def _only_polls(route: Route) -> None:
    if route.request.headers["accept"] == "application/json":
        await route.continue_()
