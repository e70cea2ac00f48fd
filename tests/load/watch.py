"""Asks the workers while the database is in trouble, and after: what they answer, how fast, and when all is well again.

Beside the crowd, who only wants to get through, it asks every worker again and again: is it alive, is it ready, will it
make a session, will it list them, will it keep a webhook. A page listens all the while.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from svix.webhooks import Webhook

from tests.load.load_users import KEY, ORIGIN
from tests.load.processes import SECRET, LoadServices

_EVERY_SECONDS = 0.25
_HANG_SECONDS = 10.0  # nobody waits longer for a refusal
_AGAIN_SECONDS = 10.0  # and none of it lasts so long once the database is back
_WELL = {"healthz": 200, "readyz": 200, "create": 201, "list": 200, "webhook": 204}
# A database that takes no writes may still be read.
_ILL = {"healthz": {200}, "readyz": {503}, "create": {503}, "list": {200, 503}, "webhook": {503}}


@dataclass(frozen=True)
class Answer:
    """`began` and `ended` are seconds of one clock; no status where nothing came."""

    asked: str
    began: float
    ended: float
    status: int
    wrong: str = ""


@dataclass
class Watch:
    """`faults` is empty where every request was refused as it should be, and everything went on afterwards."""

    services: LoadServices
    faults: list[str] = field(default_factory=list)
    report: list[str] = field(default_factory=list)

    async def during(self, name: str, trouble: AbstractContextManager[None], seconds: float) -> None:
        """The whole of one trouble: before, in it, and until all is well again."""
        async with httpx.AsyncClient(timeout=2 * _HANG_SECONDS, trust_env=False) as http:
            page = await Page.opened(http, self.services)
            listening = asyncio.create_task(page.listen())
            answers: list[Answer] = []
            stop = asyncio.Event()
            asking = [asyncio.create_task(self._ask(http, url, stop, answers)) for url in self._urls()]
            await asyncio.to_thread(trouble.__enter__)
            began = perf_counter()
            await asyncio.sleep(seconds)
            ended = perf_counter()
            await asyncio.to_thread(trouble.__exit__, None, None, None)
            again = await self._well_again(http, name)
            stop.set()
            await asyncio.gather(*asking)
            self._judge(name, answers, (began, ended))
            await self._check_stream(http, name, page)
            listening.cancel()
        worst = max((one.ended - one.began for one in answers), default=0.0)
        self.report.append(
            f"{name}, {seconds:.0f} s: {len(answers)} answers, the slowest {worst:.1f} s, well {again:.1f} s after"
        )

    def check_logs(self) -> None:
        """A refusal is no fault of the worker's, so it writes no traceback."""
        for worker in self.services.workers:
            said = worker.said()
            if "Traceback" in said:
                self.faults.append(f"{worker.url} wrote tracebacks: {said[said.index('Traceback') :][:3000]}")

    def _urls(self) -> list[str]:
        return [worker.url for worker in self.services.workers]

    async def _ask(self, http: httpx.AsyncClient, url: str, stop: asyncio.Event, answers: list[Answer]) -> None:
        """Everything of one worker, at once, again and again; whoever has not answered yet is not asked again."""
        await asyncio.gather(*(self._repeat(http, url, asked, stop, answers) for asked in _WELL))

    async def _repeat(
        self, http: httpx.AsyncClient, url: str, asked: str, stop: asyncio.Event, answers: list[Answer]
    ) -> None:
        while not stop.is_set():
            answers.append(await self._answer(http, url, asked))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)

    async def _answer(self, http: httpx.AsyncClient, url: str, asked: str) -> Answer:
        began = perf_counter()
        try:
            found = await _CALLS[asked](http, url, self.services)
        except httpx.TransportError as exc:
            return Answer(asked, began, perf_counter(), 0, repr(exc))
        return Answer(asked, began, perf_counter(), found.status_code, _ill_said(asked, found))

    async def _well_again(self, http: httpx.AsyncClient, name: str) -> float:
        began = perf_counter()
        while perf_counter() - began < 2 * _AGAIN_SECONDS:
            answers = [await self._answer(http, url, asked) for url in self._urls() for asked in _WELL]
            if all(one.status == _WELL[one.asked] for one in answers):
                break
        took = perf_counter() - began
        if took > _AGAIN_SECONDS:
            self.faults.append(f"{name}: not well again after {took:.1f} s")
        return took

    def _judge(self, name: str, answers: list[Answer], trouble: tuple[float, float]) -> None:
        began, ended = trouble
        for one in answers:
            seconds = one.ended - one.began
            within = began <= one.began and one.ended < ended
            if one.wrong or seconds > _HANG_SECONDS or (within and one.status not in _ILL[one.asked]):
                self.faults.append(f"{name}: {one.asked} got {one.status} after {seconds:.1f} s {one.wrong}")
        for asked in _WELL:
            if not any(one.asked == asked and began <= one.ended < ended for one in answers):
                self.faults.append(f"{name}: {asked} was answered nothing in all the time")

    async def _check_stream(self, http: httpx.AsyncClient, name: str, page: "Page") -> None:
        """An event of one worker reaches the page whose stream is at another."""
        headers = {"authorization": f"Bearer {KEY}"}
        answer = await http.post(f"{self._urls()[-1]}/v1/sessions/{page.session}/revoke", json={}, headers=headers)
        self.faults += [] if answer.is_success else [f"{name}: revoking is answered {answer.text}"]
        with suppress(TimeoutError):
            await asyncio.wait_for(page.saw_the_end.wait(), _AGAIN_SECONDS)
        if not page.saw_the_end.is_set():
            self.faults.append(f"{name}: the page got no event of the revocation, only {page.received}")
        self.faults += [f"{name}: the page's stream broke: {one}" for one in page.broken]


