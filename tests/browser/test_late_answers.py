"""Answers that arrive late: of a poll that was overtaken, and of calls that the page no longer waits for."""

import asyncio
import re

from playwright.async_api import Route, expect

from tests.support.browser_services import Api, Json
from tests.support.browser_user import BrowserUser, NewUser

OFFER = re.compile("/handoff$")
LIVE = re.compile("/live/")
QUIET_POLL_MS = 16_000


class HeldPolls:
    """A proxy that passes no stream on, and at times holds the answer of a poll back."""

    def __init__(self) -> None:
        self.holds = False
        self.held = asyncio.Event()
        self._released = asyncio.Event()

    async def handle(self, route: Route) -> None:
        if route.request.headers["accept"] == "text/event-stream":
            return  # it is never answered
        answer = await route.fetch()
        if self.holds and not self.held.is_set():
            self.held.set()
            await self._released.wait()
        await route.fulfill(response=answer)

    def release(self) -> None:
        self._released.set()


async def test_a_poll_that_was_overtaken_does_not_take_back_that_another_account_was_asked_for(
    new_user: NewUser, api: Api
) -> None:
    ada = await (await new_user()).sign_in()
    polls = HeldPolls()
    await ada.page.route(LIVE, polls.handle)
    await ada.page.clock.install()
    flow = await ada.open(await api.create("ada", "overtaken", link="invitation", maxConnections=2))
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    polls.holds = True
    await ada.page.clock.fast_forward(QUIET_POLL_MS)
    await asyncio.wait_for(polls.held.wait(), 20)
    async with ada.page.expect_response(re.compile("/another$")):
        await flow.press("Connect another account")
    await expect(flow.heading("Your account is connected.")).to_be_hidden()
    async with ada.page.expect_response(LIVE):
        polls.release()
    await flow.provider.step("provider").wait_for()


class HeldOffer:
    """The answer to the first request for another device's code is held back; later ones pass."""

    def __init__(self) -> None:
        self.first: Json = {}
        self.requests = 0
        self.asked = asyncio.Event()
        self._released = asyncio.Event()

    async def handle(self, route: Route) -> None:
        self.requests += 1
        is_first = self.requests == 1
        self.asked.set()
        answer = await route.fetch()
        if is_first:
            self.first = await answer.json()
            await self._released.wait()
        await route.fulfill(response=answer)

    async def release(self, ada: BrowserUser) -> None:
        """The page has done what it does with the answer."""
        async with ada.page.expect_response(OFFER) as answered:
            self._released.set()
        await (await answered.value).finished()
        (frame,) = [one for one in ada.page.frames if "/embed/" in one.url]
        await frame.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


async def test_an_answer_for_a_flow_that_its_user_has_left_changes_nothing_in_the_next(
    new_user: NewUser, api: Api
) -> None:
    ada, offer = await (await new_user()).sign_in(), HeldOffer()
    await ada.page.route(OFFER, offer.handle)
    flow = await ada.open(await api.create("ada", "left-early"), inline=True)
    await flow.opens()
    await flow.press("Continue on your phone")
    await asyncio.wait_for(offer.asked.wait(), 20)
    await flow.press("Leave")
    await flow.press("Continue")
    await flow.provider.step("provider").wait_for()
    await offer.release(ada)
    await expect(flow.heading("Continue on your phone")).to_be_hidden()


async def test_the_code_that_is_shown_after_two_presses_works(new_user: NewUser, api: Api) -> None:
    ada, phone, offer = await (await new_user()).sign_in(), await new_user(width=390), HeldOffer()
    await ada.page.route(OFFER, offer.handle)
    flow = await ada.open(await api.create("ada", "pressed-twice"))
    await flow.opens()
    await flow.where.get_by_role("button", name="Continue on your phone").dblclick()
    await asyncio.wait_for(offer.asked.wait(), 20)
    await offer.release(ada)
    assert offer.requests == 1
    shown = await flow.where.locator("[data-digits]").inner_text()
    assert shown.replace(" ", "") == offer.first["code"]
    await phone.page.goto(offer.first["url"])
    await phone.page.get_by_label("six digits").fill(shown)
    await phone.press("Continue")
    await phone.redirected.shows("Your secure page is ready.")


async def test_what_the_service_did_not_hear_because_the_page_was_frozen_can_be_said_again(
    new_user: NewUser, api: Api
) -> None:
    ada, held = await (await new_user()).sign_in(), asyncio.Queue[Route]()
    await ada.page.route(re.compile("/finished$"), held.put, times=1)
    flow = await ada.open(await api.create("ada", "frozen"))
    await flow.opens()
    await flow.press("I have finished")
    await flow.shows("Asking the provider…")
    (frame,) = [one for one in ada.page.frames if "/embed/" in one.url]
    await frame.evaluate("document.dispatchEvent(new Event('freeze')) && null")
    await (await asyncio.wait_for(held.get(), 20)).abort()
    await frame.evaluate("document.dispatchEvent(new Event('resume')) && null")
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
