"""Many tabs: a hidden one gives its stream back, counts as present all the same, and goes on when it is shown."""

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Error, Page, Request, expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, FlowPage, NewUser

TABS = 20
# A headless browser shows all of its pages at once: which of them is hidden is said here.
VISIBILITY = """
    window.hiddenNow = false;
    Object.defineProperty(document, "visibilityState", { get: () => (window.hiddenNow ? "hidden" : "visible") });
    Object.defineProperty(document, "hidden", { get: () => window.hiddenNow });
"""
SHOW = """(hidden) => {
    window.hiddenNow = hidden;
    document.dispatchEvent(new Event("visibilitychange"));
}"""


class Streams:
    """The streams that a page has open."""

    def __init__(self, page: Page) -> None:
        self.open: set[Request] = set()
        page.on("request", lambda one: self.open.add(one) if _is_stream(one) else None)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _ended(self, request: Request) -> None:
        self.open.discard(request)

    async def become(self, number: int) -> None:
        async with asyncio.timeout(20):
            while len(self.open) != number:  # noqa: ASYNC110 - the browser's own process
                await asyncio.sleep(0.05)


def _is_stream(request: Request) -> bool:
    return "/live/" in request.url and request.headers.get("accept") == "text/event-stream"


async def show(page: Page, *, hidden: bool) -> None:
    for frame in page.frames:
        with suppress(Error):  # the provider's frame may be taken away meanwhile
            await frame.evaluate(SHOW, hidden)


async def opened(api: Api, page: Page) -> str:
    session = await api.create("ada", "tabs", returnUrl=None)
    await page.goto(session["redirectUrl"])
    await page.get_by_role("button", name="Continue", exact=True).click()
    await FlowPage(page).provider.step("provider").wait_for()
    return str(session["id"])


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    user = await new_user()
    await user.page.context.add_init_script(VISIBILITY)
    return user


async def test_a_hidden_tab_gives_its_stream_back_and_takes_it_again(ada: BrowserUser, api: Api) -> None:
    streams = Streams(ada.page)
    session_id = await opened(api, ada.page)
    await streams.become(1)
    await show(ada.page, hidden=True)
    await streams.become(0)
    await api.revoke(session_id)
    await show(ada.page, hidden=False)
    await ada.redirected.shows("This link was withdrawn.", seconds=5)


async def test_a_hidden_tab_still_learns_what_happens_and_tells_the_host_once(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    await ada.page.context.add_init_script(VISIBILITY)
    await ada.sign_in()
    session = await api.create("ada", "tabs")
    flow = await ada.open(session)
    await flow.opens()
    await flow.provider.choose_provider()
    await flow.provider.sign_in()
    await flow.provider.choose_sites("Headquarters")
    await show(ada.page, hidden=True)
    await flow.provider.press("Connect")
    await flow.shows("Your account is connected.", seconds=40)
    await show(ada.page, hidden=False)
    await asyncio.sleep(1)
    types = [one["type"] for one in await ada.messages()]
    assert types.count("connected") == 1
    told = [one["event"] for one in await ada.messages() if one["type"] == "event"]
    assert told.count("session.connected") == 1


async def test_a_page_that_is_hidden_for_long_has_not_left(ada: BrowserUser, api: Api) -> None:
    # Not even its own timers run: as in a tab that was hidden for minutes.
    await ada.page.context.add_init_script("window.setInterval = () => 0;")
    beats: list[str] = []
    ada.page.on("request", lambda one: beats.append(one.url) if one.url.endswith("/heartbeat") else None)
    await opened(api, ada.page)
    await show(ada.page, hidden=True)
    before = len(beats)
    async with asyncio.timeout(45):
        while len(beats) < before + 1:  # noqa: ASYNC110 - the browser's own process
            await asyncio.sleep(0.2)


async def test_twenty_tabs_of_one_browser_all_work_over_http_1(ada: BrowserUser, api: Api) -> None:
    pages = [ada.page, *[await ada.page.context.new_page() for _ in range(TABS - 1)]]
    for page in pages:
        await opened(api, page)
        await show(page, hidden=True)
    for page in (pages[0], pages[-1]):
        await show(page, hidden=False)
        await FlowPage(page).press("I have finished")
        await expect(FlowPage(page).heading("Nothing has arrived yet.")).to_be_visible()