class Page:
    """A page that listens as the script in it does: when a stream ends it asks again, from where it was."""

    def __init__(self, http: httpx.AsyncClient, live: str, session: str, key: str) -> None:
        self._http = http
        self._live = live
        self._headers = {"accept": "text/event-stream", "x-page-key": key}
        self.session = session
        self.received: list[str] = []
        self.broken: list[str] = []
        self.saw_the_end = asyncio.Event()

    @classmethod
    async def opened(cls, http: httpx.AsyncClient, services: LoadServices) -> "Page":
        url = services.workers[0].url
        made = (await _create(http, url, services)).raise_for_status().json()
        path = urlsplit(made["embedUrl"]).path
        answer = await http.post(f"{url}{path}/start", json={"takeOver": True}, headers={"accept": "application/json"})
        started = answer.raise_for_status().json()
        return cls(http, url + path.replace("/embed/", "/live/"), made["id"], started["pageKey"])

    async def listen(self) -> None:
        while not self.saw_the_end.is_set():
            try:
                await self._follow()
            except httpx.TransportError as exc:
                self.broken.append(repr(exc))
            await asyncio.sleep(_EVERY_SECONDS)

    async def _follow(self) -> None:
        async with self._http.stream("GET", self._live, headers=self._headers) as answer:
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self._headers["last-event-id"] = value
                if name == "event":
                    self.received.append(value)
                if value in {"session.revoked", "revoked"}:
                    self.saw_the_end.set()


async def _healthz(http: httpx.AsyncClient, url: str, _services: LoadServices) -> httpx.Response:
    return await http.get(f"{url}/healthz")


async def _readyz(http: httpx.AsyncClient, url: str, _services: LoadServices) -> httpx.Response:
    return await http.get(f"{url}/readyz")


async def _create(http: httpx.AsyncClient, url: str, _services: LoadServices) -> httpx.Response:
    company = {"externalId": "watched", "name": "Watched"}
    sites = [{"externalId": "hq", "name": "Headquarters"}]
    name = f"watch-{uuid4().hex}"
    metadata = {"label": name}
    body = {"userId": "eve", "company": company, "sites": sites, "origin": ORIGIN, "metadata": metadata}
    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": name}
    return await http.post(f"{url}/v1/sessions", json=body, headers=headers)


async def _list(http: httpx.AsyncClient, url: str, _services: LoadServices) -> httpx.Response:
    return await http.get(f"{url}/v1/sessions", headers={"authorization": f"Bearer {KEY}"})


async def _webhook(http: httpx.AsyncClient, url: str, services: LoadServices) -> httpx.Response:
    body = json.dumps({"eventType": "connection.created.v2", "id": str(uuid4())}).encode()
    name, at = f"msg_{uuid4().hex}", datetime.fromtimestamp(services.now(), UTC)
    headers = {
        "svix-id": name,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": Webhook(SECRET).sign(name, at, body.decode()),
    }
    return await http.post(f"{url}/webhooks/nectar", content=body, headers=headers)


_CALLS: dict[str, Callable[[httpx.AsyncClient, str, LoadServices], Awaitable[httpx.Response]]] = {
    "healthz": _healthz,
    "readyz": _readyz,
    "create": _create,
    "list": _list,
    "webhook": _webhook,
}


def _ill_said(asked: str, answer: httpx.Response) -> str:
    """What is wrong with the words of a refusal; nothing with what is no refusal."""
    if answer.is_success:
        return ""
    body: Any = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    as_it_should = answer.status_code == 503 and body.get("code") == "unavailable" and "retry-after" in answer.headers
    if asked != "readyz":
        as_it_should = as_it_should and answer.headers["content-type"] == "application/problem+json"
    return "" if as_it_should else f"{dict(answer.headers)} {answer.text[:500]}"
