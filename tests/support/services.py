"""Service and sandbox in one process, on two origins, with one clock that only the test moves; nothing sleeps.

The service's calls to the provider, and the sandbox's webhooks, go from application to application. Background work is
done when a test says `drain`, webhooks are sent when it says `pump`.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import httpx
from starlette.applications import Starlette

from service.app import Environment, Services, create_app
from service.domain.model import Tenant
from service.domain.timing import LEASE_RENEWAL_SECONDS
from service.domain.tokens import digest
from service.outbound import WebhookNetwork
from service.provider import CallLimits
from service.settings import Settings
from service.store import engine_for
from service.store.engine import Engine
from service.store.postgres import PostgresEngine
from tests.support.clock import Clock
from tests.support.receivers import Receivers
from tests.support.sandbox_client import SECRET, JsonObject, Received, Sandbox

SERVICE_URL = "https://link.example.com"
SANDBOX_URL = "http://127.0.0.1:9000"
HOST_URL = "https://app.example.com"
RETURN_URL = f"{HOST_URL}/utilities/done"
API_KEY = "host-key"
SECRET_KEY = "the-only-key-of-these-tests-0123456789"
PROBLEM = "application/problem+json"

Hook = Callable[[httpx.Request], Awaitable[None]]


class SandboxTransport(Sandbox):
    """The sandbox, whose webhooks reach the service unless the test lets them fall on the floor."""

    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport, **settings: Any) -> None:
        super().__init__(clock, webhook_url=f"{SERVICE_URL}/webhooks/nectar", webhook_secret=SECRET, **settings)
        self._transport = transport
        self.delivered: list[int] = []

    async def _receive(self, request: httpx.Request) -> httpx.Response:
        self.received.append(Received(request.headers, request.content, json.loads(request.content)))
        answer = await self._transport.handle_async_request(request)
        self.delivered.append(answer.status_code)
        return answer


class AppTransport(httpx.AsyncBaseTransport):
    """The service as others reach it, whichever process of it is running now."""

    def __init__(self) -> None:
        self.app: Starlette | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert self.app is not None
        return await httpx.ASGITransport(self.app, client=("203.0.113.7", 50000)).handle_async_request(request)


class Outgoing(httpx.AsyncBaseTransport):
    """The service's way to the provider: can be cut, watched, and gives up on a sandbox that is slower than allowed."""

    def __init__(self, clock: Clock, sandbox: Sandbox) -> None:
        self._clock = clock
        self._sandbox = sandbox
        self.calls: list[str] = []
        self.is_down = False
        self.instead: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
        self.reshape: Callable[[httpx.Request, Any], Any] | None = None  # what a GET is answered with instead
        self.answer_with: Any = None  # instead of what the provider answers to the call that is under way
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.hides_seconds = 0.0  # how late the provider's lists show an invitation
        self.renew_leases: Callable[[], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        if self.before is not None:
            await self.before(request)
        if (other := self.instead(request)) is not None:
            return other
        already = len(self._sandbox.slept)
        path = request.url.raw_path.decode()
        body = await request.aread()
        answer = await self._sandbox.plain(request.method, path, headers=request.headers, content=body)
        await self._wait(request, sum(self._sandbox.slept[already:]))
        if self.after is not None:
            await self.after(request)
        if self.hides_seconds and request.method == "GET" and "/invitation/company/" in path:
            return httpx.Response(200, headers={"date": answer.headers["date"]}, json=self._late(answer.json()))
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=headers, content=self._changed(request, answer))

    def _changed(self, request: httpx.Request, answer: httpx.Response) -> bytes:
        if self.answer_with is not None:
            body, self.answer_with = self.answer_with, None
            return json.dumps(body).encode()
        if self.reshape is not None and request.method == "GET":
            return json.dumps(self.reshape(request, answer.json())).encode()
        return answer.content

    async def pass_time(self, seconds: float) -> None:
        """A call takes so long; meanwhile the worker renews its leases, as its loop would."""
        while seconds > 0:
            self._clock.advance(min(seconds, LEASE_RENEWAL_SECONDS))
            seconds -= LEASE_RENEWAL_SECONDS
            if self.renew_leases is not None:
                await self.renew_leases()

    def _late(self, listed: JsonObject) -> JsonObject:
        horizon = self._clock.now() - self.hides_seconds
        shown = [one for one in listed["invitations"] if datetime.fromisoformat(one["createdAt"]).timestamp() < horizon]
        return listed | {"invitations": shown}

    def made(self, call: str) -> int:
        """How often a call was made whose method and end of path are these."""
        method, _, end = call.partition(" ")
        return sum(one.startswith(f"{method} ") and one.endswith(end) for one in self.calls)

    async def _wait(self, request: httpx.Request, seconds: float) -> None:
        allowed = request.extensions["timeout"]["read"]
        await self.pass_time(min(seconds, allowed))
        if seconds >= allowed:
            raise httpx.ReadTimeout("slow", request=request)


