"""What people see before they sign in: for whom, as whom, who shows the sign-in, and what is shared with whom."""

import pytest
from playwright.async_api import FloatRect, Frame, Locator, expect

from tests.support.browser_services import Api, BrowserServices, Json
from tests.support.browser_user import NewUser
from tests.support.screenshots import Screenshots

FIELDS = {"userLabel": "ada@example.com", "supportUrl": "https://help.example.com/utilities"}
SHARED = "of Nectar, which reads your bills and usage there and shares them with Known Ltd"


async def test_the_redirect_flow_says_it_beside_its_one_button(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada = await new_user()
    await ada.page.goto((await api.create("ada", "known", **FIELDS))["redirectUrl"])
    main = ada.page.locator("main")
    for words in ("Known Ltd", "a•••@example.com", SHARED, "sees your password"):
        await expect(main).to_contain_text(words)
    await expect(main).not_to_contain_text("ada@")
    await expect(ada.page.get_by_role("link", name="Get help")).to_have_attribute("href", FIELDS["supportUrl"])
    await screenshots.show(ada.page, "before-connect")


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_frame_says_it_above_the_sign_in(
    new_user: NewUser, api: Api, services: BrowserServices, screenshots: Screenshots, width: int
) -> None:
    ada = await (await new_user(width=width)).sign_in()
    flow = await ada.open(await api.create("ada", "known", **FIELDS, theme={"name": "Meadow"}))
    await expect(flow.where.locator(".sharing")).to_be_visible()
    await expect(flow.where.locator(".sharing")).to_contain_text(f"{SHARED}, through Meadow.")
    await expect(flow.where.locator("header")).to_contain_text("a•••@example.com")
    await expect(flow.where.get_by_role("link", name="Get help")).to_be_visible()
    frame: Frame = next(one for one in ada.page.frames if one.url.startswith(services.service))
    await screenshots.show(ada.page, "before-frame", [frame], (width,))


@pytest.mark.parametrize("height", [900, 720])
@pytest.mark.parametrize("known", [{}, {"prefill": {"url": "https://www.coned.com"}}])
async def test_the_first_button_of_the_provider_is_in_view_or_the_page_says_that_there_is_more(
    new_user: NewUser, api: Api, height: int, known: Json
) -> None:
    ada = await new_user()
    await ada.page.set_viewport_size({"width": 1280, "height": height})
    await ada.sign_in()
    flow = await ada.open(await api.create("ada", "room", **FIELDS, **known))
    await flow.where.locator("#flow[data-opened]").wait_for()
    line = await _box(flow.where.locator("summary").filter(visible=True))
    assert line["height"] <= 44
    button = flow.provider.where.locator("main button.go, main button").first
    more = flow.where.get_by_role("button", name="More below")
    if await _is_above(button, flow.where.locator("footer")):
        return
    await expect(more).to_be_visible()
    assert height < 900
    await more.click()
    await expect(more).to_be_hidden()
    await expect(flow.where.locator("[data-slot]")).to_be_focused()  # the button is hidden; the keys scroll
    assert await _is_above(button, flow.where.locator("footer"))


async def test_the_providers_next_step_is_shown_from_its_top(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    await ada.page.set_viewport_size({"width": 1280, "height": 720})
    await ada.sign_in()
    flow = await ada.open(await api.create("ada", "room", **FIELDS))
    await flow.opens()
    await flow.where.get_by_role("button", name="More below").click()
    slot = flow.where.locator("[data-slot]")
    assert await slot.evaluate("(slot) => slot.scrollTop") > 0
    await flow.provider.choose_provider()
    await flow.provider.step("credentials").wait_for()
    await expect(flow.where.get_by_role("button", name="More below")).to_be_visible()
    assert await slot.evaluate("(slot) => slot.scrollTop") == 0


async def test_where_there_is_room_nothing_says_that_there_is_more(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "room", **FIELDS))
    await flow.opens()
    await expect(flow.where.get_by_role("button", name="More below")).to_be_hidden()


async def test_a_reconnect_is_named_so_before_the_sign_in_and_above_it(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    flow = await ada.open(await api.create("ada", "named", **FIELDS))
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    connection = await api.only_connection(await flow.session_id())
    body = {"origin": ada.services.demo, "prepare": "now", **FIELDS}
    again = await api.service("POST", f"/v1/connections/{connection['id']}/reconnect", body)
    await ada.page.reload()
    flow = await ada.open(again)
    await expect(flow.where.locator("header")).to_contain_text("Reconnect a utility account as")
    await expect(ada.page.get_by_role("dialog", name="Reconnect a utility account")).to_be_visible()
    await expect(ada.page.locator("iframe")).to_have_attribute("title", "Reconnect a utility account")
    await expect(flow.where.locator("header")).not_to_contain_text("Connect a")
    await ada.page.goto(again["redirectUrl"])
    await expect(ada.page).to_have_title("Reconnect your utility account")


async def _box(element: Locator) -> FloatRect:
    box = await element.bounding_box()
    assert box is not None
    return box


async def _is_above(button: Locator, footer: Locator) -> bool:
    box = await _box(button)
    return box["y"] + box["height"] <= (await _box(footer))["y"]


async def test_the_users_id_is_on_no_page(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("user-4711", "known", userLabel=None)
    await ada.page.goto(session["redirectUrl"])
    await expect(ada.page.locator("main")).to_contain_text("Known Ltd")
    assert "4711" not in await ada.page.content()
    await ada.press("Continue")
    await expect(ada.page.locator(".sharing")).to_be_visible()
    assert "4711" not in await ada.page.content()
