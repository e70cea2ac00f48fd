"""Where the provider's pages return by themselves, as only the sandbox does, and only with its setting."""

import re

from playwright.async_api import expect

from tests.support.browser_services import BrowserServices
from tests.support.browser_user import NewUser


async def test_in_the_frame_the_way_back_stands_for_the_button(
    new_user: NewUser, returning_services: BrowserServices
) -> None:
    ada = await (await new_user(returning_services)).sign_in("Mallory Reed")
    flow = await ada.connect()
    await flow.provider.connect()
    await flow.shows("Your account is connected.")


async def test_at_top_level_too(new_user: NewUser, returning_services: BrowserServices) -> None:
    mallory = await (await new_user(returning_services)).sign_in("Mallory Reed")
    await mallory.press("Connect by redirect")
    await mallory.press("Continue")
    await mallory.redirected.provider.connect()
    await mallory.page.wait_for_url(re.compile(r"/utilities/done\?"))
    await expect(mallory.page.get_by_role("heading", name="Your utility account is connected")).to_be_visible()
