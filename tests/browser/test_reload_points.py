"""A reload at each point of a flow, in the frame and at top level: the page goes on where it was, unasked."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Request, Route, expect

from tests.support.browser_services import Api, BrowserServices, Json
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.flow_messages import follow_the_rules

START = re.compile(r"/(embed|connect)/[^/]+/start$")
QUESTION = re.compile(r"opened in another window|Continue in this window")
CONNECTED, HANDED_OVER = "Your account is connected.", "Your account has been handed over."
NAMES = ["ready", "open", "finished", "submitted", "connected", "attention", "ambiguous", "exit", "expired", "error"]
FRAME, TOP = "in a frame", "at top level"
# A host's page that keeps what it was told since it was loaded.
HOST = """<script>
    window.messages = [];
    for (const name of %s) {
      addEventListener(name, ({ target, detail }) => target.localName === "magic-link" && messages.push(detail), true);
    }
</script><script src="%s/embed.js"></script><magic-link url="%s"></magic-link>"""


@dataclass(frozen=True)
class Visit:
    """One user's page of one session."""

    ada: BrowserUser
    api: Api
    session: Json
    host: str | None

    @property
    def flow(self) -> FlowPage:
        return self.ada.embedded if self.host else self.ada.redirected

    async def load(self) -> None:
        """The host's page, whose frame starts by itself, or our page with its button."""
        content = quote(HOST % (NAMES, self.ada.services.service, self.session["embedUrl"])) if self.host else ""
        await self.ada.page.goto(f"{self.host}/content?{content}" if self.host else self.session["redirectUrl"])

    async def reload(self) -> None:
        await self.ada.page.reload()

    async def start(self) -> None:
        if not self.host:
            await self.ada.press("Continue")

    async def opens(self) -> None:
        """The provider's first page is there; at top level our own page was drawn with it."""
        await (self.flow.opens() if self.host else self.flow.provider.step("provider").wait_for())

    async def begin(self) -> None:
        await self.load()
        await self.start()
        await self.opens()

    async def reports(self, status: str) -> None:
        """Have the provider report this status of the company's connection from now on."""
        company = (await self.api.session(self.session["id"]))["company"]["id"]
        await self.api.trouble("PUT", "status_change", company, status=status)

    async def told(self) -> list[str]:
        """The types of what the host's page was told since it was loaded; `follow_the_rules` holds for them."""
        if not self.host:
            return []
        messages = await self.ada.messages()
        follow_the_rules(messages)
        return [one["type"] for one in messages]

    async def goes_on_to_the_end(self) -> None:
        await self.opens()
        await self.flow.provider.connect()
        await self.flow.shows(CONNECTED)
        evidence = (await self.api.only_connection(self.session["id"]))["evidence"]
        assert (evidence["kind"], evidence["crossDevice"]) == ("invitation", False)


# In a frame, the browser that blocks third-party storage: there a page has the least to go on with.
@pytest.fixture(params=[pytest.param(FRAME, marks=pytest.mark.whole_chromium), TOP])
async def visit(request: pytest.FixtureRequest, new_user: NewUser, api: Api, other_host: str) -> Visit:
    host = other_host if request.param == FRAME else None
    session = await api.create("ada", f"reload-{request.node.name}", origin=other_host)
    return Visit(await new_user(), api, session, host)


Arrive = Callable[[Request], Awaitable[None]]


async def _reload_with_a_lost_start(visit: Visit, arrive: Arrive) -> None:
    """Reload while the first start is on its way; `arrive` says how far it came, and the page sees no answer."""
    on_its_way = asyncio.Event()

    async def lose_the_answer(route: Route) -> None:
        if on_its_way.is_set():
            await route.continue_()
        else:
            await arrive(route.request)
            on_its_way.set()

    await visit.ada.page.route(START, lose_the_answer)
    await visit.load()
    await visit.start()
    async with asyncio.timeout(20):
        await on_its_way.wait()
    await visit.reload()
    await visit.start()


