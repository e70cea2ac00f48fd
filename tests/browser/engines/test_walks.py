"""The flow in each engine: by both kinds of link, in a page, a dialog and a narrow column, to each of its ends."""

import pytest

from tests.support.browser_services import Api
from tests.support.engines.driven_browser import DrivenBrowser
from tests.support.engines.engine_user import QUESTIONS, TOP
from tests.support.engines.walks import Walk, new_walk

CONNECTED = "Your account is connected."


@pytest.mark.parametrize("link", ["invitation", "magic_link"])
async def test_an_account_is_connected_in_a_page(browser: DrivenBrowser, api: Api, other_host: str, link: str) -> None:
    walk = await new_walk(browser, api, other_host, link=link)
    ada = await walk.element()
    await ada.opens()
    await ada.connect()
    await ada.shows(CONNECTED)
    await walk.host_hears("ready", "open", "connected")
    assert (await walk.evidence())["kind"] == ("invitation" if link == "invitation" else "sole_candidate")


async def test_an_account_is_connected_in_a_dialog_that_gives_the_focus_back(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.dialog()
    await ada.opens()
    await ada.connect()
    await ada.shows(CONNECTED)
    await ada.press("Done")
    await browser.until(TOP, "return document.querySelector('dialog') === null")
    assert await browser.js(TOP, "return document.activeElement.textContent") == "Connect"
    await walk.host_hears("ready", "open", "connected", "closed")


async def test_a_wrong_password_is_corrected_in_place(browser: DrivenBrowser, api: Api, other_host: str) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.choose_provider()
    await ada.sign_in("wrong")
    await ada.rejected()
    await ada.sign_in()
    await ada.finish()
    await ada.shows(CONNECTED)
    assert (await walk.messages_until("connected"))[:2] == ["ready", "open"]
    assert (await walk.evidence())["kind"] == "invitation"


async def test_a_connection_is_reconnected_and_keeps_its_id(browser: DrivenBrowser, api: Api, other_host: str) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.connect()
    await ada.shows(CONNECTED)
    connection = (await api.only_connection(walk.session["id"]))["id"]
    path, body = f"/v1/connections/{connection}/reconnect", {"origin": other_host, "prepare": "now"}
    again = Walk(browser, api, other_host, await api.service("POST", path, body))
    ada = await again.element()
    await ada.mend()
    await ada.shows(CONNECTED)
    assert (await api.only_connection(again.session["id"]))["id"] == connection


async def test_a_revoked_session_ends_an_open_page_and_tells_the_host(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.opens()
    await api.revoke(walk.session["id"])
    await ada.shows("This link was withdrawn.")
    await walk.host_hears("ready", "open", "error")


async def test_another_window_is_asked_and_then_ends_the_first(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.opens()
    first = await browser.open_window()
    await walk.element()
    await ada.shows(QUESTIONS[0])
    await ada.press("Continue here")
    await ada.opens()
    await browser.close_window(first)
    await ada.shows("You continued in another window.")


async def test_of_several_sessions_in_one_tab_each_goes_on_after_a_reload(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    for _ in range(4):
        walk = await new_walk(browser, api, other_host)
        ada = await walk.element()
        await ada.opens()
        await browser.reload()
        await ada.opens()
        await (await walk.element()).opens()


async def test_a_column_of_320_pixels_fits_and_offers_the_secure_page_in_a_window(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element(width="320px")
    await ada.shows("Your secure page is ready.")
    assert await browser.js(ada.ours, "return [innerWidth, document.scrollingElement.scrollWidth]") == [320, 320]
    assert await browser.js(ada.ours, "return document.querySelector('a[data-link]').target") == "_blank"
    await ada.press("Leave")
    await api.becomes(walk.session["id"], "exited")


async def test_the_integrators_page_with_its_long_lists_of_links_stays(browser: DrivenBrowser, api: Api) -> None:
    for _ in range(2):
        await browser.go(f"{api.services.service}/docs")
        assert await browser.js(TOP, "return document.querySelectorAll('main a').length > 20")
