"""Every page of the sandbox, in each dress."""

from typing import Any

import pytest

from tests.support.browser_services import GUIDE, Api
from tests.support.browser_user import BrowserUser, NewUser, ProviderPages
from tests.support.screenshots import Screenshots

pytestmark = pytest.mark.with_bills


@pytest.fixture
async def company(api: Api) -> str:
    made: str = (await api.sandbox("POST", "/company", {"name": "Harbour Light Foods Ltd"}))["id"]
    for name, address in (("Bakery", "12 Quay Street, Bristol BS1 4DD"), ("Cold store", "Unit 7, Avonmouth Way")):
        await api.sandbox("POST", f"/company/{made}/site", {"name": name, "address": address})
    return made


@pytest.fixture
async def user(new_user: NewUser) -> BrowserUser:
    return await new_user()


async def _invite(api: Api, company: str, **fields: Any) -> str:
    url: str = (await api.sandbox("POST", f"/invitation/company/{company}", fields))["invitationUrl"]
    return url


async def test_the_steps_of_an_invitation_and_what_they_say_no_to(
    user: BrowserUser, screenshots: Screenshots, api: Api, company: str
) -> None:
    page, pages = user.page, ProviderPages(user.page)
    await api.trouble("PUT", "mfa", company)
    await page.goto(await _invite(api, company, allowedEmails=["ada@example.com"]))
    await screenshots.show(page, "sandbox-1-email")
    await page.get_by_label("Your e-mail address").fill("ada@example.com")
    await pages.press("Confirm")
    await screenshots.show(page, "sandbox-2-provider")
    await pages.choose_provider("nowhere at all")
    await screenshots.show(page, "sandbox-2-provider-refused")
    await pages.choose_provider()
    await screenshots.show(page, "sandbox-3-credentials")
    await pages.sign_in("wrong")
    await screenshots.show(page, "sandbox-3-credentials-refused")
    await pages.sign_in()
    await screenshots.show(page, "sandbox-4-mfa")
    await page.get_by_label("Six-digit code").fill("123456")
    await pages.press("Verify")
    await pages.choose_sites()
    await pages.press("Connect")
    await screenshots.show(page, "sandbox-5-settings-refused")
    await pages.choose_sites("Bakery")
    await screenshots.show(page, "sandbox-5-settings")
    await pages.press("Connect")
    await pages.step("done").wait_for()
    await screenshots.show(page, "sandbox-6-done")


async def test_the_ends_that_are_no_success(
    user: BrowserUser, screenshots: Screenshots, api: Api, company: str
) -> None:
    page, pages = user.page, ProviderPages(user.page)
    await page.goto(await _invite(api, company))
    await pages.choose_provider("https://silent-valley.example")
    await pages.sign_in("secret")
    await pages.choose_sites("Bakery")
    await pages.press("Connect")
    await pages.step("done").wait_for()
    await screenshots.show(page, "sandbox-6-done-custom-provider")
    await page.goto(f"{user.services.sandbox}/p/i/unknown")
    await screenshots.show(page, "sandbox-unknown")
    invitation = await api.sandbox("POST", f"/invitation/company/{company}", {})
    await api.sandbox("POST", f"/invitation/{invitation['id']}/revoke")
    await page.goto(invitation["invitationUrl"])
    await screenshots.show(page, "sandbox-revoked")


async def test_what_a_utility_asks_besides_the_password(
    user: BrowserUser, screenshots: Screenshots, api: Api, company: str
) -> None:
    page, pages = user.page, ProviderPages(user.page)
    for trouble in ("security_questions", "mfa_forwarding"):
        await api.trouble("PUT", trouble, company)
    await page.goto(await _invite(api, company, prefill={"url": GUIDE[0]}))
    await pages.sign_in()
    await screenshots.show(page, "sandbox-4-questions")
    await page.get_by_label("first pet").fill("biscuit")
    await page.get_by_label("grow up").fill("Honey Lane")
    await pages.press("Answer")
    await screenshots.show(page, "sandbox-4-questions-refused")
    await page.get_by_label("first pet").fill("Biscuit")
    await page.get_by_label("grow up").fill("Honey Lane")
    await pages.press("Answer")
    await screenshots.show(page, "sandbox-4-forwarding")
    await page.get_by_label("Your own e-mail address").fill("ada@example.com")
    await pages.press("Show the address")
    await pages.press("Update")
    await screenshots.show(page, "sandbox-4-forwarding-address-refused")
    await page.get_by_label("Configured").check()
    await pages.press("Update")
    await pages.choose_sites("Bakery")
    await pages.press("Connect")
    await pages.step("done").wait_for()
    await screenshots.show(page, "sandbox-6-done-pending")


