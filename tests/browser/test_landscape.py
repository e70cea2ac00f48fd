"""A phone held sideways: little height, in which what is to be pressed is there without scrolling."""

from typing import Literal

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import FlowPage, NewUser, ProviderPages


@pytest.mark.parametrize("where", ["frame", "top"])
async def test_the_flow_is_walked_through_with_every_button_in_sight(new_user: NewUser, api: Api, where: str) -> None:
    ada = await new_user(is_mobile=True, has_touch=True)
    await ada.page.set_viewport_size({"width": 667, "height": 375})
    await ada.sign_in()
    session = await api.create("ada", f"sideways-{where}")
    if where == "frame":
        flow = await ada.open(session)
    else:
        flow = ada.redirected
        await ada.page.goto(session["redirectUrl"])
        await _in_sight(flow, "Continue")
        await flow.press("Continue")
    await flow.shows("Your secure page is ready.")
    await _in_sight(flow, "Open the secure page", "link")
    async with ada.page.context.expect_page() as opened:
        await flow.where.get_by_role("link", name="Open the secure page").click()
    await _in_sight(flow, "I have finished")
    await ProviderPages(await opened.value).connect()
    await flow.shows("Your account is connected.")
    if where == "frame":
        await _in_sight(flow, "Done")


async def _in_sight(flow: FlowPage, name: str, role: Literal["button", "link"] = "button") -> None:
    await expect(flow.where.get_by_role(role, name=name).filter(visible=True).first).to_be_in_viewport(ratio=0.9)
