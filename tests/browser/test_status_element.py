"""<magic-link-status>: a user's connections in the host's page, and the way to mend one."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import FrameLocator, Page, Route, expect

from service.web.embed_script import STATUS_SCRIPTS
from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.screenshots import Screenshots

WATCH = """window.kept = []; window.violations = [];
    for (const type of ['mend', 'expired', 'error']) {
      addEventListener(type, ({ target, detail }) =>
        target.localName === 'magic-link-status' && kept.push({ type, detail }), true);
    }
    Object.defineProperty(window, 'element', { get: () => document.querySelector('magic-link-status') });
    window.shown = () => [...element.shadowRoot.querySelectorAll('iframe')];
    addEventListener('securitypolicyviolation', (one) => violations.push(one.violatedDirective));"""
FITTED = "element.style.getPropertyValue('--magiclink-status-height') !== ''"
KEEP_HEIGHTS = """() => {
    window.heights = new Set();
    window.sized = new ResizeObserver(([one]) => heights.add(one.contentRect.height));
    sized.observe(element);
}"""
POST = "(forged) => { parent.postMessage(forged, '*'); }"
TAG = "<magic-link-status url='{}'></magic-link-status>"
THEME = '{"accent": "#7a1fa2", "radius": 20}'
WRONG_PASSWORD = "not-the-password"


class StatusHost:
    """A page of a host on one origin, which shows the status of one user."""

    def __init__(self, user: BrowserUser, api: Api, origin: str) -> None:
        self.user, self.page, self.origin = user, user.page, origin
        self._api = api
        self.service = user.services.service

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe[title='Your utility accounts']").last

    async def url(self, user_id: str, origin: str | None = None) -> str:
        path = f"/v1/users/{user_id}/status?origin={quote(origin or self.origin, safe='')}"
        return str((await self._api.service("GET", path))["statusUrl"])

    async def show(self, content: str, **headers: str) -> None:
        """Besides the content the page has our script and one of its own, which keeps the events."""
        body = f"<body><script nonce=x>{WATCH}</script><script src='{self.service}/embed-status.js'></script>{content}"
        path = f"/content/{quote(json.dumps(headers), safe='')}" if headers else "/content"
        await self.page.goto(f"{self.origin}{path}?{quote(body)}")

    async def show_status(self, url: str, **headers: str) -> None:
        await self.show(TAG.format(url), **headers)

    async def events(self, number: int) -> list[dict[str, Any]]:
        """The events once there are so many."""
        await self.page.wait_for_function("(number) => window.kept?.length >= number", arg=number)
        events: list[dict[str, Any]] = await self.page.evaluate("window.kept")
        return events

    async def shows(self, words: str) -> None:
        await expect(self.frame.get_by_text(words).first).to_be_visible()


@pytest.fixture
async def host(new_user: NewUser, api: Api, other_host: str) -> StatusHost:
    return StatusHost(await new_user(), api, other_host)


@pytest.fixture
async def failing_host(new_user: NewUser, api: Api, other_host: str) -> StatusHost:
    """A host in which our script writes errors to the console, as the test wants."""
    return StatusHost(await new_user(watched=False), api, other_host)


Connects = Callable[..., Awaitable[str]]


@pytest.fixture
def connects(new_user: NewUser, api: Api) -> Connects:
    """Connects an account of a user, who may give a wrong password; returns the connection's id."""

    async def connect(user_id: str, *, wrong: bool = False) -> str:
        session = await api.create(user_id, f"status-{user_id}", origin=None)
        page = (await new_user()).page
        await page.goto(session["redirectUrl"])
        flow = FlowPage(page)
        await flow.press("Continue")
        await flow.provider.choose_provider()
        await flow.provider.sign_in(*([WRONG_PASSWORD] if wrong else []))
        if wrong:
            await expect(flow.provider.where.get_by_role("alert")).to_contain_text("did not accept")
            await flow.words("did not").first.wait_for()
        else:
            await flow.provider.choose_sites("Headquarters")
            await flow.provider.press("Connect")
            await flow.shows("Your account is connected.")
        await page.close()
        return str((await api.only_connection(session["id"]))["id"])

    return connect


async def _height(page: Page) -> tuple[int, int]:
    """Of the element, and of what its frame shows."""
    outer = await page.evaluate("element.clientHeight")
    inner = await page.frames[-1].evaluate(
        "Math.ceil(document.getElementById('status').getBoundingClientRect().height)"
    )
    return int(outer), int(inner)


