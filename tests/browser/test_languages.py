"""French in the frame, Spanish by redirect: each page of a walk, and those that no walk reaches, on small screens."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Frame, Locator, Route, expect

from service.domain.model import ConnectionId, LinkStatus
from service.domain.page_view import Waiting
from service.domain.status_words import all_words, words_for
from service.settings.utility_hints import UtilityHints
from service.web.languages import languages
from service.web.pages.advice import AccountView
from service.web.pages.contexts import (
    ConfirmPage,
    ConnectPage,
    DonePage,
    ErrorPage,
    HandoffPage,
    HandoverPage,
    OpenPage,
    Page,
    ReconnectPage,
)
from service.web.pages.flow_view import ConnectionView, FlowView, LinkView
from service.web.pages.status_routes import AccountRow, StatusPage
from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.languages import sentences
from tests.support.screenshots import WIDTHS, Screenshots
from tests.support.templates import rendered

FRENCH, SPANISH = languages()["fr"], languages()["es"]
HELP = "https://help.example.com/utilities"
NAMED: dict[str, Any] = {"company": "Harbour Light Foods Ltd", "user_label": "A••• B•••", "support_url": HELP}
HELPED = NAMED | dict.fromkeys(("help_login", "help_upload", "help_mfa"), HELP)
PATHS: dict[str, Any] = {
    "session_id": "ses_1",
    "token_path": "/connect/t",
    "live_path": "/live/t",
    "provider_origin": HELP,
}
HINTS = tuple(filter(None, (UtilityHints().for_url(f"https://{host}") for host in ("coned.com", "pge.com"))))
ACCOUNT = AccountView("Con Edison", "coned.com, Headquarters, Warehouse", words_for("MFA_TOKEN_EXPIRED"))
EVERY = tuple(ConnectionView(words=words, provider="Con Edison") for words in all_words())
ROWS = tuple(
    AccountRow(provider="Con Edison", label=one.label, sentence=one.sentence, mend_id=ConnectionId("1"))
    for one in all_words()
)
READY = LinkView(status=LinkStatus.READY, url=f"{HELP}/link", framable=False)
WAITS = FlowView(status="opened", link=READY, finished=True, confirming=True, unreachable_since="2027-01-15T08:00:00Z")
VIEWS = {
    "preparing": FlowView(status="created", link=LinkView(status=LinkStatus.PENDING)),
    "mends": FlowView(status="opened", link=READY, account=ACCOUNT, hints=HINTS),
    **{f"waits-{one}": replace(WAITS, waiting=one) for one in Waiting},
    "connected": FlowView(status="connected", link=READY, connections=EVERY[:3], hints=HINTS),
    "attention": FlowView(status="connected", link=READY, connections=EVERY, hints=HINTS),
    **{one: FlowView(status=one, link=READY, failure_code="x") for one in ("expired", "revoked", "failed")},
}
RARE: dict[str, Page] = {
    **{f"open-{name}": OpenPage(**HELPED, **PATHS, view=view) for name, view in VIEWS.items()},
    "connect": ConnectPage(**NAMED, action="/", form_value="v", hints=HINTS),
    "mend": ReconnectPage(**HELPED, action="/", form_value="v", account=ACCOUNT),
    "takeover": ConfirmPage(**NAMED, reason="takeover", action="/", hidden={}),
    "return": ConfirmPage(**NAMED, reason="callback", action="/", hidden={}),
    **{f"phone-{one}": HandoffPage(**NAMED, state=one, action="/") for one in ("wrong", "over")},
    "second-step": DonePage(**HELPED, outcome="attention", connections=EVERY[10:11], hints=HINTS),
    "done-nothing": DonePage(**NAMED, outcome="nothing"),
    "error": ErrorPage(code="bad_state", request_id="req_4f1c2a9b7d3e", support_url=HELP),
    "handover": HandoverPage(session_id="ses_1"),
    "status": StatusPage(host_origin=HELP, seconds_left=600, closed=False, accounts=ROWS),
}
# A term of the facts that is broken into several lines has no room.
BROKEN_TERMS = """(most) => [...document.querySelectorAll("dt")]
    .filter((one) => one.offsetHeight > most).map((one) => one.innerText)"""
# The words of a text that is shown and is no sentence of ours.
ENGLISH = {one for one in sentences() if re.fullmatch(r"[A-Z][^<%]{6,}", one)}


async def shown_english(place: Locator) -> list[str]:
    """English sentences that are shown in this place."""
    text = re.sub(r"\s+", " ", await place.inner_text())
    return [one for one in ENGLISH if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text)]


def frame_of(user: BrowserUser) -> Frame:
    return next(one for one in user.page.frames if one.url.startswith(user.services.service))


def in_language(flow: FlowPage, code: str) -> Locator:
    return flow.where.locator(f"html[lang={code}]")


async def test_a_walk_in_french_in_a_frame_whose_element_asks_for_it(
    new_user: NewUser, api: Api, other_host: str, screenshots: Screenshots
) -> None:
    ada = await new_user()  # whose browser is English
    session = await api.create("ada", "french", origin=other_host, locale="es", supportUrl=HELP)
    element = f"<magic-link locale='fr-CA' url='{session['embedUrl']}'></magic-link>"
    script = f"<script src='{ada.services.service}/embed.js?locale=fr'></script>"
    await ada.page.goto(f"{other_host}/content?{script}{element}")
    flow = FlowPage(ada.page.frame_locator(f"iframe[title='{FRENCH.say('Connect a utility account')}']"))
    await flow.opens()
    await expect(in_language(flow, "fr")).to_be_attached()

    async def show(name: str, *widths: int) -> None:
        assert await shown_english(flow.where.locator("body")) == []
        await screenshots.show(ada.page, f"fr-frame-{name}", [frame_of(ada)], widths or WIDTHS)

    await show("provider", 1280)
    await flow.press(FRENCH.say("Continue on your phone"))
    await flow.shows(FRENCH.say("Continue on your phone"))
    await expect(flow.where.locator("[data-digits]")).to_have_text(re.compile(r"\d{3} \d{3}"))
    await show("phone")
    await flow.press(FRENCH.say("Back"))
    await flow.press(FRENCH.say("I have finished"))
    await flow.shows(FRENCH.say("Nothing has arrived yet."))
    await show("nothing")
    await flow.press(FRENCH.say("Back to the secure page"))
    await flow.provider.connect()
    await flow.shows(FRENCH.say("Your account is connected."))
    await show("connected")


async def test_a_walk_in_spanish_by_redirect_in_a_spanish_browser(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada = await new_user(locale="es-MX")
    page, flow = ada.page, ada.redirected
    session = await api.create("ada", "spanish", supportUrl=HELP)

    async def show(name: str, *widths: int) -> None:
        assert await shown_english(page.locator("body")) == []
        await expect(in_language(flow, "es")).to_be_attached()
        await screenshots.show(page, f"es-top-{name}", [page.main_frame], widths or WIDTHS)

    await page.goto(session["redirectUrl"])
    await show("connect")
    await ada.press(SPANISH.say("Continue"))
    await flow.provider.step("provider").wait_for()
    await show("provider", 1280)
    tried = await ada.stays()
    await flow.provider.connect()
    await flow.shows(SPANISH.say("Your account is connected."))
    await show("connected")
    await tried.wait()
    await page.unroute_all()
    await page.get_by_role("link", name=SPANISH.say("Done"), exact=True).click()
    await page.wait_for_url(re.compile("/callback"))
    await flow.shows(SPANISH.say("Your account is connected."))
    await show("done")


async def test_a_phone_goes_on_in_the_language_of_its_session(
    new_user: NewUser, api: Api, screenshots: Screenshots
) -> None:
    ada = await new_user(width=320)
    await ada.page.goto((await api.create("ada", "french-small", locale="fr"))["redirectUrl"])
    await ada.press(FRENCH.say("Continue"))
    await ada.redirected.shows(FRENCH.say("Your secure page is ready."))
    assert await shown_english(ada.page.locator("body")) == []
    await screenshots.show(ada.page, "fr-top-window", widths=[320])


@pytest.mark.parametrize("code", ["fr", pytest.param("es", marks=pytest.mark.soak)])
async def test_the_ends_that_no_walk_reaches_fit_on_every_screen(
    new_user: NewUser, screenshots: Screenshots, code: str
) -> None:
    ada = await new_user()
    await ada.page.route("**/static/*/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    for name, page in RARE.items():
        await ada.page.route(f"**/{name}", _answering(rendered(replace(page, lang=code))))
        await ada.page.goto(f"{ada.services.service}/{name}")
        assert await shown_english(ada.page.locator("body")) == [], name
        assert await ada.page.evaluate(BROKEN_TERMS, 2 * 16) == [], name
        await screenshots.show(ada.page, f"{code}-{name}")


async def test_what_the_service_tells_a_page_later_is_in_the_language_of_that_page(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()  # whose browser is English
    session = await api.create("ada", "hinted", origin=other_host, prefill={"url": "https://www.coned.com/login"})
    element = f"<magic-link locale='fr' url='{session['embedUrl']}'></magic-link>"
    await ada.page.goto(f"{other_host}/content?<script src='{ada.services.service}/embed.js'></script>{element}")
    hint = ada.embedded.where.locator("[data-hints] [data-needed]").filter(visible=True)
    await expect(hint).to_have_text(FRENCH.say(HINTS[0].needed or ""))


async def test_a_time_is_shown_in_the_pages_language_as_the_readers_region_writes_it(
    new_user: NewUser, api: Api
) -> None:
    shown = {}
    for region in ("en-GB", "fr-CA"):
        ada = await new_user(locale=region, timezone_id="America/Toronto")
        session = await api.create("ada", f"time-{region}", locale="fr")
        await ada.page.goto(session["redirectUrl"])
        await ada.press(FRENCH.say("Continue"))
        await ada.redirected.provider.step("provider").wait_for()
        shown[region] = await ada.page.evaluate(
            """async () => {
                const { Screen } = await import("/static/screen.js");
                new Screen(document.getElementById("flow"), () => {}).since(new Date("2026-01-02T19:05:00Z"));
                return document.querySelector("[data-since]").textContent;
            }"""
        )
    assert shown == {"en-GB": "2 janv. 2026, 14:05", "fr-CA": "2 janv. 2026, 14 h 05"}


async def test_what_the_script_says_where_nothing_can_be_loaded_is_in_the_browsers_language(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user(locale="fr-CA", watched=False)
    session = await api.create("ada", "french-away", origin=other_host)
    await ada.page.route(re.compile(f"^{re.escape(ada.services.service)}/embed/"), lambda route: route.abort())
    await ada.page.goto(f"{other_host}/element?{session['embedUrl']}")
    await expect(ada.page.get_by_role("alert")).to_have_text(
        FRENCH.say("The secure page could not be loaded. Check your connection, then try again."), timeout=20_000
    )
    await expect(ada.page.get_by_role("button", name=FRENCH.say("Try again"))).to_be_visible()


async def test_the_status_elements_locale_changes_its_list(new_user: NewUser, api: Api, other_host: str) -> None:
    ada = await new_user(locale="es-MX")
    await api.create("ada", "status-languages")
    status = await api.service("GET", f"/v1/users/ada/status?origin={other_host}")
    element = f"<magic-link-status url='{status['statusUrl']}'></magic-link-status>"
    await ada.page.goto(f"{other_host}/content?<script src='{ada.services.service}/embed-status.js'></script>{element}")
    page = ada.page.frame_locator("magic-link-status iframe").last
    await expect(page.locator("html[lang=es]")).to_be_attached()
    await ada.page.evaluate("document.querySelector('magic-link-status').locale = 'fr'")
    await expect(page.locator("html[lang=fr]")).to_be_attached()


def _answering(html: str) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        await route.fulfill(body=html, content_type="text/html")

    return answer
