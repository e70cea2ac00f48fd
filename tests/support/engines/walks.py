"""Where each walk through an engine begins: a session, a host's page around it, and who opens it."""

from itertools import count
from urllib.parse import quote

from tests.support.browser_services import Api, Json
from tests.support.engines.driven_browser import DrivenBrowser
from tests.support.engines.engine_user import DIALOG, ELEMENT, TOP, EngineUser

_SERIAL = count(1)
_MESSAGES = """
    window.messages = [];
    const names = ["ready", "open", "finished", "submitted", "connected", "attention", "ambiguous"];
    names.push("exit", "expired", "error", "closed");
    const keep = (detail) => messages.push(detail);
"""
_LISTEN = """
    const element = document.querySelector("magic-link");
    for (const name of names) element.addEventListener(name, ({ detail }) => keep(detail));
"""
_OPEN = """
    const handlers = Object.fromEntries(names.map((name) => [`on${name[0].toUpperCase()}${name.slice(1)}`, keep]));
    document.querySelector("button").onclick = () => MagicLink.open({ url: URL_OF_SESSION, ...handlers });
"""


class Walk:
    """One session, whose host page is on `origin`, in one browser."""

    def __init__(self, browser: DrivenBrowser, api: Api, origin: str, session: Json) -> None:
        self.browser, self.api, self.session = browser, api, session
        self.origin = origin

    async def element(self, *, width: str = "100%", scheme: str = "light dark") -> EngineUser:
        """Open a page with <magic-link>."""
        element = f"<div style='width:{width}'><magic-link url='{self.session['embedUrl']}'></magic-link></div>"
        await self.browser.go(self._page(scheme, f"{element}<script>{_MESSAGES}{_LISTEN}</script>"))
        return EngineUser(self.browser, ELEMENT)

    async def dialog(self, *, scheme: str = "light dark") -> EngineUser:
        """Open a page with a button, and press it."""
        opens = _OPEN.replace("URL_OF_SESSION", repr(self.session["embedUrl"]))
        await self.browser.go(self._page(scheme, f"<button>Connect</button><script>{_MESSAGES}{opens}</script>"))
        await EngineUser(self.browser).press("Connect")
        return EngineUser(self.browser, DIALOG)

    async def redirect(self) -> EngineUser:
        """Open the redirect flow from a page of the host, and begin."""
        await self.browser.go(
            self._page("light dark", f"<a class='button' href='{self.session['redirectUrl']}'>Connect</a>")
        )
        user = EngineUser(self.browser, TOP)
        await user.press("Connect")
        await user.shows("Connect a utility account")
        await user.press("Continue")
        return user

    def _page(self, scheme: str, content: str) -> str:
        script = f"<script src='{self.api.services.service}/embed.js'></script>"
        style = f"<style>:root {{ color-scheme: {scheme} }} body {{ margin: 0 }}</style>"
        return f"{self.origin}/content?{quote(style + script + content)}"

    async def host_hears(self, *types: str) -> None:
        """Wait until the host's page was told as many things; they are of these types, live events left out."""
        told = await self.browser.until(
            TOP, "return messages.length >= arguments[0] && messages.map(({ type }) => type)", len(types)
        )
        assert told == list(types)

    async def messages_until(self, last: str) -> list[str]:
        """Wait until the host's page was told this; the types of all that it was told."""
        told: list[str] = await self.browser.until(
            TOP, "const types = messages.map(({ type }) => type); return types.at(-1) === arguments[0] && types", last
        )
        return told

    async def evidence(self) -> Json:
        """Why the session's only connection is its own."""
        found: Json = (await self.api.only_connection(self.session["id"]))["evidence"]
        return found


async def new_walk(browser: DrivenBrowser, api: Api, origin: str, user: str = "ada", **more: object) -> Walk:
    """A walk through a session of a company that has no other."""
    company = f"{browser.name}-{next(_SERIAL)}"
    return Walk(browser, api, origin, await api.create(user, company, origin=origin, **more))
