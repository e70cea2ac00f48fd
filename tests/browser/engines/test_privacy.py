"""Walks that depend on what a frame may store, in each mode of a browser: who stays in it is never asked."""

from urllib.parse import parse_qs

import pytest

from tests.support.browser_services import Api
from tests.support.engines.driven_browser import DrivenBrowser
from tests.support.engines.engine_user import TOP
from tests.support.engines.walks import new_walk

CONNECTED = "Your account is connected."
BEFORE = """
    if (location.pathname.startsWith("/connect/")) return "ours";
    return location.pathname === "/content" && !location.search.includes("sessionId=") && "the host's";
"""


@pytest.mark.every_mode(only_soak=False)
async def test_the_redirect_flow_ends_with_a_verified_result_and_back_finds_no_dead_end(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host, returnUrl=f"{other_host}/content")
    ada = await walk.redirect()
    await ada.connect()
    await _is_back(browser)
    query = parse_qs((await browser.js(TOP, "return location.search"))[1:])
    verified = await api.service("POST", "/v1/verify", {"state": query["state"][0], "userId": "ada"})
    assert (verified["sessionId"], verified["status"]) == (walk.session["id"], "connected")
    await browser.back()
    if await browser.until(TOP, BEFORE) == "ours":  # the provider's frame had left entries in the history
        await ada.shows(CONNECTED)
        await ada.press("Done")
        await _is_back(browser)


@pytest.mark.every_mode(only_soak=True)
async def test_back_after_leaving_the_redirect_flow_shows_its_button_and_goes_on(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host, returnUrl=f"{other_host}/content")
    ada = await walk.redirect()
    await ada.at_provider()
    await browser.until(TOP, "return document.readyState === 'complete'")  # else Firefox forgets the page's entry
    await ada.press("Leave")
    await _is_back(browser)
    await browser.back()
    await ada.shows("Connect a utility account")
    await ada.press("Continue")
    await ada.at_provider()


async def _is_back(browser: DrivenBrowser) -> None:
    await browser.until(TOP, "return location.pathname === '/content' && location.search.includes('sessionId=')")


@pytest.mark.every_mode(only_soak=False)
async def test_a_reloaded_page_goes_on(browser: DrivenBrowser, api: Api, other_host: str) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.opens()
    await browser.reload()
    await ada.opens()
    await ada.connect()
    await ada.shows(CONNECTED)
    assert (await walk.evidence())["crossDevice"] is False


@pytest.mark.every_mode(only_soak=True)
async def test_two_quick_reloads_raise_no_question(browser: DrivenBrowser, api: Api, other_host: str) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    for _ in range(2):
        await browser.js((), "setTimeout(() => location.reload())")
        await browser.until(
            (), "return document.querySelector('magic-link')?.shadowRoot?.querySelector('iframe') !== null"
        )
    await ada.opens()


@pytest.mark.every_mode(only_soak=True)
async def test_a_page_that_was_left_for_another_and_is_opened_by_its_address_goes_on(
    browser: DrivenBrowser, api: Api, other_host: str
) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.opens()
    await browser.go(api.services.demo)
    await walk.element()
    await ada.opens()


@pytest.mark.every_mode(only_soak=True)
async def test_a_page_that_was_left_goes_on_after_back(browser: DrivenBrowser, api: Api, other_host: str) -> None:
    walk = await new_walk(browser, api, other_host)
    ada = await walk.element()
    await ada.opens()
    await browser.go(api.services.demo)
    await browser.back()
    await ada.opens()
    await ada.connect()
    await ada.shows(CONNECTED)
    assert (await walk.evidence())["crossDevice"] is False
