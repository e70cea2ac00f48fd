"""Each status as its user sees it: its words, its steps by keyboard, and a way forward within two clicks."""

from typing import Any

import pytest
from playwright.async_api import expect

from service.domain.status_words import StatusWords, words_for
from service.domain.statuses import needs_attention
from service.sandbox.wire.enums import STATUSES
from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.screenshots import Screenshots

HELP = "https://help.example.com"
GIVEN: dict[str, Any] = {
    "helpUrls": {"login": f"{HELP}/login", "upload": f"{HELP}/bills", "mfa": f"{HELP}/second-step"},
    "supportUrl": f"{HELP}/us",
}
ROWS = sorted({*STATUSES} - {"CONNECTED", "INCORRECT_PASSWORD"})


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    return await (await new_user()).sign_in()


async def show(ada: BrowserUser, screenshots: Screenshots, name: str) -> None:
    frames = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    await screenshots.show(ada.page, f"words-{name}", frames)


async def reports(api: Api, session: Json, status: str) -> None:
    company = (await api.session(session["id"]))["company"]["id"]
    await api.trouble("PUT", "status_change", company, status=status, times=1)


async def sees_the_steps(flow: FlowPage, words: StatusWords) -> None:
    for step in words.steps:
        await expect(flow.words(step.text).first).to_be_visible()


@pytest.mark.parametrize("status", ROWS)
async def test_each_status_is_told_in_its_words_with_a_way_forward(
    ada: BrowserUser, api: Api, screenshots: Screenshots, status: str
) -> None:
    words = words_for(status)
    session = await api.create("ada", f"words-{status.lower()}", **GIVEN)
    flow = await ada.open(session)
    await flow.opens()
    await reports(api, session, status)
    await flow.provider.connect()
    if status == "COMPANY_INACTIVE":
        await flow.press("I have finished")
    await expect(flow.words(words.sentence).first).to_be_visible()
    await show(ada, screenshots, status.lower())
    if needs_attention(words.state):
        # The secure page is there already; the steps are one key away.
        await expect(flow.where.locator(".slot iframe")).to_be_visible()
        summary = flow.where.locator("summary").filter(visible=True)
        await summary.focus()
        await ada.page.keyboard.press("Enter")
        await sees_the_steps(flow, words)
        await show(ada, screenshots, f"{status.lower()}-open")
    else:
        await sees_the_steps(flow, words)
    await expect(flow.where.get_by_role("link", name="Get help").first).to_have_attribute("href", GIVEN["supportUrl"])


async def test_the_way_to_upload_bills_comes_first_where_the_second_step_fails(ada: BrowserUser, api: Api) -> None:
    session = await api.create("ada", "words-ladder", **GIVEN)
    flow = await ada.open(session)
    await flow.opens()
    await reports(api, session, "MFA_TOKEN_EXPIRED")
    await flow.provider.connect()
    await expect(flow.words("The second step of the sign-in does not work.")).to_be_visible()
    await flow.where.locator("summary").filter(visible=True).click()
    steps = flow.where.locator("li").filter(visible=True)
    await expect(steps).to_contain_text([step.text for step in words_for("MFA_TOKEN_EXPIRED").steps])
    upload = steps.first.get_by_role("link", name="How to upload bills")
    await expect(upload).to_have_attribute("href", GIVEN["helpUrls"]["upload"])


async def test_the_second_step_is_explained_before_anything_fails_and_by_keyboard(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "words-ahead", prefill={"url": "https://www.coned.com"}, **GIVEN)
    flow = await ada.open(session)
    await flow.where.locator("#flow[data-opened]").wait_for()
    await expect(flow.words("two or three security questions at hand")).to_be_visible()
    await show(ada, screenshots, "ahead")
    await flow.where.locator("summary").filter(visible=True).focus()
    await ada.page.keyboard.press("Enter")
    await sees_the_steps(flow, words_for("MFA_TOKEN_EXPIRED"))
    await show(ada, screenshots, "ahead-open")


async def test_a_reconnect_says_which_account_and_why_above_the_sign_in(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    session = await api.create("ada", "words-mend", **GIVEN)
    flow = await ada.open(session)
    await flow.opens()
    await flow.provider.choose_provider()
    await flow.provider.sign_in("wrong")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    connection = await api.only_connection(session["id"])
    body = {"origin": ada.services.demo, "prepare": "now", **GIVEN}
    again = await api.service("POST", f"/v1/connections/{connection['id']}/reconnect", body)
    await ada.page.reload()
    flow = await ada.open(again)
    await flow.provider.step("credentials").wait_for()
    await expect(flow.words("Nectar Sandbox Utility")).to_be_visible()
    await expect(flow.words("nectarclimate.com")).to_be_visible()
    await expect(flow.words("Your utility did not accept the user name or the password.")).to_be_visible()
    await show(ada, screenshots, "mend")
    await flow.provider.sign_in()
    await flow.provider.press("Save changes")
    await flow.shows("Your account is connected.")


async def test_an_account_whose_website_is_down_turns_to_connected_when_it_is_back(ada: BrowserUser, api: Api) -> None:
    session = await api.create("ada", "words-back", **GIVEN)
    flow = await ada.open(session)
    await flow.opens()
    await reports(api, session, "WEBSITE_DOWN")
    await flow.provider.connect()
    await expect(flow.words("The app that you came from is told when the account works again.")).to_be_visible()
    await reports(api, session, "CONNECTED")
    await flow.shows("Your account is connected.", seconds=40)
    events = (await api.service("GET", f"/v1/sessions/{session['id']}/events"))["data"]
    (back,) = [one for one in events if one["type"] == "connection.updated"]
    assert (back["data"]["from"], back["data"]["status"]) == ("WEBSITE_DOWN", "CONNECTED")


async def test_the_demo_shows_what_helps_beside_the_account(
    ada: BrowserUser, api: Api, screenshots: Screenshots
) -> None:
    flow = await ada.connect()
    await flow.opens()
    company = (await api.session(await flow.session_id()))["company"]["id"]
    words = words_for("ADDITIONAL_CREDENTIALS_NEEDED")
    # The demo has one company for all tests, whose accounts so far get the status too, as often as it may be used.
    await api.trouble("PUT", "status_change", company, status="ADDITIONAL_CREDENTIALS_NEEDED")
    try:
        await flow.provider.connect()
        await expect(flow.words(words.sentence)).to_be_visible()
    finally:
        await api.trouble("DELETE", "status_change", company)
    await flow.press("Leave")
    row = ada.page.locator(".accounts > li").filter(has_text=words.label).first
    for text in (words.title, words.sentence, *(step.text for step in words.steps)):
        await expect(row.get_by_text(text)).to_be_visible()
    await screenshots.show(ada.page, "words-demo")
