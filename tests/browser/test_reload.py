"""Reload or thief: who is asked where the frame's storage is blocked, and for what depends on it where it is allowed.

`engines/` walks through reloads, Back and a second window where the storage works.
"""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, Playwright, Request, Route

from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, EmbeddingHost, FlowPage, NewUser
from tests.support.chromium import whole_arguments

START = re.compile(r"/embed/[^/]+/start$")
QUESTION = "This was opened in another window."


BLOCKED, ALLOWED = "storage blocked", "storage allowed"
both = pytest.mark.parametrize("storage", [BLOCKED, ALLOWED], scope="module")


@pytest.fixture(scope="module")
def storage() -> str:
    """What the browser lets the frame keep; Debian's Chromium nothing."""
    return BLOCKED


@pytest.fixture(scope="module")
async def browser(playwright: Playwright, chromium_path: str, storage: str) -> AsyncIterator[Browser]:
    """Chromium with its back-forward cache, which Playwright switches off."""
    arguments = whole_arguments(storage_allowed=storage == ALLOWED)
    browser = await playwright.chromium.launch(
        executable_path=chromium_path, args=arguments, ignore_default_args=["--disable-back-forward-cache"]
    )
    yield browser
    await browser.close()


@pytest.fixture
def allowed(storage: str) -> bool:
    """Whether this browser lets the frame use its storage."""
    return storage == ALLOWED


async def _make(api: Api, origin: str, company: str, path: str = "/element") -> EmbeddingHost:
    return EmbeddingHost(await api.create("ada", company, origin=origin), origin, path)


async def _evidence(flow: FlowPage, api: Api, session: Json) -> Json:
    """Connect to the end; return why the connection is the session's."""
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    found: Json = (await api.only_connection(session["id"]))["evidence"]
    return found


async def _shows_the_provider(flow: FlowPage) -> None:
    await flow.opens()
    assert not await flow.heading(QUESTION).is_visible()


@both
async def test_storage_is_as_this_run_says(new_user: NewUser, api: Api, other_host: str, *, allowed: bool) -> None:
    ada = await new_user()
    await _shows_the_provider(await (await _make(api, other_host, "which-storage")).open(ada))
    frame = ada.page.frames[1]
    works = "() => { try { return sessionStorage.length } catch { return null } }"
    assert await frame.evaluate(works) == (1 if allowed else None)
    assert await ada.page.evaluate("sessionStorage.length") == 1


@both
async def test_a_page_that_is_reloaded_goes_on_without_a_question(
    new_user: NewUser, api: Api, other_host: str, *, allowed: bool
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "reloaded")
    await _shows_the_provider(await host.open(ada))
    await ada.page.reload()
    await _shows_the_provider(ada.embedded)
    evidence = await _evidence(ada.embedded, api, host.session)
    assert evidence["crossDevice"] is False
    assert evidence.get("resumedBy") == (None if allowed else "host")


@both
async def test_a_page_that_was_closed_first_and_is_opened_again_is_not_asked(
    new_user: NewUser, api: Api, other_host: str, *, allowed: bool
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "closed-first")
    await _shows_the_provider(await host.open(ada))
    await ada.page.evaluate("document.querySelector('magic-link').remove()")
    await api.becomes(host.session["id"], "exited")
    await _shows_the_provider(await host.open(ada))
    evidence = await _evidence(ada.embedded, api, host.session)
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (False, not allowed)


@pytest.mark.parametrize("left", [False, True], ids=["while it is open", "after it left"])
async def test_a_stolen_url_in_another_browser_is_asked_and_then_crossdevice(
    new_user: NewUser, api: Api, other_host: str, *, left: bool
) -> None:
    ada, mallory = await new_user(), await new_user()
    host = await _make(api, other_host, f"stolen-{left}")
    await _shows_the_provider(await host.open(ada))
    if left:
        await ada.page.close()
        await api.becomes(host.session["id"], "exited")
    flow = await host.open(mallory)
    await flow.shows(QUESTION)
    await flow.press("Continue here")
    evidence = await _evidence(flow, api, host.session)
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (True, False)


async def test_a_page_that_was_taken_over_is_asked_after_a_reload(new_user: NewUser, api: Api, other_host: str) -> None:
    ada, other = await new_user(), await new_user()
    host = await _make(api, other_host, "taken-over")
    await _shows_the_provider(await host.open(ada))
    await (await host.open(other)).press("Continue here")
    await ada.embedded.shows("You continued in another window.")
    await ada.page.reload()
    await ada.embedded.shows(QUESTION)


@both
async def test_a_bare_frame_is_asked_after_a_reload_only_where_it_has_no_storage(
    new_user: NewUser, api: Api, other_host: str, *, allowed: bool
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "bare-frame", "/")
    await _shows_the_provider(await host.open(ada))
    await ada.page.reload()
    if not allowed:
        await ada.embedded.shows(QUESTION)
        await ada.embedded.press("Continue here")
    await _shows_the_provider(ada.embedded)
    evidence = await _evidence(ada.embedded, api, host.session)
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (not allowed, False)


async def test_a_page_that_said_leave_goes_on_in_place_without_a_question(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "leave-and-continue", "/")
    flow = await host.open(ada)
    await _shows_the_provider(flow)
    await flow.press("Leave")
    await api.becomes(host.session["id"], "exited")
    await flow.press("Continue")
    await _shows_the_provider(flow)
    await api.becomes(host.session["id"], "opened")