async def test_a_reconnect_after_an_mfa_error_by_keyboard(
    user: BrowserUser, screenshots: Screenshots, api: Api, company: str
) -> None:
    sites = [site["id"] for site in (await api.sandbox("GET", f"/company/{company}"))["sites"]]
    await api.trouble("PUT", "mfa_forwarding", company)
    account = {"url": GUIDE[0], "username": GUIDE[1], "password": GUIDE[2], "sites": sites}
    made = await api.sandbox("POST", f"/company/{company}/connection", account)
    invitation = await api.sandbox("POST", f"/invitation/connection/{made['id']}", {})
    page, pages = user.page, ProviderPages(user.page)
    await page.goto(invitation["invitationUrl"])
    await screenshots.show(page, "sandbox-mend-forwarding")
    await page.get_by_label("Your own e-mail address").focus()
    await page.keyboard.type("ada@example.com")
    await page.keyboard.press("Enter")
    await pages.step("forwarding-address").wait_for()
    await screenshots.show(page, "sandbox-mend-forwarding-address")
    await page.get_by_label("Configured").focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await pages.step("done").wait_for()
    await screenshots.show(page, "sandbox-mend-done-pending")
    await page.goto(f"{user.services.sandbox}/dashboard/connections/{made['id']}")
    await screenshots.show(page, "sandbox-board-connection-pending")


async def test_back_and_reload_show_pages_and_repeat_nothing(user: BrowserUser, api: Api, company: str) -> None:
    page, pages = user.page, ProviderPages(user.page)
    await page.goto(await _invite(api, company))
    await pages.choose_provider()
    await pages.sign_in("wrong")
    await page.get_by_role("alert").wait_for()
    await page.reload()
    await page.get_by_role("alert").wait_for()
    await pages.sign_in()
    await pages.step("settings").wait_for()
    await page.go_back()
    await pages.step("credentials").wait_for()
    await page.go_forward()
    await pages.step("settings").wait_for()
    await page.go_back()
    await pages.sign_in()
    await pages.choose_sites("Bakery")
    await pages.press("Connect")
    await pages.step("done").wait_for()
    await page.reload()
    await pages.step("done").wait_for()
    await page.go_back()
    await pages.step("done").wait_for()
    connections = (await api.sandbox("GET", f"/company/{company}/connection"))["connections"]
    assert [each["status"] for each in connections] == ["CONNECTED"]


async def test_changing_a_connection(user: BrowserUser, screenshots: Screenshots, api: Api, company: str) -> None:
    sites = [site["id"] for site in (await api.sandbox("GET", f"/company/{company}"))["sites"]]
    account = {"url": GUIDE[0], "username": GUIDE[1], "password": GUIDE[2], "sites": sites}
    made = await api.sandbox("POST", f"/company/{company}/connection", account)
    page, pages = user.page, ProviderPages(user.page)
    await page.goto(
        f"{user.services.sandbox}/p/connect/{made['publicCompanyId']}/workflow/{made['connectionMagicLinkSecret']}"
    )
    await screenshots.show(page, "sandbox-edit-credentials")
    await pages.sign_in()
    await pages.step("settings").wait_for()
    await screenshots.show(page, "sandbox-edit-settings")
    await pages.press("Save changes")
    await pages.step("done").wait_for()
    await screenshots.show(page, "sandbox-edit-done")


async def test_the_dashboard(user: BrowserUser, screenshots: Screenshots, api: Api, company: str) -> None:
    page, pages = user.page, ProviderPages(user.page)
    await page.goto(f"{user.services.sandbox}/dashboard")
    await pages.press("Add the company")
    await page.get_by_label("Name of the company").fill("Quarry Lane Dairy")
    await pages.press("Add the company")
    await screenshots.show(page, "sandbox-board-company-new")
    await page.goto(f"{user.services.sandbox}/dashboard")
    await screenshots.show(page, "sandbox-board-companies")
    await page.goto(f"{user.services.sandbox}/dashboard/companies/{company}")
    await page.get_by_role("link", name="Connect a utility account").click()
    await pages.choose_provider()
    await pages.sign_in()
    await pages.choose_sites("Bakery")
    for kind in ("Electricity", "Water", "Solar", "Fuel"):
        await page.get_by_label(kind).uncheck()
    await pages.press("Connect")
    await page.get_by_role("link", name="Go to the connection").click()
    await page.get_by_role("heading", name="Nectar Sandbox Utility").wait_for()
    while not await page.get_by_role("table").count():
        await page.reload()
    await screenshots.show(page, "sandbox-board-connection")
    await page.get_by_role("region").get_by_role("link").first.click()
    await screenshots.show(page, "sandbox-board-bill")
    await _invite(api, company, maxUses=1)
    await api.sandbox("POST", f"/job/company/{company}/bulk", {"documents": ["https://files.example/gas-may.pdf"]})
    await page.goto(f"{user.services.sandbox}/dashboard/companies/{company}")
    await screenshots.show(page, "sandbox-board-company")
