"""A desktop hands over to a phone: the code is scanned and typed, the phone goes on, and the desktop follows along."""

from playwright.async_api import Browser, Frame, expect

from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, EmbeddingHost, FlowPage, NewUser
from tests.support.qr_reader import text_of_qr_code
from tests.support.screenshots import Screenshots, painted, resized

FIELDS = {"userLabel": "ada@example.com", "supportUrl": "https://help.example.com/utilities"}


async def offered(ada: BrowserUser, flow: FlowPage) -> Json:
    """What the desktop shows once its user asks: the address is in the picture, so it is read from the answer."""
    async with ada.page.expect_response(lambda answer: answer.url.endswith("/handoff")) as answered:
        await flow.press("Continue on your phone")
    body: Json = await (await answered.value).json()
    await flow.shows("Continue on your phone")
    shown = await flow.where.locator("[data-digits]").inner_text()
    assert shown.replace(" ", "") == body["code"]
    return body


async def go_on(phone: BrowserUser, offer: Json) -> None:
    """The phone's user scans the code and types the digits."""
    await phone.page.goto(offer["url"])
    await phone.page.get_by_label("six digits").fill(offer["code"])
    await phone.press("Continue")


async def photograph(ada: BrowserUser, screenshots: Screenshots, name: str, *widths: int) -> None:
    frames: list[Frame] = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    await screenshots.show(ada.page, f"phone-{name}", frames, widths or (1280, 320))


