"""The users: Ada owns, Bob is of the same company, Mallory is a stranger; and the pages that they have open."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.provider_user import ProviderUser, Screen
from tests.support.sandbox_client import GUIDE, JsonObject
from tests.support.services import HOST_URL, RETURN_URL, SERVICE_URL, RunningServices

WRONG = "not-the-password"
SCRIPT = {"Accept": "application/json", "Origin": SERVICE_URL, "Sec-Fetch-Site": "same-origin"}
NAVIGATION = {
    "Accept": "text/html",
    "Origin": SERVICE_URL,
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Dest": "document",
}


@dataclass
class User:
    """A user of the host app, for whom its backend asks."""

    services: RunningServices
    user_id: str
    company: JsonObject = field(default_factory=lambda: {"externalId": "acme", "name": "Acme Ltd"})
    sites: list[JsonObject] = field(default_factory=lambda: [{"externalId": "hq", "name": "Headquarters"}])

    def wants(self, **fields: Any) -> JsonObject:
        """The body of a create; a field that is None is left out."""
        body = {"userId": self.user_id, "company": self.company, "sites": self.sites, "origin": HOST_URL}
        return {name: value for name, value in (body | {"returnUrl": RETURN_URL} | fields).items() if value is not None}

    async def session(self, **fields: Any) -> JsonObject:
        """A session whose link has been made behind the answer."""
        made: JsonObject = await self.services.post("/v1/sessions", self.wants(**fields))
        await self.services.drain()
        return made

    async def frame(self, **fields: Any) -> "FramePage":
        """A new session's page, started inside the host's page."""
        page = FramePage(self.services, await self.session(**fields))
        await page.start()
        return page

    async def browser(self, **fields: Any) -> "TopPage":
        """A new session's page, started at top level."""
        page = TopPage(self.services, await self.session(**fields))
        await page.press_start()
        return page

    async def connected(self, **fields: Any) -> JsonObject:
        """A connection that this person made, as the host's backend reads it."""
        page = await self.frame(**fields)
        await page.connect()
        await page.finish()
        (made,) = [one for one in await self.connections() if one["sessionId"] == page.id]
        return made

    async def connections(self) -> list[JsonObject]:
        return await self.services.rows("/v1/connections", userId=self.user_id)

    async def newest(self) -> JsonObject:
        return (await self.connections())[0]


class Page:
    """What both kinds of page can do."""

    def __init__(self, services: RunningServices, session: JsonObject) -> None:
        self.services = services
        self.session = session
        self.id = str(session["id"])
        self.http = services.web()

    async def view(self) -> JsonObject:
        """How things stand, asked as the page's script asks; fails where the page may not know."""
        raise NotImplementedError

    async def connect(self, password: str = GUIDE["password"]) -> ProviderUser:
        """Walk through the provider's pages behind the link to the end; a wrong password ends at the sign-in."""
        user = ProviderUser(self.services.sandbox)
        await user.open(str((await self.view())["link"]["url"]))
        if user.screen.step == "provider":
            await user.choose_provider()
        if (await user.sign_in(password)).step == "settings":
            await user.connect()
        return user

    async def stored(self) -> JsonObject:
        """The session as the host's backend reads it."""
        session: JsonObject = await self.services.get(f"/v1/sessions/{self.id}")
        return session

    async def event_types(self) -> list[str]:
        return await self.services.event_types(self.id)


