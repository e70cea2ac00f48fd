"""An account that the provider checks for days: what its user, the host's page and the host's backend are told."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.screenshots import Screenshots

HANDED_OVER = "Your account has been handed over."
MAIN = re.compile(r"\bmain\b")


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    return await (await new_user()).sign_in()


async def _show(ada: BrowserUser, screenshots: Screenshots, name: str) -> None:
    frames = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    await screenshots.show(ada.page, f"frame-{name}", frames)


async def _reports(api: Api, session: Json, status: str) -> None:
    """The provider reports this status of the company's connection, once."""
    company = (await api.session(session["id"]))["company"]["id"]
    await api.trouble("PUT", "status_change", company, status=status, times=1)


async def test_a_page_says_that_the_users_part_is_done_and_later_that_it_is_connected(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "submitted")
    flow = await ada.open(session)
    await flow.opens()
    await _reports(api, session, "PENDING")
    await flow.provider.connect()
    await flow.shows(HANDED_OVER)
    await expect(flow.words("usually within hours, up to two days. You need not wait.")).to_be_visible()
    await _show(ada, screenshots, "submitted")
    (told,) = [one for one in await ada.messages() if one["type"] == "submitted"]
    assert [(one["status"], one["state"]) for one in told["connections"]] == [("PENDING", "checking")]
    assert told["uploads"] == []
    await _reports(api, session, "CONNECTED")
    await flow.shows("Your account is connected.", seconds=40)
    assert await ada.message_types() == ["ready", "open", "submitted", "connected"]


async def test_the_redirect_flow_returns_with_what_was_submitted(new_user: NewUser, api: Api) -> None:
    bob = await (await new_user()).sign_in("Bob Fisher")
    session = await api.create("bob", "submitted-redirect", returnUrl=f"{bob.services.demo}/utilities/done")
    await bob.page.goto(session["redirectUrl"])
    await bob.press("Continue")
    await bob.redirected.provider.step("provider").wait_for()
    await _reports(api, session, "PENDING")
    await bob.redirected.provider.connect()
    await bob.redirected.shows(HANDED_OVER)
    await bob.page.get_by_role("link", name="Done").click()
    await expect(bob.page.get_by_role("heading", name="Your utility account has been handed over")).to_be_visible()
    result = {name: values[0] for name, values in parse_qs(urlsplit(bob.page.url).query).items()}
    connection = await api.only_connection(session["id"])
    assert (result["status"], result["connectionId"]) == ("submitted", connection["id"])
    verified = await api.service("POST", "/v1/verify", {"state": result["state"], "userId": "bob"})
    assert verified["status"] == "submitted"


async def test_a_sign_in_without_accounts_has_words_of_its_own(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "empty")
    flow = await ada.open(session)
    await flow.opens()
    await _reports(api, session, "NO_ACCOUNTS_FOUND")
    await flow.provider.connect()
    await expect(flow.words("No accounts were found.")).to_be_visible(timeout=20_000)
    await expect(flow.words("The sign-in did not work.")).to_be_hidden()
    await _show(ada, screenshots, "no-accounts")


async def test_a_user_who_has_finished_is_told_that_the_accounts_owner_is_being_settled(
    ada: BrowserUser, new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    hers = await api.create("ada", "settling", link="magic_link")
    flow = await ada.open(hers)
    await flow.opens()
    his = await api.create("bob", "settling", link="magic_link")
    bob = await (await new_user()).sign_in("Bob Fisher")
    await (await bob.open(his)).opens()
    await flow.provider.connect()
    await flow.press("I have finished")
    await flow.shows("An account has arrived.")
    await _show(ada, screenshots, "settling")
    assert "ambiguous" in await ada.message_types()
    assert "ambiguous" not in await bob.message_types()


async def test_a_delay_is_told_as_a_delay(ada: BrowserUser, api: Api, screenshots: Screenshots) -> None:
    session = await api.create("ada", "delayed")
    flow = await ada.open(session)
    await flow.opens()
    await _reports(api, session, "WEBSITE_DOWN")
    await flow.provider.connect()
    await flow.shows(HANDED_OVER)
    await expect(flow.words("Your utility's website is down.")).to_be_visible()
    await expect(flow.words("Being checked")).to_be_hidden()
    await expect(flow.where.get_by_role("list", name="Accounts", exact=True)).to_be_visible()
    await _show(ada, screenshots, "delayed")


async def test_i_have_finished_says_that_nothing_has_arrived_and_leads_back(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "nothing")
    flow = await ada.open(session)
    await flow.opens()
    button = flow.where.get_by_role("button", name="I have finished")
    await expect(button).not_to_have_class(MAIN)
    await _show(ada, screenshots, "provider-quiet")
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await expect(flow.heading("Nothing has arrived yet.")).to_be_focused()  # as the heading before, which is hidden
    await expect(flow.words("Did the page say it was done?")).to_be_visible()
    await _show(ada, screenshots, "nothing")
    assert await ada.message_types() == ["ready", "open", "finished"]
    await flow.press("Back to the secure page")
    await expect(flow.where.locator("footer").get_by_text("Nothing has arrived yet.")).to_be_visible()
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    assert await ada.message_types() == ["ready", "open", "finished", "connected"]


async def test_the_button_is_the_one_to_press_once_something_was_seen(ada: BrowserUser, api: Api) -> None:
    session = await api.create("ada", "seen")
    flow = await ada.open(session)
    await flow.opens()
    await _reports(api, session, "PASSWORD_INCORRECT")
    await flow.provider.connect()
    await expect(flow.where.get_by_role("button", name="I have finished")).to_have_class(MAIN)


async def test_a_provider_that_cannot_be_reached_is_named_with_the_time(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "unreachable")
    flow = await ada.open(session)
    await flow.opens()
    company = (await api.session(session["id"]))["company"]["id"]
    await api.trouble("PUT", "provider_5xx", company)
    await flow.press("I have finished")
    await flow.shows("The provider cannot be reached.", seconds=60)
    await expect(flow.where.locator("time[data-since]")).to_have_text(re.compile(r"^\d{1,2}:\d\d( [AP]M)?$"))
    await _show(ada, screenshots, "unreachable")
    await api.trouble("DELETE", "provider_5xx", company)
    await flow.shows("Nothing has arrived yet.", seconds=90)
