"""Light and dark: in every engine our page follows the scheme that the host's page declares, otherwise the system."""

import pytest

from tests.support.browser_services import Api
from tests.support.engines.driven_browser import DrivenBrowser
from tests.support.engines.engine_user import TOP
from tests.support.engines.walks import new_walk

IS_SHOWN = "return document.readyState === 'complete' && document.getElementById('flow') !== null"
GROUND = "return getComputedStyle(document.body).backgroundColor === '%s'"
LIGHT, DARK = GROUND % "rgb(244, 246, 245)", GROUND % "rgb(15, 21, 20)"
SYSTEM_IS_DARK = "return matchMedia('(prefers-color-scheme: dark)').matches"


@pytest.fixture(scope="session", params=[False, True], ids=["light system", "dark system"])
def dark(request: pytest.FixtureRequest) -> bool:
    """The system's colour scheme."""
    return bool(request.param)


async def test_our_page_has_the_scheme_of_the_hosts_page_otherwise_the_systems(
    browser: DrivenBrowser, api: Api, other_host: str, *, dark: bool
) -> None:
    walk = await new_walk(browser, api, other_host)
    for open_page in (walk.element, walk.dialog):
        for scheme, expected in (("light", False), ("dark", True), ("light dark", dark), ("normal", dark)):
            ada = await open_page(scheme=scheme)
            await browser.until(ada.ours, IS_SHOWN)
            if await browser.js(TOP, SYSTEM_IS_DARK) != dark:
                # On a busy machine Firefox 153 has given a host's page the other scheme, for as long as it was open.
                await browser.repeat_scheme(dark=dark)
            # Firefox sends the scheme around a frame to the frame's process, where it may come after the page.
            await browser.until(ada.ours, DARK if expected else LIGHT)
