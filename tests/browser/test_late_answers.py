"""Answers that arrive late: of a poll that was overtaken."""

import asyncio
import re

from playwright.async_api import Route, expect

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser

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
