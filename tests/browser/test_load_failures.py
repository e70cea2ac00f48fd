"""A frame that cannot show our page: the user gets words and perhaps a retry, the host a code and a line."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.flow_messages import told

OPEN = """(url) => {
    window.messages = [];
    window.closed = 0;
    const keep = (payload) => window.messages.push(payload);
    window.flow = MagicLink.open({ url, onReady: keep, onOpen: keep, onError: keep, onExit: keep, onClosed: keep });
}"""
NOTICE = "dialog.magiclink [role=alert]"


async def _host(new_user: NewUser, origin: str, said: list[str], policy: str = "") -> BrowserUser:
    """A host's page with our script; what the console says of us is kept."""
    user = await new_user(watched=False)
    user.page.on("console", lambda one: said.append(one.text) if one.text.startswith("MagicLink") else None)
    meta = f'<meta http-equiv=Content-Security-Policy content="{policy.format(service=user.services.service)}">'
    script = f"<script src='{user.services.service}/embed.js'></script>"
    content = f"{meta if policy else ''}<body><button id=opener>Connect</button>{script}"
    await user.page.goto(f"{origin}/content?{quote(content)}")
    await user.page.locator("#opener").focus()
    return user


async def _fails(user: BrowserUser, url: str, code: str, *, retryable: bool) -> None:
    """Within three seconds, and counted where the host counts: on its page."""
    await user.page.evaluate(OPEN, url)
    await expect(user.page.locator(NOTICE)).to_be_visible(timeout=3_000)
    (error,) = await told(user, "error")
    assert (error["code"], error["retryable"], error["sessionId"]) == (code, retryable, None)
    await expect(user.page.get_by_role("button", name="Try again")).to_have_count(1 if retryable else 0)
    await expect(user.page.locator("dialog iframe")).to_have_count(0)


async def _closes(user: BrowserUser, kind: str, outcome: str) -> None:
    await user.page.get_by_role("button", name="Close").click()
    await expect(user.page.locator("dialog")).to_have_count(0)
    await expect(user.page.locator("#opener")).to_be_focused()
    last = (await told(user, "error", kind))[-1]
    assert last["outcome"] == outcome


@pytest.mark.parametrize("change", ["unknown", "cut off"])
async def test_a_token_of_no_session(new_user: NewUser, api: Api, other_host: str, change: str) -> None:
    said: list[str] = []
    ada = await _host(new_user, other_host, said)
    url = (await api.create("ada", "load-unknown", origin=other_host))["embedUrl"]
    changed = url[:-4] if change == "cut off" else f"{ada.services.service}/embed/a-token"
    await _fails(ada, changed, "not_found", retryable=False)
    assert [one for one in said if "whole embedUrl" in one] == said
    assert len(said) == 1
    await _closes(ada, "closed", "not_found")


async def test_a_scheme_that_changes_where_nothing_is_framed_is_no_error(new_user: NewUser, other_host: str) -> None:
    ada = await _host(new_user, other_host, [])
    errors: list[str] = []
    ada.page.on("pageerror", lambda error: errors.append(str(error)))
    await _fails(ada, f"{ada.services.service}/embed/a-token", "not_found", retryable=False)
    await ada.page.evaluate("document.documentElement.style.colorScheme = 'dark'")
    await ada.page.evaluate("new Promise((done) => setTimeout(done))")
    assert errors == []


async def test_a_page_of_a_session_for_another_origin(
    new_user: NewUser, api: Api, stranger: str, other_host: str
) -> None:
    said: list[str] = []
    ada = await _host(new_user, stranger, said)
    url = (await api.create("ada", "load-origin", origin=other_host))["embedUrl"]
    await _fails(ada, url, "blocked", retryable=False)
    assert len(said) == 1
    assert stranger in said[0]
    await _closes(ada, "closed", "blocked")


