"""What must stay apart: users of one company, foreign hosts, and whoever opens what is not for them."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Playwright, Route

from tests.support.browser_services import Api, BrowserServices
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.chromium import whole_arguments

STORAGE = "() => { try { localStorage.setItem('seen', 'yes'); return 'works' } catch (error) { return error.name } }"


async def _walk(user: BrowserUser, name: str, site: str) -> str:
    await user.sign_in(name)
    flow = await user.connect()
    session_id = await flow.session_id()
    await flow.provider.choose_provider()
    await flow.provider.sign_in()
    await flow.provider.choose_sites(site)
    await flow.provider.press("Connect")
    await flow.shows("Your account is connected.")
    return session_id


async def test_two_users_of_one_company_at_once_get_the_right_connection_each(new_user: NewUser, api: Api) -> None:
    users = {"ada": ("Ada Byron", "Headquarters", "hq"), "bob": ("Bob Fisher", "Warehouse", "warehouse")}
    walks = [_walk(await new_user(), name, site) for name, site, _ in users.values()]
    for (user, (_, _, external_id)), session_id in zip(users.items(), await asyncio.gather(*walks), strict=True):
        session = await api.session(session_id)
        connection = await api.only_connection(session_id)
        assert (session["userId"], connection["userId"]) == (user, user)
        assert connection["evidence"]["kind"] == "invitation"
        assert connection["sites"] == [site for site in session["sites"] if site["externalId"] == external_id]


async def test_an_allowed_host_may_frame_the_page(new_user: NewUser, api: Api, other_host: str) -> None:
    session = await api.create("ada", "other_host", origin=other_host)
    ada = await new_user()
    await ada.page.goto(f"{other_host}/?{session['embedUrl']}")
    await FlowPage(ada.page.frame_locator("iframe")).provider.step("provider").wait_for()


@pytest.mark.parametrize("address", ["embedUrl", "redirectUrl"])
async def test_a_foreign_host_cannot_frame_our_pages(
    new_user: NewUser, api: Api, other_host: str, stranger: str, address: str
) -> None:
    session = await api.create("ada", "stranger", origin=other_host)
    mallory = await new_user(watched=False)
    async with (
        mallory.page.expect_console_message(lambda message: "frame-ancestors" in message.text),
        mallory.page.expect_event("framenavigated", lambda frame: frame.url == "chrome-error://chromewebdata/"),
    ):
        await mallory.page.goto(f"{stranger}/?{session[address]}")
    assert (await api.session(session["id"]))["status"] == "created"


async def test_an_embed_address_opened_by_itself_reveals_nothing(new_user: NewUser, api: Api) -> None:
    session = await api.create("ada", "curious", supportUrl="https://help.example.com")
    known, unknown = await new_user(), await new_user()
    await known.page.goto(session["embedUrl"])
    await known.redirected.shows("Please open this in your app")
    await unknown.page.goto(session["embedUrl"].replace("/embed/", "/embed/x"))
    assert await known.page.content() == await unknown.page.content()
    assert (await api.session(session["id"]))["status"] == "created"


async def test_opened_by_itself_it_starts_nothing_either_where_the_browser_does_not_tell_the_service(
    new_user: NewUser, api: Api
) -> None:
    """Some browsers before 2023 send no `Sec-Fetch-Dest`, and some proxies take it away."""

    async def untold(route: Route) -> None:
        await route.fulfill(response=await route.fetch(headers={"Accept": "text/html"}))

    session = await api.create("ada", "curious")
    ada = await new_user()
    await ada.page.route("**/embed/*", untold)
    await ada.page.goto(session["embedUrl"])
    await ada.redirected.shows("This link does not work.")
    assert (await api.session(session["id"]))["status"] == "created"


@pytest.mark.whole_chromium
async def test_it_works_where_the_browser_keeps_nothing_for_frames(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in()
    assert await _connects(ada, api, "no-storage") == {"SecurityError"}


async def test_and_where_it_does(
    playwright: Playwright, chromium_path: str, services: BrowserServices, api: Api, tmp_path: Path
) -> None:
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text('{"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": false}}')
    async with await playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=chromium_path, args=whole_arguments()
    ) as own:
        ada = await BrowserUser(own.pages[0], services).sign_in()
        assert await _connects(ada, api, "storage") == {"works"}


async def _connects(ada: BrowserUser, api: Api, company: str) -> set[str]:
    """Walks through, and returns what came of keeping something in the frames."""
    flow = await ada.open(await api.create("ada", company))
    await flow.provider.step("provider").wait_for()
    kept = {await frame.evaluate(STORAGE) for frame in ada.page.frames if frame != ada.page.main_frame}
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    return kept
