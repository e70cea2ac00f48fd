"""A host app that stands in a frame itself: which page may be around ours, and which right around it."""

from urllib.parse import quote

import pytest
from playwright.async_api import FrameLocator, Route, expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, FlowPage, NewUser


async def hide_ancestors(user: BrowserUser) -> None:
    """As in Firefox: no page can take `ancestorOrigins` away, so our script asks for something else."""

    async def changed(route: Route) -> None:
        script = await (await route.fetch()).text()
        assert "window.location.ancestorOrigins" in script
        await route.fulfill(
            body=script.replace("window.location.ancestorOrigins", "undefined"), content_type="text/javascript"
        )

    await user.page.route("**/static/*/parent.js", changed)


def framed(url: str) -> str:
    return f"<iframe title=app width=1000 height=800 src='{url}'></iframe>"


async def open_around(user: BrowserUser, outer: str, origin: str, content: str) -> FrameLocator:
    """Our script's page on `origin`, framed by a page on `outer`."""
    script = f"<script src='{user.services.service}/embed.js'></script>"
    inner = f"{origin}/content?{quote(f'<body>{script}{content}', safe='')}"
    await user.page.goto(f"{outer}/content?{quote(f'<body>{framed(inner)}')}")
    return user.page.frame_locator("iframe[title=app]")


@pytest.mark.parametrize("browser_tells", [True, False], ids=["told by the browser", "told by the host's script"])
async def test_it_starts_in_the_hosts_page_within_another(
    new_user: NewUser, api: Api, other_host: str, outer_host: str, *, browser_tells: bool
) -> None:
    ada = await new_user()
    if not browser_tells:
        await hide_ancestors(ada)
    url = (await api.create("ada", "ancestors", origin=other_host, ancestors=[outer_host]))["embedUrl"]
    app = await open_around(ada, outer_host, other_host, f"<magic-link url='{url}'></magic-link>")
    await FlowPage(app.frame_locator("iframe[title='Connect a utility account']")).opens()


@pytest.mark.whole_chromium
@pytest.mark.parametrize("browser_tells", [True, False], ids=["told by the browser", "told by the host's script"])
async def test_in_an_outer_page_that_frames_it_directly_nothing_starts(
    new_user: NewUser, api: Api, other_host: str, outer_host: str, *, browser_tells: bool
) -> None:
    ada = await new_user()
    if not browser_tells:
        await hide_ancestors(ada)
    session = await api.create("ada", "ancestors", origin=other_host, ancestors=[outer_host])
    await ada.page.goto(f"{outer_host}/?{session['embedUrl']}")
    if browser_tells:
        await ada.embedded.shows("This link does not work.")
        await expect(ada.embedded.where.locator("[data-code]")).to_have_text("blocked")
    await ada.page.wait_for_timeout(1_000)
    assert (await api.session(session["id"]))["status"] == "created"


async def test_without_ancestors_a_framed_host_is_refused_by_the_browser(
    new_user: NewUser, api: Api, other_host: str, outer_host: str
) -> None:
    ada = await new_user(watched=False)
    session = await api.create("ada", "ancestors", origin=other_host)
    app = await open_around(ada, outer_host, other_host, f"<magic-link url='{session['embedUrl']}'></magic-link>")
    await expect(app.get_by_text("Reason: blocked")).to_be_visible()
    assert (await api.session(session["id"]))["status"] == "created"
