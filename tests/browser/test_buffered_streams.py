"""Proxies that hold the live stream back: what happened still reaches the page, and the host's page, within seconds."""

import asyncio
import re

import pytest
from playwright.async_api import Request

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser
from tests.support.buffering_proxy import AFTER_THE_FIRST, BLOCKS, NOTHING, WHOLE, Hold, buffering_proxy

PROMISED_SECONDS = 5.0
QUIET_SECONDS = 6.0
LIVE = re.compile(r"/live/")
CUT_OFF = """async () => {
    const { follow } = await import("/static/live.js");
    const ended = new AbortController();
    const cut = (_, reject) => ended.signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    window.fetch = async () => ({ ok: false, status: 409, json: () => new Promise(cut) });
    setTimeout(() => ended.abort(), 50);
    const nothing = () => {};
    const feed = { url: "/", headers: {}, signal: ended.signal, onEvent: nothing, onLost: nothing, onFound: nothing };
    return follow({ ...feed, isQuiet: nothing }).then(() => "ended", ({ code }) => code);
}"""


@pytest.mark.parametrize(
    "hold", [WHOLE, BLOCKS, AFTER_THE_FIRST], ids=["until the end", "until a block is full", "after the first bytes"]
)
async def test_connected_reaches_the_page_within_five_seconds(new_user: NewUser, api: Api, hold: Hold) -> None:
    async with buffering_proxy(hold) as proxy:
        ada = await (await new_user(proxy={"server": proxy, "bypass": "<-loopback>"})).sign_in()
        session = await api.create("ada", f"buffered-{hold.passed}-{hold.block}")
        await ada.page.clock.install()
        flow = await ada.open(session)
        await flow.opens()
        await ada.page.clock.fast_forward(int(QUIET_SECONDS * 1000))  # by then the page has seen how the stream is
        await flow.provider.connect()
        await api.becomes(session["id"], "connected")
        await flow.shows("Your account is connected.", seconds=PROMISED_SECONDS)
        assert "connected" in await ada.message_types()
        await ada.page.context.close()


async def test_a_stream_that_gets_through_is_not_polled_beside(new_user: NewUser, api: Api) -> None:
    async with buffering_proxy(NOTHING) as proxy:
        ada = await (await new_user(proxy={"server": proxy, "bypass": "<-loopback>"})).sign_in()
        asked: list[str] = []

        def keep(request: Request) -> None:
            if LIVE.search(request.url):
                asked.append(request.headers["accept"])

        ada.page.on("request", keep)
        flow = await ada.open(await api.create("ada", "not-buffered"))
        await flow.opens()
        await asyncio.sleep(QUIET_SECONDS)
        assert asked == ["text/event-stream"]
        await ada.page.context.close()


async def test_a_refusal_whose_answer_the_pages_own_end_cut_off_is_none(new_user: NewUser) -> None:
    """A page that another took over starts once more, and must not take its old stream's half answer for a failure."""
    ada = await new_user()
    await ada.page.goto(f"{ada.services.service}/docs")
    assert await ada.page.evaluate(CUT_OFF) == "ended"
