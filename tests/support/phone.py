"""A phone that goes on with a session: the address that it scanned, the code that it types, and its page afterwards."""

import re
from urllib.parse import urlsplit

import httpx

from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import NAVIGATION, FramePage, TopPage

_PAGE = re.compile(r'name="page" value="([^"]+)"')


class Phone:
    """Whoever scanned the code: Ada with her phone, or Mallory with a photograph of it."""

    def __init__(self, services: RunningServices, url: str) -> None:
        self.http = services.web()
        self.path = urlsplit(url).path
        self.form: dict[str, str] = {}

    async def open(self) -> httpx.Response:
        answer = await self.http.get(self.path, headers={"Accept": "text/html"})
        found = _PAGE.search(answer.text)
        self.form = {"page": found[1]} if found else {}
        return answer

    async def type(self, code: str, **headers: str) -> httpx.Response:
        return await self.http.post(self.path, data=self.form | {"code": code}, headers=NAVIGATION | headers)


async def offered(page: FramePage) -> JsonObject:
    answer = await page.post("handoff")
    assert answer.status_code == 200, answer.text
    body: JsonObject = answer.json()
    return body


async def goes_on(services: RunningServices, page: FramePage) -> TopPage:
    """The phone's page, after its user typed the code that the page shows."""
    offer = await offered(page)
    phone = Phone(services, offer["url"])
    assert (await phone.open()).status_code == 200
    return at_top(phone, page, await phone.type(f"{offer['code'][:3]} {offer['code'][3:]}"))


def at_top(phone: Phone, page: FramePage | TopPage, answer: httpx.Response) -> TopPage:
    assert answer.status_code == 303, answer.text
    top = TopPage(page.services, page.session)
    top.http, top.path = phone.http, answer.headers["location"]
    top.live = top.path.replace("/connect/", "/live/")
    return top
