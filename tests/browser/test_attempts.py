"""What goes wrong on the way and is put right: passwords, codes, other windows, and links that end."""

import re

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api, BrowserServices
from tests.support.browser_user import NewUser, ProviderPages


async def test_a_wrong_password_is_said_and_once_corrected_the_same_connection_works(
    new_user: NewUser, api: Api
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "wrong-password")
    flow = await ada.open(session)
    await flow.provider.choose_provider()
    await flow.provider.sign_in("not the password")
    await expect(flow.provider.where.get_by_role("alert")).to_contain_text("did not accept")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    refused = await api.only_connection(session["id"])
    assert (refused["status"], refused["needsAttention"]) == ("PASSWORD_INCORRECT", True)
    assert (await api.session(session["id"]))["status"] == "opened"

    await flow.provider.sign_in()
    await flow.provider.choose_sites("Headquarters")
    await flow.provider.press("Connect")
    await flow.shows("Your account is connected.")
    corrected = await api.only_connection(session["id"])
    assert (corrected["id"], corrected["status"]) == (refused["id"], "CONNECTED")
    assert await ada.message_types() == ["ready", "open", "attention", "connected"]


async def test_i_have_finished_after_a_refusal_says_that_the_provider_is_asked(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "refused-finished"))
    await flow.provider.choose_provider()
    await flow.provider.sign_in("not the password")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    async with ada.page.expect_response("**/finished"):
        await flow.press("I have finished")
    await flow.shows("Asking the provider…", seconds=5)


async def test_a_code_is_asked_for_where_the_utility_wants_one(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "second-proof")
    await api.trouble("PUT", "mfa", (await api.session(session["id"]))["company"]["id"])
    flow = await ada.open(session)
    await flow.provider.choose_provider()
    await flow.provider.sign_in()
    await flow.provider.where.get_by_label("Six-digit code").fill("123456")
    await flow.provider.press("Verify")
    await flow.provider.choose_sites("Headquarters")
    await flow.provider.press("Connect")
    await flow.shows("Your account is connected.")


async def test_an_edit_link_changes_the_sites_and_keeps_the_connection(new_user: NewUser, api: Api) -> None:
    company = (await api.sandbox("POST", "/company", {"name": "Edited Ltd"}))["id"]
    sites = [
        (await api.sandbox("POST", f"/company/{company}/site", {"name": name}))["id"] for name in ("North", "South")
    ]
    url, username, password = "https://nectarclimate.com", "nectar-sandbox-username", "nectar-sandbox-password"
    account = {"url": url, "username": username, "password": password, "sites": sites[:1]}
    made = await api.sandbox("POST", f"/company/{company}/connection", account)
    link = await api.sandbox("POST", f"/connection/{made['id']}")

    ada = await new_user()
    pages = ProviderPages(ada.page)
    await ada.page.goto(
        f"{ada.services.sandbox}/p/connect/{link['publicCompanyId']}/workflow/{link['connectionMagicLinkSecret']}"
    )
    await expect(ada.page.get_by_label("User name")).to_have_value(username)
    await pages.sign_in()
    await pages.choose_sites("South")
    await pages.press("Save changes")
    await pages.step("done").wait_for()
    (after,) = (await api.sandbox("GET", f"/company/{company}/connection"))["connections"]
    assert (after["id"], after["status"], after["initialSites"]) == (made["id"], "CONNECTED", sites[1:])


async def test_a_second_page_must_confirm_that_it_takes_over_and_the_first_one_stops(
    new_user: NewUser, api: Api
) -> None:
    first, second = await (await new_user()).sign_in(), await (await new_user()).sign_in()
    session = await api.create("ada", "two-frames")
    one = await first.open(session)
    await one.provider.step("provider").wait_for()
    two = await second.open(session)
    await two.shows("This was opened in another window.")
    await expect(one.provider.step("provider")).to_be_visible()
    await two.press("Continue here")
    await two.provider.step("provider").wait_for()
    await one.shows("You continued in another window.")
    assert (await first.messages())[-1]["code"] == "taken_over"


async def test_a_page_that_is_open_says_so_when_its_session_is_revoked(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "revoked")
    flow = await ada.open(session)
    await flow.provider.step("provider").wait_for()
    await api.revoke(session["id"])
    await flow.shows("This link was withdrawn.", seconds=2)
    await expect(flow.where.locator(".slot iframe")).to_have_count(0)

    opened_later = await (await new_user()).sign_in()
    await (await opened_later.open(session)).shows("This link was withdrawn.")
    assert await opened_later.message_types() == ["error"]
    redirected = await new_user()
    await redirected.page.goto(session["redirectUrl"])
    await redirected.redirected.shows("This link was withdrawn.")