async def test_two_reloads_between_a_start_and_its_answer_raise_no_question(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "quick-reloads")
    reached: asyncio.Queue[int] = asyncio.Queue()

    async def lose_the_answer(route: Route) -> None:
        reached.put_nowait((await route.fetch()).status)  # the service has started the page

    await ada.page.route(START, lose_the_answer)
    await ada.page.goto(host.address)
    for _ in range(2):
        assert await reached.get() == 200
        await ada.page.reload()
    assert await reached.get() == 200
    await ada.page.unroute_all(behavior="ignoreErrors")
    await ada.page.reload()
    await _shows_the_provider(ada.embedded)
    assert (await _evidence(ada.embedded, api, host.session))["crossDevice"] is False


async def test_quick_reloads_as_fast_as_they_go_raise_no_question(new_user: NewUser, api: Api, other_host: str) -> None:
    ada, host = await new_user(), await _make(api, other_host, "as-fast-as-they-go")
    await ada.page.goto(host.address)
    for _ in range(5):
        await ada.page.goto(host.address, wait_until="commit")
    await _shows_the_provider(ada.embedded)


async def test_a_start_that_arrives_after_that_of_the_reloaded_page_does_not_stop_it(
    new_user: NewUser, api: Api, http: httpx.AsyncClient, other_host: str
) -> None:
    ada, host = await new_user(), await _make(api, other_host, "late-start")
    starts: list[Request] = []
    ada.page.on("request", lambda request: starts.append(request) if START.search(request.url) else None)
    await _shows_the_provider(await host.open(ada))
    late = await http.post(starts[0].url, json=starts[0].post_data_json)
    assert late.status_code == 200
    async with asyncio.timeout(20):
        while len(starts) < 2:  # noqa: ASYNC110 - the page hears of it from the service
            await asyncio.sleep(0.05)
    await _shows_the_provider(ada.embedded)
    assert (await _evidence(ada.embedded, api, host.session))["crossDevice"] is False


async def _lose_good_byes(user: BrowserUser) -> None:
    """As a browser does that ends a page's script before its last request has left."""
    await user.page.add_init_script(
        """const real = window.fetch;
        window.fetch = (url, options) => (options?.keepalive ? new Promise(() => {}) : real(url, options));"""
    )


async def _leave_for_another_page(ada: BrowserUser, api: Api, session: Json, good_bye: str) -> None:
    await ada.page.goto(f"{ada.services.service}/healthz")
    if good_bye == "heard":
        await api.becomes(session["id"], "exited")
    else:
        assert (await api.session(session["id"]))["status"] == "opened"


@pytest.mark.parametrize("good_bye", ["heard", "lost"])
async def test_a_page_that_was_left_for_another_and_is_opened_by_its_address_raises_no_question(
    new_user: NewUser, api: Api, other_host: str, good_bye: str
) -> None:
    ada, host = await new_user(), await _make(api, other_host, f"by-address-{good_bye}")
    if good_bye == "lost":
        await _lose_good_byes(ada)
    await _shows_the_provider(await host.open(ada))
    await _leave_for_another_page(ada, api, host.session, good_bye)
    await _shows_the_provider(await host.open(ada))
    assert (await _evidence(ada.embedded, api, host.session))["crossDevice"] is False


@pytest.mark.parametrize("good_bye", ["heard", "lost"])
async def test_a_page_from_the_back_forward_cache_goes_on_without_a_question(
    new_user: NewUser, api: Api, other_host: str, good_bye: str
) -> None:
    """Playwright does not see the frames of a page that comes from the cache, so host page and service tell."""
    ada, host = await new_user(), await _make(api, other_host, f"from-the-cache-{good_bye}")
    if good_bye == "lost":
        await _lose_good_byes(ada)
    await _shows_the_provider(await host.open(ada))
    await ada.page.evaluate(
        """() => {
            window.messages = [];
            const element = document.querySelector("magic-link");
            for (const type of ["ready", "error", "exit"]) {
                element.addEventListener(type, ({ detail }) => window.messages.push(detail));
            }
        }"""
    )
    await _leave_for_another_page(ada, api, host.session, good_bye)
    await ada.page.go_back(wait_until="commit")
    async with asyncio.timeout(20):
        while len(await _openings(api, host.session)) < 2:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)
    assert [one["crossDevice"] for one in await _openings(api, host.session)] == [False, False]
    assert (await api.session(host.session["id"]))["status"] == "opened"
    await ada.page.evaluate("document.querySelector('magic-link').close()")
    await ada.page.wait_for_function("window.messages.length")
    (left,) = await ada.messages()
    # The invitation's activity log may have told by now that its page was viewed.
    assert (left["type"], left["stage"]) in {("exit", "provider"), ("exit", "provider_viewed")}


async def _openings(api: Api, session: Json) -> list[Json]:
    events = (await api.service("GET", f"/v1/sessions/{session['id']}/events"))["data"]
    return [event["data"] for event in events if event["type"] == "session.opened"]


async def test_a_browser_that_left_the_redirect_flow_comes_back_and_another_browser_is_asked(
    new_user: NewUser, api: Api
) -> None:
    ada, other = await new_user(), await new_user()
    session = await api.create("ada", "redirect-again")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.press("Leave")
    await api.becomes(session["id"], "exited")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    await ada.page.reload()
    await ada.redirected.press("Leave")
    await api.becomes(session["id"], "exited")
    await other.page.goto(session["redirectUrl"])
    await other.press("Continue")
    await other.redirected.shows("Continue in this window?")
    await other.press("Continue here")
    assert (await _evidence(other.redirected, api, session))["crossDevice"] is True


async def test_back_after_leaving_the_redirect_flow_shows_its_button_again(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "redirect-back")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    await ada.redirected.press("Leave")
    await api.becomes(session["id"], "exited")
    await ada.page.go_back(wait_until="commit")
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
