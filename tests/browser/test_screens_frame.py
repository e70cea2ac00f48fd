"""Our page inside the host's frame: every state, in each dress."""

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Frame, expect

from tests.support.browser_services import Api, BrowserServices, Json
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.screenshots import WIDTHS, Screenshots

START = re.compile(r"/embed/[^/]+/start$")
HELP = "https://help.example.com/utilities"


class Stage:
    """Ada with the demo host app's page open, on which one session after the other is opened and photographed."""

    def __init__(self, ada: BrowserUser, api: Api, screenshots: Screenshots) -> None:
        self.ada = ada
        self.page = ada.page
        self.api = api
        self._screenshots = screenshots
        self.session: Json = {}

    async def open(self, name: str, *, inline: bool = False, **fields: Any) -> FlowPage:
        self.session = await self.api.create("ada", f"screen-{name}", **{"supportUrl": HELP} | fields)
        return await self.open_again(inline=inline)

    async def open_again(self, *, inline: bool = False) -> FlowPage:
        await self.page.goto(self.ada.services.demo)
        return await self.ada.open(self.session, inline=inline)

    async def show(self, name: str, *widths: int) -> None:
        service: Frame = next(one for one in self.page.frames if one.url.startswith(self.ada.services.service))
        await self._screenshots.show(self.page, f"frame-{name}", [service], widths or WIDTHS)


@pytest.fixture
async def stage(new_user: NewUser, api: Api, screenshots: Screenshots) -> Stage:
    return Stage(await (await new_user()).sign_in(), api, screenshots)


@pytest.fixture
async def narrow(new_user: NewUser, api: Api, screenshots: Screenshots) -> Stage:
    return Stage(await (await new_user(width=320)).sign_in(), api, screenshots)


async def test_while_the_link_is_made(stage: Stage) -> None:
    await stage.page.clock.install()
    await stage.page.route(START, lambda _: None)
    flow = await stage.open("preparing")
    await flow.shows("Preparing a secure page…")
    await stage.show("preparing")
    await stage.page.clock.fast_forward("00:11")
    await expect(flow.words("This is taking longer than usual.")).to_be_visible()
    await stage.show("preparing-slow")


async def test_while_the_service_cannot_be_reached(stage: Stage) -> None:
    await stage.page.route(START, lambda route: route.abort())
    flow = await stage.open("offline")
    await expect(flow.words("The connection is interrupted.")).to_be_visible()
    await stage.show("offline")


async def test_the_providers_page(stage: Stage) -> None:
    flow = await stage.open("provider")
    await flow.opens()
    await stage.show("provider", 1280)
    await flow.provider.choose_provider()
    await flow.provider.sign_in("wrong")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    await stage.show("attention")


async def test_the_providers_page_where_there_is_no_room_for_it(narrow: Stage) -> None:
    flow = await narrow.open("narrow")
    await flow.shows("Your secure page is ready.")
    await narrow.show("window", 320)
    async with narrow.page.context.expect_page() as opened:
        await flow.where.get_by_role("link", name="Open the secure page").click()
    await (await opened.value).close()
    await narrow.show("window-opened", 320)


async def test_while_the_provider_confirms(stage: Stage) -> None:
    await stage.page.clock.install()
    flow = await stage.open("confirming")
    await flow.opens()
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await stage.show("confirming")
    await stage.page.clock.fast_forward("00:21")
    await expect(flow.words("You may close this page.")).to_be_visible()
    await stage.show("confirming-slow")


async def test_what_was_connected(stage: Stage) -> None:
    flow = await stage.open("connected")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await stage.show("connected")


async def test_what_was_connected_and_what_was_not(stage: Stage) -> None:
    flow = await stage.open("connected-again", link="magic_link")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await stage.show("connected-again")
    await flow.press("Connect another account")
    await flow.provider.choose_provider()
    await flow.provider.sign_in("wrong")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    flow = await stage.open_again()
    await flow.shows("Your account is connected.")
    await expect(flow.words("Sign-in not accepted").last).to_be_visible()
    await stage.show("connected-one-refused")


async def test_what_was_recorded_for_somebody_else_afterwards(stage: Stage) -> None:
    flow = await stage.open("reopened", link="magic_link")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await stage.api.claim_for_bob(stage.session)
    await flow.shows("The account is no longer connected here.")
    await stage.show("reopened")
    await flow.press("Connect another account")
    await flow.provider.step("provider").wait_for()
    await stage.show("reopened-again")


async def test_what_was_connected_and_is_refused_later(stage: Stage) -> None:
    flow = await stage.open("refused-later")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    company = (await stage.api.session(stage.session["id"]))["company"]["id"]
    await stage.api.trouble("PUT", "status_change", company, status="PASSWORD_INCORRECT")
    await flow.shows("Your account needs attention.")
    await expect(flow.words("Your utility did not accept the user name or the password.")).to_be_visible()
    await stage.show("refused-later")


async def test_two_windows_of_one_session(stage: Stage, new_user: NewUser, api: Api, screenshots: Screenshots) -> None:
    first = await stage.open("windows")
    await first.opens()
    other = Stage(await (await new_user()).sign_in(), api, screenshots)
    other.session = stage.session
    second = await other.open_again()
    await second.shows("This was opened in another window.")
    await other.show("elsewhere")
    await second.press("Continue here")
    await first.shows("You continued in another window.")
    await stage.show("taken")


async def test_leaving_a_page_that_stays(stage: Stage) -> None:
    flow = await stage.open("left", inline=True)
    await flow.opens()
    await flow.press("Leave")
    await flow.shows("You have left.")
    await stage.show("left")


async def test_links_that_are_no_longer_good(stage: Stage, services: BrowserServices) -> None:
    flow = await stage.open("revoked")
    await flow.opens()
    await stage.api.revoke(stage.session["id"])
    await flow.shows("This link was withdrawn.")
    await stage.show("revoked")

    flow = await stage.open("expired")
    services.let_expire(stage.session["id"])
    flow = await stage.open_again()
    await flow.shows("This link has expired.")
    await stage.show("expired")
    await flow.press("Ask for a new link")
    await expect(flow.words("Asked.")).to_be_visible()
    await stage.show("expired-asked")


async def test_links_that_never_were(stage: Stage) -> None:
    unknown = {"id": str(uuid4())}
    flow = await stage.open("failed", sites=[unknown], prepare="background")
    await flow.shows("The secure page is not available.")
    await stage.show("failed")
    await stage.page.route(START, lambda route: route.fulfill(status=404, body='{"code": "not_found"}'))
    flow = await stage.open("invalid")
    await flow.shows("This link does not work.")
    await stage.show("invalid")
