"""Several accounts in one go with invitations: the page's button, the next link, and where it ends."""

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api, BrowserServices
from tests.support.browser_user import NewUser
from tests.support.flow_messages import follow_the_rules
from tests.support.screenshots import Screenshots

BUTTON = "Connect another account"


async def test_two_accounts_by_two_invitations_of_one_session(
    new_user: NewUser, api: Api, services: BrowserServices, screenshots: Screenshots
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "several", link="invitation", maxConnections=2)
    flow = await ada.open(session)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    (frame,) = [one for one in ada.page.frames if one.url.startswith(services.service)]
    await screenshots.show(ada.page, "several-first", [frame])
    await flow.press(BUTTON)
    await flow.provider.step("provider").wait_for()
    # A session that is connected already makes no handoff.
    await expect(flow.where.get_by_role("button", name="Continue on your phone")).to_be_hidden()
    await flow.provider.connect("Warehouse")
    await expect(flow.where.locator("[data-connections] li")).to_have_count(2)
    await flow.shows("Your account is connected.")
    await expect(flow.where.get_by_role("button", name=BUTTON)).to_be_hidden()
    await screenshots.show(ada.page, "several-second", [frame])
    follow_the_rules(await ada.messages())
    assert (await ada.message_types()).count("connected") == 2
    stored = await api.session(session["id"])
    assert [one["presumed"] for one in stored["connections"]] == [False, False]


async def test_a_reload_in_between_goes_on_with_the_link_that_was_made(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "several", link="invitation", maxConnections=2, returnUrl=None)
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    flow = ada.redirected
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await ada.page.reload()
    await flow.press(BUTTON)
    first = await flow.where.locator(".slot iframe").get_attribute("src")
    await ada.page.reload()
    await flow.press(BUTTON)
    assert await flow.where.locator(".slot iframe").get_attribute("src") == first
    await flow.provider.connect("Warehouse")
    await expect(flow.where.locator("[data-connections] li")).to_have_count(2)


@pytest.mark.parametrize("status", ["connected", "submitted"])
async def test_a_further_link_that_was_refused_leaves_the_page_with_what_is_connected(
    new_user: NewUser, services: BrowserServices, status: str
) -> None:
    ada = await new_user()
    await ada.page.goto(f"{services.service}/docs")
    link = {"kind": "invitation", "status": "failed", "url": None}
    account = {"needsAttention": True, "state": "attention"}
    view = {"status": status, "mode": "connect", "link": link, "connections": [account], "another": "possible"}
    shown = await ada.page.evaluate(
        "async ([view, local]) => (await import('/static/screen.js')).screenOf(view, local)", [view, {"again": True}]
    )
    assert shown == status


async def test_without_room_for_another_there_is_no_such_button(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "several", link="invitation"))
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await expect(flow.where.get_by_role("button", name=BUTTON)).to_be_hidden()


async def test_a_magic_link_used_once_more_says_what_has_arrived_also_while_it_is_checked(
    new_user: NewUser, api: Api
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "several-again", link="magic_link")
    flow = await ada.open(session)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await flow.press(BUTTON)
    await flow.provider.step("provider").wait_for()
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await flow.press("Back to the secure page")
    await api.trouble("PUT", "pending_for", (await api.session(session["id"]))["company"]["id"], seconds=86_400)
    await flow.provider.connect("Warehouse")
    await flow.shows("Your account is connected.")
    await expect(flow.where.locator("[data-connections] li")).to_have_count(2)
    follow_the_rules(await ada.messages())
