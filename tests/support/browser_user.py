"""People in front of a browser: what they do on the demo host app's pages, on ours and on the provider's."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import FrameLocator, Locator, Page, Route, expect

from tests.support.browser_services import GUIDE, BrowserServices, Json

Surroundings = Page | FrameLocator
Answer = Callable[[Route], Awaitable[None]]
_LAST_OF_FRAME = count(1)
# Fills a form in: texts by name, of the boxes with a name those whose label has one of the words, and no other.
SUBMIT = """(form, given) => {
    for (const [name, wanted] of Object.entries(given)) {
        if (typeof wanted === "string") {
            form.elements[name].value = wanted;
            continue;
        }
        const boxes = [...form.querySelectorAll(`[name="${name}"]`)];
        const ticked = boxes.filter((box) => wanted.some((word) => box.labels[0].textContent.includes(word)));
        if (ticked.length !== wanted.length) throw new Error(`${name}: ${wanted}`);
        for (const box of boxes) box.checked = ticked.includes(box);
    }
    form.requestSubmit(form.querySelector(".go button"));
}"""


class ProviderPages:
    """The provider's connection flow, in a frame or at top level."""

    def __init__(self, where: Surroundings) -> None:
        self.where = where

    def step(self, name: str) -> Locator:
        return self.where.locator(f"main[data-step={name}]")

    async def press(self, button: str) -> None:
        await self.where.get_by_role("button", name=button, exact=True).click()

    async def choose_provider(self, url: str = GUIDE[0]) -> None:
        await self.where.get_by_label("Utility provider").fill(url)
        await self.where.get_by_label("Country").fill("US")
        await self.press("Continue")

    async def sign_in(self, password: str = GUIDE[2]) -> None:
        await self.where.get_by_label("User name").fill(GUIDE[1])
        await self.where.get_by_label("Password").fill(password)
        await self.press("Sign in")

    async def choose_sites(self, *names: str) -> None:
        """These sites and no others."""
        await self.step("settings").wait_for()
        for box in await self.where.get_by_role("group", name="Sites").get_by_role("checkbox").all():
            await box.uncheck()
        for name in names:
            await self.where.get_by_label(name).check()

    async def connect(self, *sites: str) -> None:
        """Every step, one after the other; its fields by a script, since typing and pressing take most of a walk."""
        await self._submit("provider", url=GUIDE[0], country="US")
        await self._submit("credentials", username=GUIDE[1], password=GUIDE[2])
        await self._submit("settings", sites=sites or ("Headquarters",))

    async def _submit(self, step: str, **given: str | Sequence[str]) -> None:
        await self.step(step).locator("form:has(.go)").evaluate(SUBMIT, given)


class FlowPage:
    """Our page, in a frame or at top level."""

    def __init__(self, where: Surroundings) -> None:
        self.where = where
        self.provider = ProviderPages(where.frame_locator(".slot iframe"))

    def heading(self, words: str) -> Locator:
        return self.where.get_by_role("heading", name=words)

    async def shows(self, words: str, seconds: float = 20) -> None:
        await expect(self.heading(words)).to_be_visible(timeout=seconds * 1000)

    async def opens(self) -> None:
        """The provider's first page is there, and our page knows."""
        await self.provider.step("provider").wait_for()
        await self.where.locator("#flow[data-opened]").wait_for()

    def words(self, words: str) -> Locator:
        """As they are seen on the page; some stand there twice, and a screen reader gets them once more, elsewhere."""
        return self.where.locator(".stage").get_by_text(words).filter(visible=True)

    async def press(self, button: str) -> None:
        await self.where.get_by_role("button", name=button, exact=True).click()

    async def session_id(self) -> str:
        return str(await self.where.locator("#flow").get_attribute("data-session-id"))