class FramePage(Page):
    """The embeddable page's script: its key is in its memory, its resume value in its storage; there is no cookie."""

    def __init__(self, services: RunningServices, session: JsonObject) -> None:
        super().__init__(services, session)
        self.path = urlsplit(session["embedUrl"]).path
        self.live = self.path.replace("/embed/", "/live/")
        self.key: str | None = None
        self.resume: str | None = secrets.token_urlsafe(32)
        self.kept_by = "frame"

    async def post(self, verb: str, body: Any = None, **headers: str) -> httpx.Response:
        own = SCRIPT | ({"X-Page-Key": self.key} if self.key else {}) | headers
        return await self.http.post(f"{self.path}/{verb}", json={} if body is None else body, headers=own)

    async def start(self, *, take_over: bool = False) -> JsonObject:
        answer = await self.ask_to_start(take_over=take_over)
        assert answer.status_code == 200, answer.text
        self.key = answer.json()["pageKey"]
        view: JsonObject = answer.json()["view"]
        return view

    async def ask_to_start(self, *, take_over: bool = False) -> httpx.Response:
        """The script's own call, refused or not."""
        return await self.post("start", {"resume": self.resume, "keptBy": self.kept_by, "takeOver": take_over})

    def reloaded(self) -> "FramePage":
        """The same page after a reload: its memory is gone, its storage is there. The page before still runs."""
        page = FramePage(self.services, self.session)
        page.resume, page.kept_by = self.resume, self.kept_by
        return page

    async def ask(self) -> httpx.Response:
        """The poll."""
        return await self.http.get(self.live, headers=SCRIPT | ({"X-Page-Key": self.key} if self.key else {}))

    async def view(self) -> JsonObject:
        answer = await self.ask()
        assert answer.status_code == 200, answer.text
        view: JsonObject = answer.json()
        return view

    async def finish(self) -> JsonObject:
        """Say "I have finished"; answers how things stand once the provider was asked."""
        answer = await self.post("finished")
        assert answer.status_code == 200, answer.text
        await self.services.drain()
        return await self.view()


class TopPage(Page):
    """The redirect flow in a browser of its own, as a person without scripts walks through it."""

    def __init__(self, services: RunningServices, session: JsonObject) -> None:
        super().__init__(services, session)
        self.path = urlsplit(session["redirectUrl"]).path
        self.live = self.path.replace("/connect/", "/live/")

    async def get(self, path: str | None = None, **headers: str) -> httpx.Response:
        return await self.http.get(path or self.path, headers={"Accept": "text/html"} | headers)

    async def post(self, verb: str, fields: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(f"{self.path}/{verb}", data=fields, headers=NAVIGATION | headers)

    async def press_start(self, fields: JsonObject | None = None) -> httpx.Response:
        answer = await self.post("start", fields)
        assert answer.status_code == 303, answer.text
        return await self.get()

    async def view(self) -> JsonObject:
        answer = await self.http.get(self.live, headers=SCRIPT)
        assert answer.status_code == 200, answer.text
        view: JsonObject = answer.json()
        return view

    async def finish(self) -> httpx.Response:
        """Press "I have finished" and go where that leads: our callback."""
        answer = await self.post("finished")
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"])


def asked_in(answer: httpx.Response) -> dict[str, str]:
    """The query of the address that an answer leads to."""
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in found.items()}


def screen(answer: httpx.Response) -> Screen:
    """One of our own pages, read as the provider's are."""
    return Screen(answer)


def check_page(answer: httpx.Response, ancestors: str = "'none'") -> None:
    """The headers that every page has, and who alone may frame it."""
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == ancestors
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["base-uri"] == "'none'"


def refused_in_frame(answer: httpx.Response, status: int, code: str) -> str:
    """The page for a frame without a session, which any page may frame: no control, no id. Returns its text."""
    assert answer.status_code == status, answer.text
    check_page(answer, "*")
    assert f"<code>{code}</code>" in answer.text
    assert answer.headers["x-request-id"] not in answer.text
    assert not re.search(r"<(a|button|form|input|iframe)\b", answer.text)
    return answer.text


def refused_page(answer: httpx.Response, status: int, code: str) -> None:
    """A refusal as a person sees it: its status, its code in words of ours, and no way to frame it."""
    assert answer.status_code == status, answer.text
    check_page(answer)
    assert f"<code>{code}</code>" in answer.text
    assert answer.headers["x-request-id"] in answer.text
