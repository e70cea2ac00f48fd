"""What people see before they sign in: for whom, as whom, who shows the sign-in, and what is shared with whom."""

import pytest
from playwright.async_api import Frame, expect

from tests.support.browser_services import Api, BrowserServices
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


async def test_the_users_id_is_on_no_page(new_user: NewUser, api: Api) -> None:
    ada = await new_user()
    session = await api.create("user-4711", "known", userLabel=None)
    await ada.page.goto(session["redirectUrl"])
    await expect(ada.page.locator("main")).to_contain_text("Known Ltd")
    assert "4711" not in await ada.page.content()
    await ada.press("Continue")
    await expect(ada.page.locator(".sharing")).to_be_visible()
    assert "4711" not in await ada.page.content()
