"""Back, and finished links: our pages add no dead entries, and a finished link says so wherever it is opened."""

import pytest
from playwright.async_api import Page, expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.screenshots import Screenshots


async def _length(page: Page) -> int:
    return int(await page.evaluate("history.length"))


async def test_starting_the_redirect_flow_adds_no_entry_and_back_leads_to_the_host(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    await ada.page.goto(other_host)
    await ada.page.goto((await api.create("ada", "history"))["redirectUrl"])
    before = await _length(ada.page)
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    assert await _length(ada.page) == before
    await ada.page.go_back()
    assert ada.page.url.rstrip("/") == other_host


async def test_nor_does_taking_over(new_user: NewUser, api: Api, other_host: str) -> None:
    ada, other = await new_user(), await new_user()
    session = await api.create("ada", "history")
    await other.page.goto(session["redirectUrl"])
    await other.press("Continue")
    await other.redirected.provider.step("provider").wait_for()
    await ada.page.goto(other_host)
    await ada.page.goto(session["redirectUrl"])
    before = await _length(ada.page)
    await ada.press("Continue")
    await ada.redirected.shows("Continue in this window?")
    await ada.press("Continue here")
    await ada.redirected.provider.step("provider").wait_for()
    assert await _length(ada.page) == before
    await ada.page.go_back()
    assert ada.page.url.rstrip("/") == other_host


async def test_leaving_for_the_host_adds_no_entry_and_back_stays_on_the_finished_page(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    session = await api.create("ada", "history", returnUrl=f"{other_host}/?after=1")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")
    before = await _length(ada.page)  # each of the provider's steps is an entry: those are its own
    await ada.page.get_by_role("link", name="Done").click()
    await ada.page.wait_for_url(f"{other_host}/?after=1&**")
    assert await _length(ada.page) == before
    await ada.page.go_back()
    await ada.redirected.shows("Your account is connected.")
    await ada.page.wait_for_timeout(4_000)  # longer than a page waits that leads on by itself
    await ada.redirected.shows("Your account is connected.")


async def test_in_a_frame_no_entry_is_added_either(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    before = await _length(ada.page)
    flow = await ada.open(await api.create("ada", "history", maxConnections=2, link="invitation"))
    await flow.provider.step("provider").wait_for()
    assert await _length(ada.page) == before


async def _finish(ada: BrowserUser, url: str) -> None:
    await ada.page.goto(url)
    await ada.press("Continue")
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")


async def test_a_finished_link_says_so_at_once_in_another_browser(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada, other = await new_user(), await new_user()
    session = await api.create("ada", "finished", returnUrl=None)
    await _finish(ada, session["redirectUrl"])
    await other.page.goto(session["redirectUrl"])
    await other.redirected.shows("Your account is connected.")
    await expect(other.page.get_by_role("button", name="Continue", exact=True)).to_have_count(0)
    await screenshots.show(other.page, "finished-elsewhere")
    await other.press("Open it again")
    await other.redirected.shows("Continue in this window?")  # Ada's page is open
    await ada.page.close()


@pytest.mark.parametrize("way", ["frame", "top level"])
async def test_where_no_page_is_open_a_finished_link_asks_nothing(new_user: NewUser, api: Api, way: str) -> None:
    ada, other = await new_user(), await new_user()
    await ada.sign_in()
    session = await api.create("ada", "finished", returnUrl=None)
    flow = await ada.open(session)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await ada.page.goto("about:blank")
    await ada.services.until_no_page_is_open(session["id"])
    if way == "top level":
        await other.page.goto(session["redirectUrl"])
        await other.redirected.shows("Your account is connected.")
        await other.press("Open it again")
        await other.redirected.shows("Your account is connected.")
        await expect(other.page.get_by_role("link", name="Done")).to_be_visible()
    else:
        await other.sign_in()
        await (await other.open(session)).shows("Your account is connected.")