class RunningServices:
    """The service and the sandbox, and the host's backend that calls the service with its key."""

    def __init__(self, clock: Clock, database_url: str, *, sandbox: JsonObject | None = None, **settings: Any) -> None:
        self.clock = clock
        self.transport = AppTransport()
        self.sandbox = SandboxTransport(clock, self.transport, **(sandbox or {}))
        self.outgoing = Outgoing(clock, self.sandbox)
        known = {
            "secret_keys": (SECRET_KEY,),
            "public_url": SERVICE_URL,
            "provider_api_key": self.sandbox.key,
            "provider_url": f"{SANDBOX_URL}/v2.2",
            "provider_paths": "company",  # so that calls can be counted by their paths
            "provider_pages_url": SANDBOX_URL,
            "provider_webhook_secrets": (SECRET,),
            "database_url": database_url,
            "allowed_origins": (HOST_URL,),
            "api_key": API_KEY,
        }
        self.settings = Settings(**(known | settings))
        self.slept: list[float] = []
        self.host = self.backend(API_KEY)
        self.receivers = Receivers()
        self.wrap_engine: Callable[[Engine], Engine] = lambda engine: engine  # from the next process on
        self._running = AsyncExitStack()

    @property
    def parts(self) -> Services:
        """The running service's parts."""
        assert self.transport.app is not None
        services: Services = self.transport.app.state.services
        return services

    async def open(self) -> None:
        limits = CallLimits(monotonic=self.clock.now, sleep=self._sleep)
        environment = Environment(
            clock=self.clock.now,
            monotonic=self.clock.now,
            transport=self.outgoing,
            limits=limits,
            background=False,
            engine=self._engine,
            webhooks=WebhookNetwork(self.receivers.resolve, self.receivers),
            roll=lambda: 0.0,
        )
        app = create_app(self.settings, environment)
        await self._running.enter_async_context(app.router.lifespan_context(app))
        self.transport.app = app
        self.outgoing.renew_leases = self.parts.worker.renew_leases

    async def close(self) -> None:
        await self._running.aclose()

    async def die(self) -> None:
        """End the process in the middle of whatever it does, and start another on the same database."""
        await self.parts.worker.stop(0)
        await self.parts.hosts.worker.stop(0)
        await self._running.aclose()
        self.outgoing.before = self.outgoing.after = None
        await self.open()

    def backend(self, key: str | None) -> httpx.AsyncClient:
        """A caller of the API."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(transport=self.transport, base_url=SERVICE_URL, headers=headers)

    def web(self) -> httpx.AsyncClient:
        """Anybody's browser: cookies, no key, redirects shown instead of followed."""
        return self.backend(None)

    async def stranger(self, tenant: str = "other") -> httpx.AsyncClient:
        """The backend of another tenant of the same service."""
        await self.parts.store.keys.add(f"key_{tenant}", Tenant(tenant), tenant, digest(f"{tenant}-key"))
        return self.backend(f"{tenant}-key")

    async def drain(self) -> None:
        """Do everything that is due by now."""
        await self.parts.worker.run_until_idle()
        await self.settled()

    async def deliver(self) -> None:
        """Everything that is due at hosts' webhook endpoints is sent."""
        await self.settled()
        await self.parts.hosts.worker.run_until_idle()

    async def settled(self) -> None:
        """Every event has its position, which PostgreSQL gives a moment after the commit."""
        if isinstance(self._database, PostgresEngine):
            await self._database.number()

    async def later(self, seconds: float) -> None:
        """Time passes, and what comes due in it is done."""
        self.clock.advance(seconds)
        await self.drain()

    async def deliver_webhooks(self) -> None:
        """The sandbox's webhooks arrive, and what they ask for is done."""
        await self.sandbox.deliver_webhooks()
        await self.drain()

    async def get(self, path: str, **params: Any) -> Any:
        await self.settled()
        answer = await self.host.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None) -> Any:
        answer = await self.host.post(path, json={} if body is None else body)
        assert answer.is_success, answer.text
        return answer.json()

    async def rows(self, path: str, **params: Any) -> list[JsonObject]:
        """The first page of a list."""
        data: list[JsonObject] = (await self.get(path, **params))["data"]
        return data

    async def event_types(self, session_id: str | None = None) -> list[str]:
        """The types of all events so far, of one session or of all."""
        path = f"/v1/sessions/{session_id}/events" if session_id else "/v1/events"
        return [event["type"] for event in await self.rows(path, limit=100)]

    def _engine(self, url: str, clock: Callable[[], float]) -> Engine:
        # The database's clock is the test's too.
        self._database = engine_for(url, clock) if url.startswith("sqlite:") else PostgresEngine(url, clock)
        return self.wrap_engine(self._database)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.outgoing.pass_time(seconds)


def refused(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> JsonObject:
    """Check a refusal of the API: its status, its code and the shape that every refusal has."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    body: JsonObject = answer.json()
    assert {"type", "title", "status", "detail", "code", "requestId"} <= set(body)
    assert (body["status"], body["code"], body["requestId"]) == (status, code, answer.headers["x-request-id"])
    assert body["title"]
    assert body["detail"]
    assert answer.headers["cache-control"] == "no-store"
    assert "Traceback" not in answer.text
    if pointer is not None:
        assert pointer in [one["pointer"] for one in body["errors"]], body
        assert all(one["detail"] for one in body["errors"])
    return body
