"""The flow by redirect: out of the host app, through our page at top level, and back with a result it can verify."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, FlowPage, NewUser

RETURNED = re.compile(r"/utilities/done\?")


async def _connect(user: BrowserUser, *, finish: bool = False) -> str:
    """The whole way; returns the session's id."""
    await user.press("Connect by redirect")
    await user.press("Continue")
    session_id = await user.redirected.session_id()
    await user.redirected.provider.connect("Warehouse")
    await user.redirected.provider.step("done").wait_for() if finish else None
    if finish:
        await user.press("I have finished")
    await user.page.wait_for_url(RETURNED)
    return session_id


async def test_it_ends_on_the_hosts_own_page_with_a_verified_result(new_user: NewUser, api: Api) -> None:
    bob = await (await new_user()).sign_in("Bob Fisher")
    session_id = await _connect(bob)
    await expect(bob.page.get_by_role("heading", name="Your utility account is connected")).to_be_visible()
    result = {name: values[0] for name, values in parse_qs(urlsplit(bob.page.url).query).items()}
    connection = await api.only_connection(session_id)
    assert connection["userId"] == "bob"
    assert (result["sessionId"], result["status"]) == (session_id, "connected")
    assert result["connectionId"] == connection["id"]
    verified = await api.service("POST", "/v1/verify", {"state": result["state"], "userId": "bob"})
    assert (verified["sessionId"], verified["status"]) == (session_id, "connected")

    await bob.page.goto(
        f"{bob.services.demo}/utilities/done?{urlencode(result | {'state': result['state'][:-2] + 'xx'})}"
    )
    await expect(bob.page.get_by_role("heading", name="We did not recognise that")).to_be_visible()

    mallory = await (await new_user()).sign_in("Mallory Reed")
    await mallory.page.goto(f"{bob.services.demo}/utilities/done?{urlencode(result)}")
    await expect(mallory.page.get_by_role("heading", name="We did not recognise that")).to_be_visible()


async def test_it_needs_no_script(new_user: NewUser, api: Api) -> None:
    bob = await (await new_user(java_script_enabled=False)).sign_in("Bob Fisher")
    session_id = await _connect(bob, finish=True)
    await expect(bob.page.get_by_role("heading", name="Your utility account is connected")).to_be_visible()
    assert (await api.only_connection(session_id))["userId"] == "bob"


async def test_a_person_may_leave_and_is_back_in_the_host_app(new_user: NewUser, api: Api) -> None:
    bob = await (await new_user()).sign_in("Bob Fisher")
    await bob.press("Connect by redirect")
    await bob.press("Continue")
    session_id = await bob.redirected.session_id()
    await bob.redirected.press("Leave")
    await bob.page.wait_for_url(RETURNED)
    await expect(bob.page.get_by_role("heading", name="You left before it was finished")).to_be_visible()
    assert (await api.session(session_id))["status"] == "exited"


async def test_a_page_that_was_left_in_another_window_says_so_and_goes_on(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "two-windows", returnUrl=None)
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    tab = await ada.page.context.new_page()
    other = FlowPage(tab)
    await tab.goto(session["redirectUrl"])
    await other.provider.step("provider").wait_for()
    await other.press("Leave")
    await ada.redirected.shows("You have left.")
    await ada.redirected.press("Continue")
    await ada.redirected.shows("Connect a utility account")
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()


async def test_without_an_address_to_return_to_it_ends_on_our_own_page(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "no-way-back")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")
    await ada.page.wait_for_url(re.compile("/callback"))
    await ada.redirected.shows("Your account is connected.")


async def test_it_stays_while_another_account_is_offered_and_returns_after_the_last(
    new_user: NewUser, api: Api
) -> None:
    ada = await new_user()
    session = await api.create("ada", "two-by-redirect", link="invitation", maxConnections=2)
    await ada.page.clock.install()
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")
    await ada.page.clock.fast_forward(60_000)
    await ada.press("Connect another account")
    await ada.redirected.provider.connect("Warehouse")
    await ada.page.wait_for_url(re.compile("/callback"))