async def test_a_host_that_allows_nothing_else_can_have_a_connection_mended(
    host: StatusHost, api: Api, connects: Connects
) -> None:
    connection_id = await connects("status-mends", wrong=True)
    policy = f"default-src 'none'; script-src {host.service} 'nonce-x'; frame-src {host.service}"
    policy += "; require-trusted-types-for 'script'; trusted-types 'none'"
    await host.show_status(await host.url("status-mends"), **{"Content-Security-Policy": policy})
    await host.frame.get_by_role("button", name="Sign in again").click()
    assert await host.events(1) == [{"type": "mend", "detail": {"connectionId": connection_id}}]
    assert await host.page.evaluate("window.violations") == []
    reconnect = await api.service("POST", f"/v1/connections/{connection_id}/reconnect", {"origin": host.origin})
    assert reconnect["mode"] == "reconnect"


async def test_it_fits_its_content_and_stays_in_place_when_the_host_gives_another_url(
    host: StatusHost, connects: Connects
) -> None:
    await connects("status-fits")
    url = await host.url("status-fits")
    await host.show_status(url)
    await host.shows("Connected")
    await host.page.wait_for_function(FITTED)
    outer, inner = await _height(host.page)
    assert outer == inner
    await host.page.evaluate(KEEP_HEIGHTS)
    await host.page.evaluate("(url) => { element.url = url; }", f"{url}.")
    await host.page.wait_for_function("(url) => shown().length === 1 && shown()[0].src.startsWith(url)", arg=f"{url}.?")
    await host.shows("Connected")
    assert await host.page.evaluate("[...heights]") == [outer]


async def test_only_the_origin_that_it_was_made_for_shows_it(
    failing_host: StatusHost, connects: Connects, stranger: str
) -> None:
    await connects("status-strangers")
    url = await failing_host.url("status-strangers")
    failing_host.origin = stranger
    await failing_host.show_status(url)
    assert await failing_host.events(1) == [{"type": "error", "detail": {"code": "unavailable"}}]
    await expect(failing_host.page.get_by_role("alert")).to_contain_text("cannot be shown right now")
    assert "Nectar Sandbox" not in str([await one.content() for one in failing_host.page.frames])


async def test_an_address_without_a_page_is_an_error_and_can_be_tried_again(failing_host: StatusHost) -> None:
    await failing_host.show_status(f"{failing_host.service}/status/cut-off")
    assert await failing_host.events(1) == [{"type": "error", "detail": {"code": "not_found"}}]
    await failing_host.page.get_by_role("button", name="Try again").click()
    assert [one["detail"]["code"] for one in await failing_host.events(2)] == ["not_found", "not_found"]


@pytest.mark.parametrize("url", ["https://evil.example/status/x", "{service}/embed/x", "status/x", ""])
async def test_it_frames_status_pages_of_its_own_origin_only(failing_host: StatusHost, url: str) -> None:
    url = url.format(service=failing_host.service)
    await failing_host.show_status(url)
    assert await failing_host.events(1) == [{"type": "error", "detail": {"code": "bad_url"}}]
    assert await failing_host.page.evaluate("shown().length") == 0
    thrown = "(url) => { try { element.url = url; } catch (error) { return error.name; } }"
    assert await failing_host.page.evaluate(thrown, url) == "TypeError"


async def test_messages_of_other_windows_are_ignored(host: StatusHost, connects: Connects) -> None:
    connection_id = await connects("status-others", wrong=True)
    await host.show_status(await host.url("status-others"))
    await host.shows("Sign-in not accepted")
    forged = {"source": "magiclink-status", "type": "mend", "connectionId": connection_id}
    await host.page.evaluate("(forged) => window.postMessage(forged, '*')", forged)
    # Another page of the same service.
    beside = "(src) => document.body.append(Object.assign(document.createElement('iframe'), { src, name: 'beside' }))"
    await host.page.evaluate(beside, f"{host.service}/status/cut-off")
    await host.page.frame_locator("[name=beside]").get_by_text("not_found").wait_for()
    await next(one for one in host.page.frames if one.name == "beside").evaluate(POST, forged)
    # A message of its own frame that names no connection, and then one that does.
    own = next(one for one in host.page.frames if one.parent_frame and not one.name)
    await own.evaluate(POST, forged | {"connectionId": "<b>"})
    await host.frame.get_by_role("button", name="Sign in again").click()
    assert await host.events(1) == [{"type": "mend", "detail": {"connectionId": connection_id}}]
    # Its own frame, once another site's page is in it.
    elsewhere = f"{host.origin}/content?elsewhere"
    await host.page.evaluate("(url) => { shown()[0].src = url; }", elsewhere)
    await host.frame.get_by_text("elsewhere").wait_for()
    await next(one for one in host.page.frames if one.url == elsewhere).evaluate(POST, forged)
    await host.page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    assert len(await host.events(1)) == 1


