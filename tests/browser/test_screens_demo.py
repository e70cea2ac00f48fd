"""Every page of the demo host app, in each dress."""

import re

import pytest
from playwright.async_api import expect

from tests.support.browser_services import GUIDE, BrowserServices
from tests.support.browser_user import NewUser
from tests.support.screenshots import Screenshots

pytestmark = pytest.mark.with_bills


async def test_the_pages_of_somebody_who_is_not_signed_in(new_user: NewUser, screenshots: Screenshots) -> None:
    user = await new_user()
    await user.page.goto(user.services.demo)
    await screenshots.show(user.page, "demo-sign-in")
    await user.page.goto(f"{user.services.demo}/utilities/done")
    await screenshots.show(user.page, "demo-sign-in-first")
    await user.page.goto(f"{user.services.demo}/nothing-here")
    await screenshots.show(user.page, "demo-not-found")


async def test_the_pages_on_the_way_from_nothing_to_bills(
    new_user: NewUser, screenshots: Screenshots, returning_services: BrowserServices
) -> None:
    ada = await (await new_user(returning_services)).sign_in("Ada Byron")
    await ada.choose("Invitation", "In this page")
    await screenshots.show(ada.page, "demo-options")
    flow = await ada.connect()
    await flow.provider.choose_provider()
    await screenshots.show(ada.page, "demo-inline", widths=[1280])
    await flow.provider.sign_in("wrong")
    await flow.words("The sign-in did not work.").wait_for()
    await flow.press("Leave")
    await expect(ada.page.get_by_text("Sign-in not accepted")).to_be_visible()
    await screenshots.show(ada.page, "demo-attention")
    await ada.choose("In a dialog")
    flow = await ada.connect()
    await flow.provider.connect()
    await flow.press("Done")
    await screenshots.show(ada.page, "demo-first-bills", widths=[320])
    await ada.page.locator("figure").first.wait_for()
    await ada.page.get_by_text("Show as a table").first.click()
    await screenshots.show(ada.page, "demo-bills")


async def test_the_pages_that_a_redirect_ends_on(
    new_user: NewUser, screenshots: Screenshots, returning_services: BrowserServices
) -> None:
    mallory = await (await new_user(returning_services)).sign_in("Mallory Reed")
    for name, ending in (("waiting", None), ("left", "Leave")):
        await mallory.page.goto(mallory.services.demo)
        await mallory.press("Connect by redirect")
        await mallory.press("Continue")
        if ending:
            await mallory.press(ending)
        else:
            way_back = await mallory.page.locator("a[data-done]").first.get_attribute("href")
            await mallory.page.goto(f"{mallory.services.service}{way_back}")
        await mallory.page.wait_for_url(re.compile(r"/utilities/done\?"))
        await screenshots.show(mallory.page, f"demo-done-{name}")
    await mallory.page.goto(f"{mallory.services.demo}/utilities/done?state=nobodys")
    await expect(mallory.page.locator("magic-link-status")).to_have_count(0)
    await screenshots.show(mallory.page, "demo-done-not-recognised")


async def test_the_page_after_a_redirect_shows_the_accounts_and_leads_to_mend_one(
    new_user: NewUser, screenshots: Screenshots
) -> None:
    bob = await (await new_user()).sign_in("Bob Fisher")
    for password in ("wrong", GUIDE[2]):
        await bob.page.goto(bob.services.demo)
        await bob.press("Connect by redirect")
        await bob.press("Continue")
        await bob.redirected.provider.choose_provider()
        await bob.redirected.provider.sign_in(password)
        if password == "wrong":
            await bob.redirected.words("The sign-in did not work.").wait_for()
            await bob.press("Leave")
    await bob.redirected.provider.choose_sites("Headquarters")
    await bob.redirected.provider.press("Connect")
    await bob.page.wait_for_url(re.compile(r"/utilities/done\?"))
    accounts = bob.page.frame_locator("iframe[title='Your utility accounts']")
    await expect(accounts.get_by_text("Connected", exact=True).first).to_be_visible()
    mend = accounts.get_by_role("button", name="Sign in again").first
    await expect(mend).to_have_css("border-radius", "16px")
    shown = [one for one in bob.page.frames if "/status/" in one.url]
    await screenshots.show(bob.page, "demo-done-accounts", [bob.page.main_frame, *shown])
    await mend.click()
    await expect(bob.page.get_by_role("heading", name="Reconnect your utility account")).to_be_visible()
