"""A sandbox in this process, with a receiver for its webhooks."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from svix.webhooks import Webhook

from service.sandbox.app import create_app
from service.sandbox.deliveries import SandboxDeliveries
from service.sandbox.settings import SandboxSettings
from service.sandbox.world.world import SandboxWorld
from tests.support.clock import Clock

GUIDE = {
    "url": "https://nectarclimate.com",
    "username": "nectar-sandbox-username",
    "password": "nectar-sandbox-password",
}
SECRET = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"
VERSIONS = ("v2.2", "v2.1", "v2")
PATH_STYLES = ("company", "reference")
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived."""

    headers: httpx.Headers
    raw: bytes
    body: JsonObject

    @property
    def event(self) -> str:
        return str(self.body["eventType"])

    @property
    def has_valid_signature(self) -> bool:
        at = datetime.fromtimestamp(int(self.headers["svix-timestamp"]), UTC)
        signature = Webhook(SECRET).sign(self.headers["svix-id"], at, self.raw.decode())
        return bool(self.headers["svix-signature"] == signature)


class Sandbox:
    """The sandbox over HTTP; `pump` replaces its background loop."""

    def __init__(self, clock: Clock, *, version: str = "v2.2", **settings: Any) -> None:
        self.clock = clock
        self.received: list[Received] = []
        self.answers: list[int | Exception] = []
        self.on_webhook: Callable[[], Any] | None = None
        self.slept: list[float] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._receive))
        app = create_app(SandboxSettings(**settings), clock=clock.now, http=http, sleep=self._sleep)
        self.world: SandboxWorld = app.state.world
        self.deliveries: SandboxDeliveries = app.state.deliveries
        self.key = self.world.settings.api_key
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test")
        self.version = version

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """One call of the API with the key."""
        headers = {"X-API-Key": self.key, **options.pop("headers", {})}
        content = {} if body is None else {"json": body}
        return await self._http.request(method, f"/{self.version}{path}", headers=headers, **content, **options)

    async def plain(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call outside the API, or without the key."""
        return await self._http.request(method, path, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None) -> Any:
        answer = await self.call("POST", path, {} if body is None else body)
        assert answer.is_success, answer.text
        return answer.json()

    async def company(self, name: str = "Acme Ltd", sites: int = 1) -> tuple[str, list[str]]:
        company: str = (await self.post("/company", {"name": name}))["id"]
        made = [await self.post(f"/company/{company}/site", {"name": f"Site {n}"}) for n in range(sites)]
        return company, [site["id"] for site in made]

    async def connect(self, company: str, sites: Iterable[str], **fields: Any) -> JsonObject:
        made: JsonObject = await self.post(f"/company/{company}/connection", {**GUIDE, "sites": list(sites), **fields})
        return made

    async def connect_gas(self, **fields: Any) -> JsonObject:
        """A connection with one kind of bills, in a company of its own."""
        company, sites = await self.company()
        return await self.connect(company, sites, **{"initialDatasourceTypes": ["GAS"], **fields})

    async def trouble(self, name: str, **fields: Any) -> None:
        answer = await self.plain("PUT", f"/_control/troubles/{name}", json=fields)
        assert answer.status_code == 200, answer.text

    async def deliver_webhooks(self, times: int = 1) -> None:
        for _ in range(times):
            await self.deliveries.pump()

    def events(self) -> list[str]:
        return [received.event for received in self.received]

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def _receive(self, request: httpx.Request) -> httpx.Response:
        self.received.append(Received(request.headers, request.content, json.loads(request.content)))
        if self.on_webhook:
            await self.on_webhook()
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)


def with_webhooks(clock: Clock, **settings: Any) -> Sandbox:
    return Sandbox(clock, **{"webhook_url": "http://receiver.test/hook", "webhook_secret": SECRET, **settings})


def on_disk(clock: Clock, folder: Path, **settings: Any) -> Sandbox:
    return Sandbox(clock, data_dir=folder, **settings)
