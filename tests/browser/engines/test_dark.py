"""Light and dark: in every engine our page follows the scheme that the host's page declares, otherwise the system."""

import pytest

from tests.support.browser_services import Api
from tests.support.engines.driven_browser import DrivenBrowser
from tests.support.engines.engine_user import TOP
from tests.support.engines.walks import new_walk

IS_SHOWN = "return document.readyState === 'complete' && document.getElementById('flow') !== null"
GROUND = "return getComputedStyle(document.body).backgroundColor === '%s'"
LIGHT, DARK = GROUND % "rgb(244, 246, 245)", GROUND % "rgb(15, 21, 20)"
LOOK = """return JSON.stringify([
    matchMedia("(prefers-color-scheme: dark)").matches,
    getComputedStyle(document.body).colorScheme,
    document.querySelector("magic-link")?.shadowRoot.querySelector("iframe")?.src.split("?").at(-1),
    [...document.querySelectorAll("link[rel=stylesheet]")].map((one) => [one.href, one.sheet?.cssRules.length]),
])"""


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
            # Firefox sends the scheme around a frame to the frame's process, where it may come after the page.
            try:
                await browser.until(ada.ours, DARK if expected else LIGHT)
            except AssertionError as failure:
                host, ours = [await browser.js(frames, LOOK) for frames in (TOP, ada.ours)]
                failure.add_note(f"color-scheme: {scheme}\nthe host's page {host}\nour page {ours}")
                raise