async def test_the_phone_goes_on_and_the_desktop_follows_to_the_end(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada, phone = await (await new_user()).sign_in(), await new_user(width=390, has_touch=True, is_mobile=True)
    session = await api.create("ada", "phone", **FIELDS)
    flow = await ada.open(session)
    await flow.opens()
    offer = await offered(ada, flow)
    await photograph(ada, screenshots, "offered")

    await phone.page.goto(offer["url"])
    main = phone.page.locator("main")
    for words in ("Phone Ltd", "a•••@example.com"):
        await expect(main).to_contain_text(words)
    await screenshots.show(phone.page, "phone-asking")
    wrong = f"{(int(offer['code']) + 1) % 1_000_000:06d}"
    await phone.page.get_by_label("six digits").fill(wrong)
    await phone.press("Continue")
    await expect(phone.page.get_by_role("alert")).to_have_text("That is not the code. Please look once more.")
    await screenshots.show(phone.page, "phone-wrong")
    await phone.page.get_by_label("six digits").fill(offer["code"])
    await phone.press("Continue")
    await phone.redirected.shows("Your secure page is ready.")

    await flow.shows("You are continuing on your phone.")
    await photograph(ada, screenshots, "followed")
    await expect(flow.where.locator(".slot iframe")).to_have_count(0)
    async with phone.page.context.expect_page() as opened:
        await phone.page.get_by_role("link", name="Open the secure page").click()
    provider = BrowserUser(await opened.value, phone.services).redirected
    provider.provider.where = provider.where
    await provider.provider.connect()
    await phone.redirected.shows("Your account is connected.")
    await flow.shows("Your account is connected.")
    assert "connected" in await ada.message_types()
    assert (await api.only_connection(session["id"]))["evidence"]["crossDevice"] is True
    await phone.page.goto(offer["url"])
    await phone.redirected.shows("This code no longer works.")
    await screenshots.show(phone.page, "phone-over")


async def test_the_picture_is_a_code_that_a_camera_reads(new_user: NewUser, browser: Browser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.opens()
    offer = await offered(ada, flow)
    await flow.where.locator("[data-qr]").wait_for()
    for width in (1280, 900):
        await ada.page.set_viewport_size({"width": width, "height": 900})
        await resized(ada.page)
        for is_dark in (False, True):
            await ada.page.emulate_media(color_scheme="dark" if is_dark else "light")
            await painted(ada.page)
            seen = await text_of_qr_code(browser, await ada.page.screenshot())
            assert seen == offer["url"], (width, is_dark)


async def test_a_desktop_page_that_is_reloaded_meanwhile_goes_on_following(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada, phone = await new_user(), await new_user(width=390)
    host = EmbeddingHost(await api.create("ada", "phone", origin=other_host, **FIELDS), other_host)
    flow = await host.open(ada)
    await flow.opens()
    await go_on(phone, await offered(ada, flow))
    await flow.shows("You are continuing on your phone.")
    for _ in range(2):
        await ada.page.reload()
        await flow.shows("You are continuing on your phone.")
    await expect(flow.where.locator(".slot iframe")).to_have_count(0)
    await phone.redirected.shows("Your secure page is ready.")
    await flow.press("Continue here instead")
    await flow.opens()
    await phone.redirected.shows("You continued in another window.")
    assert [one["crossDevice"] for one in await openings(api, host.session)] == [False, True, True]


async def openings(api: Api, session: Json) -> list[Json]:
    events = (await api.service("GET", f"/v1/sessions/{session['id']}/events"))["data"]
    return [event["data"] for event in events if event["type"] == "session.opened"]


async def test_the_redirect_flows_page_that_is_reloaded_meanwhile_goes_on_following(
    new_user: NewUser, api: Api
) -> None:
    ada, phone = await new_user(), await new_user(width=390)
    await ada.page.goto((await api.create("ada", "phone", **FIELDS))["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    await go_on(phone, await offered(ada, ada.redirected))
    await ada.redirected.shows("You are continuing on your phone.")
    await ada.page.reload()
    await ada.redirected.shows("You are continuing on your phone.")
    await phone.redirected.shows("Your secure page is ready.")
    await ada.press("Continue here instead")
    await ada.redirected.provider.step("provider").wait_for()


async def test_the_fifth_wrong_code_is_told_on_the_desktop_which_makes_a_new_one(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada, phone = await (await new_user()).sign_in(), await new_user(width=390)
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.opens()
    offer = await offered(ada, flow)
    await phone.page.goto(offer["url"])
    for step in range(1, 6):
        await phone.page.get_by_label("six digits").fill(f"{(int(offer['code']) + step) % 1_000_000:06d}")
        await phone.press("Continue")
    await phone.redirected.shows("This code no longer works.")
    # At once, and not only when the stream looks again, which it does every 15 s.
    await expect(flow.words("A wrong code was typed five times")).to_be_visible(timeout=5_000)
    await expect(flow.where.locator("[data-qr]")).to_be_hidden()
    await expect(flow.words("Scan this with your phone")).to_have_count(0)
    await photograph(ada, screenshots, "guessed")
    async with ada.page.expect_response(lambda answer: answer.url.endswith("/handoff")) as answered:
        await flow.press("New code")
    again: Json = await (await answered.value).json()
    await expect(flow.where.locator("[data-qr]")).to_be_visible()
    await go_on(phone, again)
    await flow.shows("You are continuing on your phone.")


async def test_the_desktop_may_continue_instead_and_the_offer_keeps_the_secure_page(
    new_user: NewUser, api: Api
) -> None:
    ada, phone = await (await new_user()).sign_in(), await new_user(width=390)
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.opens()
    await flow.provider.where.get_by_label("Utility provider").fill("typed before")
    await offered(ada, flow)
    await flow.press("Back")
    await expect(flow.provider.where.get_by_label("Utility provider")).to_have_value("typed before")
    offer = await offered(ada, flow)
    await phone.page.goto(offer["url"])
    await phone.page.get_by_label("six digits").fill(offer["code"])
    await phone.press("Continue")
    await flow.shows("You are continuing on your phone.")
    await flow.press("Continue here instead")
    await flow.provider.step("provider").wait_for()
    await phone.redirected.shows("You continued in another window.")


async def test_an_offer_runs_out_in_words_and_a_new_one_can_be_had(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    await ada.page.clock.install()
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.opens()
    first = await offered(ada, flow)
    await ada.page.clock.fast_forward("05:01")
    await expect(flow.words("The code has run out.")).to_be_visible()
    await expect(flow.where.locator("[data-qr]")).to_be_hidden()
    async with ada.page.expect_response(lambda answer: answer.url.endswith("/handoff")) as answered:
        await flow.press("New code")
    second = await (await answered.value).json()
    await expect(flow.where.locator("[data-qr]")).to_be_visible()
    assert second["url"] != first["url"]


async def test_the_redirect_flow_hands_over_too(new_user: NewUser, api: Api, screenshots: Screenshots) -> None:
    ada, phone = await new_user(), await new_user(width=390)
    await ada.page.goto((await api.create("ada", "phone", **FIELDS))["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    offer = await offered(ada, ada.redirected)
    await screenshots.show(ada.page, "phone-offered-top")
    await phone.page.goto(offer["url"])
    await phone.page.get_by_label("six digits").fill(offer["code"])
    await phone.press("Continue")
    await ada.redirected.shows("You are continuing on your phone.")
    await ada.press("Continue here instead")
    await ada.redirected.provider.step("provider").wait_for()


async def test_a_small_screen_is_not_offered_another(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user(width=390)).sign_in()
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.shows("Your secure page is ready.")
    await expect(flow.where.get_by_role("button", name="Continue on your phone")).to_be_hidden()


async def test_an_offer_that_is_refused_since_all_is_done_ends_no_page(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "phone", **FIELDS))
    await flow.opens()
    # As where the account was recorded between the last view and the press.
    refusal = {"code": "session_closed", "status": 409}
    await ada.page.route("**/handoff", lambda route: route.fulfill(status=409, json=refusal))
    async with ada.page.expect_response("**/handoff"):
        await flow.press("Continue on your phone")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    assert "error" not in await ada.message_types()