async def _is_unasked(visit: Visit) -> None:
    await expect(visit.flow.where.get_by_role("heading", name=QUESTION).filter(visible=True)).to_have_count(0)


async def test_a_reload_before_the_start_goes_on_to_the_end(visit: Visit) -> None:
    async def nowhere(_: Request) -> None:
        """The service never hears of it."""

    await _reload_with_a_lost_start(visit, nowhere)
    await _is_unasked(visit)
    await visit.goes_on_to_the_end()


async def test_a_reload_between_a_start_and_its_answer_goes_on_to_the_end(
    visit: Visit, http: httpx.AsyncClient
) -> None:
    async def at_the_service(asked: Request) -> None:
        # Not by the browser: it would keep the cookie of an answer that no page has seen.
        sent = {name: asked.headers[name] for name in ("accept", "content-type")}
        answer = await http.post(asked.url, content=asked.post_data_buffer, headers=sent)
        assert answer.status_code in {200, 303}

    await _reload_with_a_lost_start(visit, at_the_service)
    await visit.goes_on_to_the_end()


async def test_a_reload_of_the_open_providers_page_goes_on_to_the_end(visit: Visit) -> None:
    await visit.begin()
    await visit.reload()
    await visit.goes_on_to_the_end()


async def test_a_reload_in_the_middle_of_the_sign_in_goes_on_to_the_end(visit: Visit) -> None:
    await visit.begin()
    await visit.flow.provider.choose_provider()
    await visit.flow.provider.sign_in()
    await visit.flow.provider.step("settings").wait_for()
    await visit.reload()
    await visit.goes_on_to_the_end()


async def test_a_reload_after_i_have_finished_still_waits_and_leads_back(visit: Visit) -> None:
    await visit.begin()
    await visit.flow.press("I have finished")
    await visit.flow.shows("Nothing has arrived yet.")
    await visit.reload()
    await visit.flow.shows("Nothing has arrived yet.")
    await _is_unasked(visit)
    await visit.flow.press("Back to the secure page")
    await visit.goes_on_to_the_end()


async def test_a_reload_after_the_handing_over_shows_it_again(visit: Visit) -> None:
    await visit.begin()
    await visit.reports("PENDING")
    await visit.flow.provider.connect()
    await visit.flow.shows(HANDED_OVER)
    await visit.reload()
    await visit.flow.shows(HANDED_OVER)
    await _is_unasked(visit)
    assert await visit.told() == (["ready", "submitted"] if visit.host else [])


async def test_a_reload_of_a_connected_page_shows_it_again(visit: Visit) -> None:
    await visit.ada.stays()
    await visit.begin()
    await visit.flow.provider.connect()
    await visit.flow.shows(CONNECTED)
    await visit.reload()
    await visit.flow.shows(CONNECTED)
    await _is_unasked(visit)
    assert await visit.told() == (["ready", "connected"] if visit.host else [])


async def test_a_reload_after_refused_credentials_says_where_to_mend_them(visit: Visit) -> None:
    await visit.begin()
    await visit.flow.provider.choose_provider()
    await visit.flow.provider.sign_in("wrong")
    words = visit.flow.words("The sign-in did not work.")
    await expect(words).to_be_visible()
    await visit.reload()
    await expect(words).to_be_visible()
    # The sign-in that failed has spent the invitation at the provider: where to mend the account is said instead.
    await expect(visit.flow.words("If the secure page takes nothing more, leave")).to_be_visible()
    await _is_unasked(visit)
    assert (await visit.told())[:2] == (["ready", "attention"] if visit.host else [])


async def test_a_reload_after_the_sessions_time_says_that_it_is_over(visit: Visit, services: BrowserServices) -> None:
    await visit.begin()
    services.let_expire(visit.session["id"])
    await visit.reload()
    await visit.flow.shows("This link has expired.")
    await _is_unasked(visit)