async def test_an_expired_link_says_so_and_offers_to_ask_for_another(
    new_user: NewUser, api: Api, services: BrowserServices
) -> None:
    session = await api.create("ada", "expired")
    services.let_expire(session["id"])
    ada = await (await new_user()).sign_in()
    flow = await ada.open(session)
    await flow.shows("This link has expired.")
    await flow.press("Ask for a new link")
    await expect(flow.words("Asked.")).to_be_visible()
    await expect(flow.heading("This link has expired.")).to_be_focused()  # the button that had it is hidden
    assert [one["asked"] for one in await ada.messages()] == [False, True]
    redirected = await new_user()
    answer = await redirected.page.goto(session["redirectUrl"])
    assert answer is not None
    assert answer.status == 410
    await redirected.redirected.shows("This link has expired.")


@pytest.mark.parametrize("way", ["Escape", "Leave", "close()"])
async def test_leaving_closes_the_dialog_and_sends_the_host_one_message(new_user: NewUser, api: Api, way: str) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "leaving")
    flow = await ada.open(session)
    await flow.opens()
    if way == "Escape":
        await flow.where.get_by_role("button", name="I have finished").focus()
        await ada.page.keyboard.press("Escape")
    elif way == "Leave":
        await flow.press("Leave")
    else:
        await ada.page.evaluate("window.flow.close()")
    await expect(ada.page.locator("dialog")).to_have_count(0)
    assert await ada.message_types() == ["ready", "open", "exit"]
    left = (await ada.messages())[-1]
    assert (left["stage"], left["reason"]) == ("provider", "left" if way == "Leave" else "closed")
    await api.becomes(session["id"], "exited")


@pytest.mark.parametrize("end", ["revoked", "taken over", "unknown"])
async def test_a_dialog_whose_page_has_ended_can_be_closed_without_a_keyboard(
    new_user: NewUser, api: Api, end: str
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "closing")
    if end == "unknown":
        await ada.page.route(
            re.compile("/start$"), lambda route: route.fulfill(status=404, body='{"code": "not_found"}')
        )
    flow = await ada.open(session)
    if end == "revoked":
        await api.revoke(session["id"])
    elif end == "taken over":
        await flow.opens()
        other = await (await (await new_user()).sign_in()).open(session)
        await other.press("Continue here")
    await flow.press("Close")
    await expect(ada.page.locator("dialog")).to_have_count(0)
    assert (await ada.message_types())[-2:] == ["error", "closed"]


async def test_a_network_failure_is_shown_and_recovers_by_itself(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "broken-line")
    await ada.page.route(re.compile("/live/"), lambda route: route.abort())
    flow = await ada.open(session)
    banner = flow.words("The connection is interrupted.")
    await expect(banner).to_be_visible()
    await expect(flow.provider.step("provider")).to_be_visible()
    await ada.page.unroute_all()
    await expect(banner).to_be_hidden()
    assert (await ada.messages())[-1]["code"] == "unavailable"


async def test_a_service_that_cannot_answer_just_now_is_asked_again(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "busy-service")

    async def fail(route: Route) -> None:
        await route.fulfill(status=503, content_type="application/problem+json", body='{"code": "unavailable"}')

    await ada.fails_until_pressed(re.compile("/start$"), fail)
    flow = await ada.open(session)
    await expect(flow.words("The connection is interrupted.")).to_be_visible()
    await flow.shows("Preparing a secure page…")
    await flow.press("Try now")
    await flow.provider.step("provider").wait_for()


async def test_a_page_whose_link_ended_at_the_provider_shows_the_next_one_and_goes_on(
    new_user: NewUser, api: Api
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "ended-link")
    company = (await api.session(session["id"]))["company"]["id"]
    flow = await ada.open(session)
    await flow.provider.step("provider").wait_for()
    dead = await flow.where.locator(".slot iframe").get_attribute("src")
    # Once: several polls may follow each other at once, and the fourth dead link fails the session.
    await api.trouble("PUT", "link_expired", company, times=1)
    await flow.press("I have finished")
    frame = flow.where.locator(f'.slot iframe:not([src="{dead}"])')
    await frame.wait_for()
    await expect(flow.where.get_by_role("button", name="I have finished")).to_be_visible()
    assert (await api.session(session["id"]))["link"]["status"] == "ready"


async def test_a_message_of_another_window_or_origin_is_ignored(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "forged-messages"))
    await flow.opens()
    # As the frame would send it, but from the host page itself; and to the frame, from a window that is not its host.
    forged = {"source": "magiclink", "type": "connected", "sessionId": "ses_forged", "connections": []}
    await ada.page.evaluate("forged => window.postMessage(forged, '*')", forged)
    await ada.page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {name: 'other'}))")
    other = ada.page.frame("other")
    assert other is not None
    await other.evaluate("""() => parent.document.querySelector("dialog iframe").contentWindow.postMessage(
        {source: "magiclink-host", type: "close"}, "*")""")
    await ada.page.wait_for_timeout(300)
    assert await ada.message_types() == ["ready", "open"]
    await expect(ada.page.locator("dialog")).to_have_count(1)
