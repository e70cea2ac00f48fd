"""A provider at the transport: says what a test scripts, notes what it was asked; its sleeper moves the clock."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.provider import CallLimits, Provider, ProviderAccount
from service.settings import PathGeneration

BASE_URL = "https://api.example.com/v2.2"
PAGES_URL = "https://pages.example.com"
KEY = "provider-key-1234"
DATE = "Tue, 06 Jan 2026 10:00:00 GMT"
DATE_AT = 1_767_693_600.0

Reply = httpx.Response | Exception
Handler = Callable[[httpx.Request], Reply]


def answer(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    """JSON with a Date; `date=""` leaves it out."""
    named = {"date": DATE} | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(
        status,
        content=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={name: value for name, value in named.items() if value},
    )


@dataclass
class FakeProvider:
    """`script` is answered in turn, its last entry for ever; a dictionary is answered by "METHOD /path"."""

    script: list[Reply] = field(default_factory=list)
    routes: dict[str, Handler] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 1000.0

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._reply(request)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def _reply(self, request: httpx.Request) -> Reply:
        if self.script:
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]
        path = request.url.path.removeprefix("/v2.2")
        handler = self.routes.get(f"{request.method} {path}")
        return handler(request) if handler else answer({"detail": "Not found."}, 404)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def provider(self, paths: PathGeneration = "company", **limits: Any) -> Provider:
        return Provider(self.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY, paths), self.limits(**limits))

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))

    def limits(self, **changes: Any) -> CallLimits:
        return CallLimits(lambda: self.now, self.sleep, random.Random(1), **changes)  # noqa: S311 - jitter, not a secret

    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode().removeprefix('/v2.2')}" for request in self.requests]

    def body(self, number: int = -1) -> Any:
        return json.loads(self.requests[number].content)
