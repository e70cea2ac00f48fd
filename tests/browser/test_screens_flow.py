"""Our pages at top level: every one and every state, in each dress."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Route, expect

from service.domain.status_words import words_for
from service.settings.utility_hints import UtilityHints
from service.web.pages.advice import AccountView
from service.web.pages.contexts import DonePage, ErrorPage, HandoverPage, Page, ReconnectPage
from service.web.pages.flow_view import ConnectionView
from tests.support.browser_services import Api, BrowserServices
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.screenshots import Screenshots
from tests.support.templates import rendered

HELP = "https://help.example.com/utilities"
NAMED: dict[str, Any] = {"company": "Harbour Light Foods Ltd", "user_label": "A••• B•••", "support_url": HELP}
CONNECTIONS = (
    ConnectionView(words=words_for("CONNECTED"), provider="Nectar Sandbox Utility"),
    ConnectionView(words=words_for("PENDING")),
    ConnectionView(words=words_for("PASSWORD_INCORRECT"), provider="Silent Valley Electric"),
)
DELAYED = (ConnectionView(words=words_for("WEBSITE_DOWN")), ConnectionView(words=words_for("COMPANY_INACTIVE")))
HELPED = NAMED | dict.fromkeys(("help_login", "help_upload", "help_mfa"), HELP)
HINTS = UtilityHints().for_url("https://coned.com"), UtilityHints().for_url("https://www.pge.com")
FAILED = (ConnectionView(words=words_for("MFA_TOKEN_EXPIRED"), provider="Con Edison"),)
ACCOUNT = AccountView("Con Edison", "coned.com, Headquarters, Warehouse", words_for("MFA_TOKEN_EXPIRED"))
# Ends that no single walk reaches: their pages are made from their contexts, as the service does.
RARE: dict[str, Page] = {
    "handover": HandoverPage(session_id="ses_1"),
    "connect-mend": ReconnectPage(
        **HELPED, action="/", form_value="v", account=ACCOUNT, hints=tuple(filter(None, HINTS[:1]))
    ),
    "done-attention": DonePage(outcome="attention", connections=CONNECTIONS[2:], again_url="/connect/t", **NAMED),
    "done-second-step": DonePage(outcome="attention", connections=FAILED, hints=tuple(filter(None, HINTS)), **HELPED),
    "done-connected-some": DonePage(outcome="connected", connections=CONNECTIONS, **NAMED),
    "done-submitted": DonePage(outcome="submitted", connections=CONNECTIONS[1:2], **NAMED),
    "done-delayed": DonePage(outcome="submitted", connections=DELAYED, **NAMED),
    **{
        f"done-{outcome}": DonePage(outcome=outcome, unreachable_since="2027-01-15T08:00:00.000Z", **NAMED)
        for outcome in ("asking", "nothing", "unreachable", "used", "settling", "ambiguous", "arrived")
    },
    "done-exited": DonePage(outcome="exited", **NAMED),
    "done-expired": DonePage(outcome="expired", **NAMED),
    "done-revoked": DonePage(outcome="revoked", **NAMED),
    "done-failed": DonePage(outcome="failed", **NAMED),
    **{
        f"error-{code}": ErrorPage(code=code, request_id="req_4f1c2a9b7d3e", support_url=HELP)
        for code in ("session_closed", "taken_over", "rate_limited", "unavailable", "internal")
    },
}


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    return await new_user()


async def test_the_way_by_redirect(ada: BrowserUser, new_user: NewUser, screenshots: Screenshots, api: Api) -> None:
    session = await api.create("ada", "screen-redirect", supportUrl=HELP)
    page, flow = ada.page, ada.redirected
    await page.goto(session["redirectUrl"])
    await screenshots.show(page, "top-connect")
    await ada.press("Continue")
    await flow.provider.step("provider").wait_for()
    await screenshots.show(page, "top-provider", [page.main_frame], [1280])
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await screenshots.show(page, "top-confirming")
    way_back = await page.locator("a[data-done]").first.get_attribute("href")

    other = await new_user(width=320)
    await other.page.goto(session["redirectUrl"])
    await other.press("Continue")
    await other.redirected.shows("Continue in this window?")
    await screenshots.show(other.page, "top-confirm-takeover")
    await other.page.goto(f"{ada.services.service}{way_back}")
    await other.redirected.shows("Is this you?")
    await screenshots.show(other.page, "top-confirm-return")
    await other.press("Yes, continue")
    await other.redirected.shows("Nothing has arrived yet.")
    await screenshots.show(other.page, "top-done-confirming")
    await flow.shows("You continued in another window.")
    await screenshots.show(page, "top-taken")


async def test_the_way_by_redirect_on_a_small_screen(new_user: NewUser, screenshots: Screenshots, api: Api) -> None:
    ada = await new_user(width=320)
    await ada.page.goto((await api.create("ada", "screen-small"))["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.shows("Your secure page is ready.")
    await screenshots.show(ada.page, "top-window", widths=[320])


async def test_the_end_of_the_way(ada: BrowserUser, screenshots: Screenshots, api: Api) -> None:
    await ada.page.goto((await api.create("ada", "screen-end"))["redirectUrl"])
    await ada.press("Continue")
    tried = await ada.stays()
    await ada.redirected.provider.connect()
    await ada.redirected.shows("Your account is connected.")
    await screenshots.show(ada.page, "top-connected")
    await tried.wait()
    await ada.page.unroute_all()
    await ada.page.get_by_role("link", name="Done").click()
    await expect(ada.page.get_by_text("You can close this page.")).to_be_visible()
    await screenshots.show(ada.page, "top-done-connected")


async def test_addresses_that_lead_nowhere(
    ada: BrowserUser, screenshots: Screenshots, api: Api, services: BrowserServices
) -> None:
    session = await api.create("ada", "screen-nowhere", supportUrl=HELP)
    await ada.page.goto(session["embedUrl"])
    await screenshots.show(ada.page, "top-elsewhere")
    await ada.page.goto(session["redirectUrl"])
    await ada.press("Continue")
    await ada.redirected.provider.step("provider").wait_for()
    await api.revoke(session["id"])
    await ada.redirected.shows("This link was withdrawn.")
    await screenshots.show(ada.page, "top-revoked")
    addresses = {
        "error-revoked": session["redirectUrl"],
        "error-not_found": f"{services.service}/connect/nothing",
        "error-bad_state": f"{services.service}/callback?state=nobodys",
    }
    for name, url in addresses.items():
        await ada.page.goto(url)
        await screenshots.show(ada.page, f"top-{name}")


async def test_ends_that_no_single_walk_reaches(ada: BrowserUser, screenshots: Screenshots) -> None:
    for name, page in RARE.items():
        await ada.page.route(f"**/{name}", _answering(rendered(page)))
        await ada.page.goto(f"{ada.services.service}/{name}")
        await screenshots.show(ada.page, f"top-{name}")


def _answering(html: str) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        await route.fulfill(body=html, content_type="text/html")

    return answer