async def test_inside_a_shadow_root_set_early_moved_and_mounted_twice(host: StatusHost, connects: Connects) -> None:
    connection_id = await connects("status-mounts", wrong=True)
    await host.page.goto(f"{host.origin}/content?{quote('<body><div id=app></div><div id=other></div>')}")
    await host.page.evaluate(
        """(url) => {
            const root = document.getElementById("app").attachShadow({ mode: "open" });
            window.element = document.createElement("magic-link-status");
            element.url = url;
            element.addEventListener("mend", ({ detail }) => { window.mended = detail.connectionId; });
            root.append(element);
        }""",
        await host.url("status-mounts"),
    )
    tag = STATUS_SCRIPTS.by_language["en"].tag(host.service)
    await host.page.evaluate("(tag) => document.head.append(document.createRange().createContextualFragment(tag))", tag)
    await host.shows("Sign-in not accepted")
    await host.page.evaluate("document.getElementById('other').moveBefore(element, null)")
    await host.shows("Sign-in not accepted")
    await host.page.evaluate("() => { element.remove(); document.body.append(element); }")
    await host.frame.get_by_role("button", name="Sign in again").click()
    await host.page.wait_for_function("(id) => window.mended === id", arg=connection_id)


@pytest.mark.parametrize("policy", ["require-corp", "credentialless"])
async def test_an_isolated_host_page_shows_it(host: StatusHost, api: Api, policy: str) -> None:
    await api.create("status-isolated", "status-isolated")
    isolated = {"Cross-Origin-Embedder-Policy": policy, "Cross-Origin-Opener-Policy": "same-origin"}
    await host.show_status(await host.url("status-isolated"), **isolated)
    assert await host.page.evaluate("window.crossOriginIsolated") is True
    await host.shows("No utility account is connected.")


async def test_its_theme_is_the_elements_and_follows_the_hosts_scheme(host: StatusHost, connects: Connects) -> None:
    await connects("status-theme", wrong=True)
    url = await host.url("status-theme")
    style = "<style>:root.dark { color-scheme: dark } :root { color-scheme: light }</style>"
    await host.show(f"{style}<magic-link-status url='{url}' theme='{THEME}'></magic-link-status>")
    button, row = host.frame.get_by_role("button", name="Sign in again"), host.frame.locator("li")
    await expect(button).to_have_css("background-color", "rgb(122, 31, 162)")
    await expect(button).to_have_css("border-radius", "20px")
    await expect(row).to_have_css("background-color", "rgb(255, 255, 255)")
    await host.page.evaluate("document.documentElement.className = 'dark'")
    await expect(row).to_have_css("background-color", "rgb(24, 32, 30)")
    await host.page.evaluate("element.theme = { radius: 4 }")
    await expect(button).to_have_css("border-radius", "4px")
    await host.page.evaluate("element.theme = 'light'")
    await expect(row).to_have_css("background-color", "rgb(255, 255, 255)")
    assert await host.page.evaluate("shown().length") == 1
    # A colour that could not be read, and anything else that is not a theme, changes nothing.
    for refused in ('{"accent": "#ffffff"}', '{"radius": 99}', "light-expression(1)"):
        await host.show(f"{style}<magic-link-status url='{url}' theme='{refused}'></magic-link-status>")
        await expect(button).to_have_css("border-radius", "10px")


async def test_a_scheme_that_changes_while_it_loads_is_followed(host: StatusHost, connects: Connects) -> None:
    await connects("status-late")
    held = asyncio.Queue[Route]()
    await host.page.route(re.compile("/status/[^/]+$"), held.put)
    await host.show("")
    await host.page.evaluate(
        "(content) => { document.body.innerHTML = content }", TAG.format(await host.url("status-late"))
    )
    page = await held.get()
    await host.page.add_style_tag(content=":root { color-scheme: dark }")  # of which no event tells
    await page.continue_()
    await expect(host.frame.locator("li")).to_have_css("background-color", "rgb(24, 32, 30)")


async def test_its_pictures(host: StatusHost, connects: Connects, screenshots: Screenshots) -> None:
    await connects("status-pictures")
    await connects("status-pictures", wrong=True)
    await host.show_status(await host.url("status-pictures"))
    await host.shows("Sign-in not accepted")
    await host.page.wait_for_function(FITTED)
    frame = next(one for one in host.page.frames if one.url.startswith(f"{host.service}/status/"))
    await screenshots.show(host.page, "status-accounts", [frame])


async def test_it_tells_when_its_url_has_expired(host: StatusHost, api: Api) -> None:
    await api.create("status-expires", "status-expires")
    await host.page.clock.install()
    await host.show_status(await host.url("status-expires"))
    await host.shows("No utility account is connected.")
    await host.page.clock.fast_forward(590_000)
    assert await host.page.evaluate("window.kept") == []
    await host.page.clock.fast_forward(11_000)
    assert await host.events(1) == [{"type": "expired", "detail": {}}]