class BrowserUser:
    """Somebody with a browser of their own."""

    def __init__(self, page: Page, services: BrowserServices) -> None:
        """`embedded` and `redirected` are our page in its two places."""
        self.page = page
        self.services = services
        self.embedded = FlowPage(page.frame_locator("iframe[src*='/embed/']"))
        self.redirected = FlowPage(page)

    async def sign_in(self, name: str = "Ada Byron") -> "BrowserUser":
        """To the demo host app; once for each person, whose further browsers get the cookie and load a page less."""
        context, known = self.page.context, self.services.signed_in
        if name in known:
            await context.add_cookies(known[name])
            await self.page.goto(self.services.demo)
            await self.at_home()
            return self
        await self.page.goto(self.services.demo)
        await self.page.get_by_role("button", name=name).click()
        await self.at_home()
        known[name] = await context.cookies(self.services.demo)
        return self

    async def at_home(self) -> None:
        """Signed in, and the page's scripts are there: a button pressed before would go its way without them."""
        await expect(self.page.get_by_role("heading", name="Utilities")).to_be_visible()
        await self.page.wait_for_load_state("load")

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def choose(self, *options: str) -> None:
        for option in options:
            if not await self.page.get_by_label(option, exact=True).is_visible():
                await self.page.get_by_text("Options", exact=True).click()
            await self.page.get_by_label(option, exact=True).check()

    async def connect(self, *options: str) -> FlowPage:
        """Presses the demo host app's main button."""
        if options:
            await self.choose(*options)
        await self.press("Connect a utility account")
        return self.embedded

    async def open(self, session: dict[str, Any], *, inline: bool = False) -> FlowPage:
        """Has the page at hand open a session with our script, and keep every message that it gets."""
        await self.page.evaluate(
            """([url, inline]) => {
                const place = document.getElementById("inline");
                place.hidden = !inline;
                window.messages = [];
                const keep = (payload) => window.messages.push(payload);
                const names = ["onReady", "onOpen", "onFinished", "onSubmitted", "onConnected", "onAttention"];
                names.push("onAmbiguous", "onExit", "onExpired", "onError", "onEvent", "onClosed");
                const handlers = Object.fromEntries(names.map((name) => [name, keep]));
                window.flow = MagicLink.open({url, ...(inline ? {container: place} : {}), ...handlers});
            }""",
            [session["embedUrl"], inline],
        )
        return self.embedded

    async def messages(self) -> list[dict[str, Any]]:
        """What our script reported to the host's page, of everything that our frames have posted until now."""
        return await arrived_messages(self.page)

    async def stays(self) -> asyncio.Event:
        """Until `unroute_all`, a page at top level does not go back to the host; the event: it has tried by itself.

        The navigation is ended and not held: one that is held goes on at `unroute_all`, in the middle of what follows.
        """
        tried = asyncio.Event()

        async def end(route: Route) -> None:
            await route.abort("aborted")
            tried.set()

        await self.page.route(re.compile("/callback"), end)
        return tried

    async def fails_until_pressed(self, requests: re.Pattern[str], fail: Answer = Route.abort) -> None:
        """These requests fail until a button of the page that makes them is pressed.

        If they succeeded from a given moment, an attempt of the page's own could take the button away first.
        """
        await self.page.add_init_script("addEventListener('click', () => { window.wasPressed = true }, true)")

        async def answer(route: Route) -> None:
            pressed = await route.request.frame.evaluate("window.wasPressed === true")
            await (route.continue_() if pressed else fail(route))

        await self.page.route(requests, answer)

    async def message_types(self) -> list[str]:
        """The same by type, without the live events, whose number is a matter of timing."""
        return [payload["type"] for payload in await self.messages() if payload["type"] != "event"]


async def arrived_messages(page: Page) -> list[dict[str, Any]]:
    """`window.messages` of a host's page, once everything that its frames have posted until now has arrived.

    A frame of another origin runs in another process: what it has posted may come after its words are visible. Messages
    of one frame arrive in their order, so one of ours that is posted last is the last to arrive.
    """
    await page.evaluate("""window.lastOfFrame ??= (addEventListener("message", ({ data }) => {
        if (data.source === "test") lastOfFrame.add(data.frame);
    }), new Set()); null""")
    for frame in [one for one in page.main_frame.child_frames if one.url.startswith("http")]:
        number = str(next(_LAST_OF_FRAME))
        with suppress(PlaywrightError, TimeoutError):  # a frame that was removed, or has no page yet, posts nothing
            async with asyncio.timeout(5):
                await frame.evaluate("(frame) => top.postMessage({ source: 'test', frame }, '*')", number)
                await page.wait_for_function("(frame) => lastOfFrame.has(frame)", arg=number)
    arrived: list[dict[str, Any]] = await page.evaluate("window.messages")
    return arrived


NewUser = Callable[..., Awaitable[BrowserUser]]


class EmbeddingHost:
    """A host's page with one session's embed, and the people who open it."""

    def __init__(self, session: Json, origin: str, path: str = "/element") -> None:
        self.session = session
        self.address = f"{origin}{path}?{session['embedUrl']}"

    async def open(self, user: BrowserUser) -> FlowPage:
        await user.page.goto(self.address)
        return user.embedded