async def test_it_stays_while_an_account_needs_its_user(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "refused-by-redirect")
    await ada.page.clock.install()
    tried = await ada.stays()
    await ada.page.route(re.compile("/live/"), _polls_with_a_refused_account)
    await ada.page.goto(session["redirectUrl"])
    async with ada.page.expect_response(re.compile("/live/")):
        await ada.press("Continue")
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")
    await ada.page.clock.fast_forward(60_000)
    await ada.page.evaluate("fetch('/healthz').then(() => null)")  # after the request for the way back, if there is one
    await expect(ada.redirected.words("To mend it, choose the account")).to_be_visible()
    assert not tried.is_set()


async def test_opening_the_address_starts_nothing(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("ada", "only-looking")
    await ada.page.goto(session["redirectUrl"])
    await ada.redirected.shows("Connect a utility account")
    assert (await api.session(session["id"]))["status"] == "created"


async def test_a_return_in_another_browser_is_asked_whether_it_is_the_same_person(new_user: NewUser, api: Api) -> None:
    ada, other = await new_user(), await new_user()
    session = await api.create("ada", "two-browsers")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    way_back = await ada.page.locator("a[data-done]").first.get_attribute("href")
    await other.page.goto(f"{other.services.service}{way_back}")
    await other.redirected.shows("Is this you?")
    await other.press("Yes, continue")
    await other.redirected.shows("Nothing has arrived yet.")
    await ada.redirected.shows("You continued in another window.")


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
async def test_a_second_window_must_confirm_that_it_takes_over(new_user: NewUser, api: Api, *, script: bool) -> None:
    first, second = await new_user(), await new_user(java_script_enabled=script)
    session = await api.create("ada", "two-windows")
    for user in (first, second):
        await user.page.goto(session["redirectUrl"])
        await user.press("Continue")
    await second.redirected.shows("Continue in this window?")
    await first.redirected.provider.step("provider").wait_for()
    await second.press("Continue here")
    await second.redirected.provider.step("provider").wait_for()
    await first.redirected.shows("You continued in another window.")


async def test_leaving_ends_the_pages_stream_at_once_so_that_no_refusal_is_drawn_meanwhile(
    new_user: NewUser, api: Api
) -> None:
    ada = await new_user()
    session = await api.create("ada", "leaves-slowly")
    await ada.page.goto(session["redirectUrl"])
    async with ada.page.expect_request(re.compile("/live/")):
        await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    await ada.page.route(re.compile("/exit$"), _never)
    async with ada.page.expect_event("requestfailed", lambda request: "/live/" in request.url):
        await ada.page.get_by_role("button", name="Leave").click(no_wait_after=True)


@pytest.mark.parametrize("answer", ["none", "a failure"])
async def test_what_the_service_has_drawn_stays_until_the_first_view_comes(
    new_user: NewUser, api: Api, answer: str
) -> None:
    ada = await new_user()
    session = await api.create("ada", f"first-view-{answer}")
    await ada.page.route(re.compile("/live/"), _never if answer == "none" else _fails)
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    if answer == "a failure":
        await expect(ada.page.get_by_text("The connection is interrupted.").first).to_be_visible()
    await ada.page.set_viewport_size({"width": 600, "height": 800})  # what depends on it is drawn anew
    await ada.page.set_viewport_size({"width": 1280, "height": 800})
    await expect(ada.redirected.provider.step("provider")).to_be_visible()
    await expect(ada.page.get_by_text("Preparing a secure page…")).to_be_hidden()


async def _never(_: Route) -> None:
    """The request waits until its page is gone."""


async def _polls_with_a_refused_account(route: Route) -> None:
    """As where a second account was refused after the first one worked."""
    if route.request.headers["accept"] != "application/json":
        return  # the stream is held back
    answer = await route.fetch()
    view = await answer.json()
    refused = {"id": "con_refused", "state": "action_needed", "needsAttention": True}
    refused |= {"status": "PASSWORD_INCORRECT", "words": "PASSWORD_INCORRECT"}
    view["connections"] += [one | refused for one in view["connections"]]
    await route.fulfill(response=answer, json=view)


async def _fails(route: Route) -> None:
    await route.abort()
