"""The value that shows a reloaded page to be the same, where the frame's `sessionStorage` has lost it.

Firefox does that (`engines/test_walks.py` meets it); here Chromium, with its storage allowed, is made to.
"""

import json
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Frame, Playwright

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, EmbeddingHost, NewUser
from tests.support.chromium import whole_arguments

QUESTION = "This was opened in another window."
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
async def browser(playwright: Playwright, chromium_path: str) -> AsyncIterator[Browser]:
    """Chromium, which lets the frame keep something."""
    browser = await playwright.chromium.launch(
        executable_path=chromium_path, args=whole_arguments(storage_allowed=True)
    )
    yield browser
    await browser.close()


async def _opened(new_user: NewUser, api: Api, origin: str, company: str) -> tuple[BrowserUser, EmbeddingHost, Frame]:
    """Ada, her host's page, and the frame in which the flow was started."""
    ada, host = await new_user(), EmbeddingHost(await api.create("ada", company, origin=origin), origin)
    await (await host.open(ada)).opens()
    return ada, host, ada.page.frames[1]


async def test_a_page_whose_session_storage_lost_the_value_goes_on(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, host, frame = await _opened(new_user, api, other_host, "lost")
    await frame.evaluate("sessionStorage.clear()")
    await ada.page.reload()
    await ada.embedded.opens()
    await ada.embedded.provider.connect()
    await ada.embedded.shows("Your account is connected.")
    evidence = (await api.only_connection(host.session["id"]))["evidence"]
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (False, False)


async def test_another_tab_of_the_browser_is_asked_although_it_has_the_same_storage(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, host, frame = await _opened(new_user, api, other_host, "other-tab")
    kept = await frame.evaluate("JSON.stringify(localStorage)")
    assert list(json.loads(kept)) == [f"magiclink:{host.session['id']}"]
    other = BrowserUser(await ada.page.context.new_page(), api.services)
    flow = await host.open(other)
    await flow.shows(QUESTION)
    assert await other.page.frames[1].evaluate("localStorage.length") == 1


async def test_what_the_hosts_page_can_read_starts_nothing_by_itself(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, host, frame = await _opened(new_user, api, other_host, "host-reads")
    read = await ada.page.evaluate("Object.values(sessionStorage)[0]")
    assert len(read) == 43
    kept = await frame.evaluate("Object.values(localStorage)[0]")
    assert kept.split(".")[0] == read
    assert kept.split(".")[1] != read
    mallory = await new_user()
    await mallory.page.add_init_script(f"sessionStorage['magiclink:{host.session['id']}'] = '{read}'")
    await (await host.open(mallory)).shows(QUESTION)


async def test_entries_of_the_day_before_are_removed(new_user: NewUser, api: Api, other_host: str) -> None:
    ada, _, frame = await _opened(new_user, api, other_host, "day-before")
    old = f"['x', 'y', Date.now() - {DAY_MS} - 1].join('.')"
    await frame.evaluate(f"() => {{ localStorage['magiclink:ses_old'] = {old}; localStorage.other = 'x'; }}")
    host = EmbeddingHost(await api.create("ada", "day-after", origin=other_host), other_host)
    await (await host.open(ada)).opens()
    names = await ada.page.frames[1].evaluate("Object.keys(localStorage)")
    assert "magiclink:ses_old" not in names
    assert {"other", f"magiclink:{host.session['id']}"} < set(names)
