"""A person whose browser runs no scripts and stores no cookies: reads pages and fills in forms."""

from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.sandbox_client import GUIDE, JsonObject, Sandbox


@dataclass
class Form:
    """What a form would send; `boxes` are its check boxes, checked or not."""

    action: str
    values: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    boxes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class Screen(HTMLParser):
    """A page as read: its step, texts, forms and labels."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.headers = answer.headers
        self.source = answer.text
        self.step: str | None = None
        self.text = ""
        self.forms: list[Form] = []
        self.labels: set[str] = set()
        self.named: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.tags: dict[str, int] = defaultdict(int)
        self._button: tuple[str, str] | None = None
        self._link: str | None = None
        self.feed(answer.text)

    @property
    def form(self) -> Form:
        return self.forms[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        if tag == "main":
            self.step = had.get("data-step")
        elif tag == "form":
            assert had["method"] == "post"
            self.forms.append(Form(had["action"]))
        elif tag == "label":
            self.labels.add(had["for"])
        elif tag == "input":
            self._read_input(had)
        elif tag == "button":
            self._button = (had.get("name", ""), had.get("value", ""))
        elif tag == "a":
            self._link = had["href"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._button = None
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._button and data.strip():
            self.forms[-1].buttons.setdefault(data.strip(), self._button)
        if self._link:
            self.links.setdefault(data.strip(), self._link)

    def _read_input(self, had: dict[str, str]) -> None:
        kind, name, value = had.get("type", "text"), had["name"], had.get("value", "")
        if kind != "hidden":
            self.named[had["id"]] = name
        if kind == "checkbox":
            self.forms[-1].boxes[name].append(value)
        if kind != "checkbox" or "checked" in had:
            self.forms[-1].values[name].append(value)


class ProviderUser:
    """Opens pages and posts forms; `screen` is the current page, at `address`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.screen: Screen
        self.last: httpx.Response
        self.address = ""

    async def open(self, url: str) -> Screen:
        """Open an address, following redirects within the sandbox."""
        return await self._go("GET", _path(url))

    async def reload(self) -> Screen:
        """Ask for the current page again, as a browser does."""
        return await self._go("GET", self.address)

    async def press(self, button: str, **entered: Any) -> Screen:
        """Fill in the form that has this button, and press it; everything else in the form stays as it was."""
        form = next(form for form in self.screen.forms if button in form.buttons)
        name, value = form.buttons[button]
        data = {**form.values, **({name: [value]} if name else {}), **entered}
        return await self._go("POST", form.action, data=data)

    async def post(self, address: str, data: Any) -> Screen:
        """Post a form that need not be on the page, and follow the redirect."""
        return await self._go("POST", _path(address), data=data)

    async def choose_provider(self, url: str = GUIDE["url"], country: str = "US") -> Screen:
        return await self.press("Continue", url=url, country=country)

    async def sign_in(self, password: str = GUIDE["password"]) -> Screen:
        return await self.press("Sign in", username=GUIDE["username"], password=password)

    async def connect(self, **settings: Any) -> Screen:
        return await self.press("Connect", **settings)

    async def _go(self, method: str, path: str, **options: Any) -> Screen:
        self.last = await self.sandbox.plain(method, path, **options)
        target = self.last.headers.get("location", "")
        if target.startswith("/"):
            return await self._go("GET", target)
        self.address = path
        self.screen = Screen(self.last)
        return self.screen


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def link_of(sandbox: Sandbox, company: str, **prefill: Any) -> str:
    return str((await sandbox.post(f"/company/{company}/connection/link", prefill))["magicLinkUrl"])


async def invitation_of(sandbox: Sandbox, company: str, **fields: Any) -> JsonObject:
    made: JsonObject = await sandbox.post(f"/invitation/company/{company}", fields)
    return made


async def connections_of(sandbox: Sandbox, company: str) -> list[JsonObject]:
    found: list[JsonObject] = (await sandbox.get(f"/company/{company}/connection"))["connections"]
    return found