async def test_a_host_page_whose_own_policy_has_no_place_for_our_frame(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    said: list[str] = []
    ada = await _host(new_user, other_host, said, "default-src 'none'; script-src {service}")
    url = (await api.create("ada", "load-policy", origin=other_host))["embedUrl"]
    await _fails(ada, url, "blocked", retryable=False)
    assert "frame-src" in said[0]


@pytest.mark.parametrize("answer", ["no network", "another page", "an error of a proxy", "our database is away"])
async def test_what_a_retry_can_help(new_user: NewUser, api: Api, other_host: str, answer: str) -> None:
    said: list[str] = []
    ada = await _host(new_user, other_host, said)
    session = await api.create("ada", "load-network", origin=other_host)

    async def handle(route: Any) -> None:
        if answer == "no network":
            await route.abort("connectionrefused")
        elif answer == "our database is away" and not route.request.url.endswith("/embed/-"):
            await route.continue_(url=f"{ada.services.service}/embed/a-token")
        else:
            await route.fulfill(status=200 if answer == "another page" else 502, body="<h1>Sign in to the network</h1>")

    if answer == "our database is away":
        script = re.compile("/framed-error.js$")
        words = "window.parent.postMessage({source: 'magiclink-frame', type: 'refused', code: 'unavailable'}, '*')"
        await ada.page.route(script, lambda route: route.fulfill(body=words, content_type="text/javascript"))
    await ada.page.route(re.compile("/embed/"), handle)
    await _fails(ada, session["embedUrl"], "unavailable", retryable=True)
    assert len(said) == 1
    await ada.page.unroute_all()
    await ada.page.get_by_role("button", name="Try again").click()
    await ada.embedded.opens()
    await told(ada, "error", "ready", "open")
    await expect(ada.page.locator(NOTICE)).to_have_count(0)


async def test_leaving_where_nothing_came_is_an_exit(new_user: NewUser, other_host: str) -> None:
    ada = await _host(new_user, other_host, [])
    await ada.page.route(re.compile("/embed/"), lambda route: route.abort("connectionrefused"))
    await _fails(ada, f"{ada.services.service}/embed/a-token", "unavailable", retryable=True)
    await _closes(ada, "exit", "none")


async def test_a_page_that_is_only_slow_is_told_and_appears_when_it_comes(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await _host(new_user, other_host, [])
    session = await api.create("ada", "load-slow", origin=other_host)
    waiting: list[Any] = []

    async def hold(route: Any) -> None:
        waiting.append(route)

    await ada.page.route(re.compile("/embed/[^/]+$"), hold)
    await ada.page.clock.install(time=0)
    await ada.page.clock.pause_at(1000)
    await ada.page.evaluate(OPEN, session["embedUrl"])
    await ada.page.clock.run_for(3_000)
    await expect(ada.page.locator(NOTICE)).to_be_visible()
    await ada.page.clock.resume()
    error = (await told(ada, "error", slow=True))[-1]
    assert (error["code"], error["retryable"]) == ("load_timeout", True)
    for route in waiting:
        await route.continue_()
    await ada.embedded.opens()
    await expect(ada.page.locator(NOTICE)).to_have_count(0)
    await told(ada, "error", "ready", "open", slow=True)


async def test_a_page_that_comes_in_time_is_not_called_slow(new_user: NewUser, api: Api, other_host: str) -> None:
    ada = await _host(new_user, other_host, [])
    session = await api.create("ada", "load-in-time", origin=other_host)
    await ada.page.clock.install(time=0)
    await ada.page.clock.pause_at(1000)
    await ada.page.evaluate(OPEN, session["embedUrl"])
    await ada.page.get_by_role("button", name="Close").wait_for(state="detached")  # our page is heard
    await ada.page.clock.run_for(5_000)
    types = await ada.message_types()
    assert "ready" in types
    assert "error" not in types
    await expect(ada.page.locator(NOTICE)).to_have_count(0)


async def test_a_frame_that_loses_its_page_later_gets_it_back_with_a_way_out(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await _host(new_user, other_host, [])
    session = await api.create("ada", "load-later", origin=other_host)
    await ada.page.evaluate(OPEN, session["embedUrl"])
    await ada.embedded.opens()
    await ada.page.route(re.compile("/embed/[^/]+$"), lambda route: route.abort("connectionrefused"))
    (frame,) = [one for one in ada.page.frames if "/embed/" in one.url]
    await frame.evaluate("location.reload()")
    await expect(ada.page.locator(NOTICE)).to_be_visible(timeout=3_000)
    await ada.page.unroute_all()
    await ada.page.get_by_role("button", name="Try again").click()
    await ada.embedded.opens()
    await ada.page.get_by_role("button", name="Close").wait_for(state="detached")


async def test_without_our_script_an_unknown_token_gets_the_same_page_whoever_frames_it(
    new_user: NewUser, stranger: str
) -> None:
    ada = await new_user(watched=False)
    heard = "addEventListener('message', ({ data, origin }) => { window.heard = JSON.stringify([data, origin]) })"
    frame = f"<iframe title=x src='{ada.services.service}/embed/a-token'></iframe>"
    await ada.page.goto(f"{stranger}/content?{quote(f'<body><script>{heard}</script>{frame}')}")
    await expect(ada.page.frame_locator("iframe").get_by_role("heading")).to_have_text("This link does not work.")
    assert await ada.page.frame_locator("iframe").locator("a, button, form, input").count() == 0
    await ada.page.wait_for_function("window.heard")
    data = {"source": "magiclink-frame", "type": "refused", "code": "not_found"}
    assert await ada.page.evaluate("JSON.parse(window.heard)") == [data, ada.services.service]
