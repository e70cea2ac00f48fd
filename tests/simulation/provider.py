"""The provider's side of a simulation: the sandbox, behind a transport that may fail, slow to list what it has."""

import json
import random
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Protocol

import httpx
from starlette.routing import Mount

from service.sandbox.api.operations import create_api
from service.sandbox.gate import DroppedConnection, SandboxApiGate
from service.sandbox.settings import SandboxSettings
from service.sandbox.wire.times import rest_time
from service.sandbox.world.world import SandboxWorld
from tests.simulation.asgi import Answer, ask
from tests.simulation.clocks import Clocks

PROVIDER_URL = "http://127.0.0.1:9000"
_API = "/v2.2"
SECRET = "whsec_c2ltdWxhdGlvbi1zaWduaW5nLXNlY3JldC0wMTIzNDU2"
_NEVER_SECONDS = 1e9  # how long sample data takes where bills are not what a history is about
_PATIENCE_SECONDS = 10.0
_NO_BILLS = Answer(200, {"content-type": "application/json"}, b'{"documents": [], "currentPage": 1, "hasNext": false}')
_ODDITIES: tuple[Any, ...] = ("absent", None, 5, [], {})
# A company or site without a name of ours is no odd one, but made in the provider's dashboard; a number can be a name.
_NAMES, _NO_ODDITY = frozenset({"externalId", "name"}), ("absent", None, 5)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True)
class Behaviour:
    """How the provider is in one history.

    `lag_seconds`: how long an invitation does not name what it made; `late_seconds`: how long no list shows it.
    `untidy_rate`: how many of its lists have an item with a field that is absent, null or of another type.
    """

    lag_seconds: float = 0.0
    late_seconds: float = 0.0
    page_size: int = 500
    redirects: bool = False
    bills: bool = False
    untidy_rate: float = 0.0


class CanEnd(Protocol):
    """A process that may end at a moment."""

    def reach(self, moment: str) -> Awaitable[None]: ...


class ProviderSide:
    """One sandbox for all histories, emptied for each: its world and its API, without its server and its deliveries.

    `leaving`: how many calls have been decided upon and have not left yet.
    """

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.behaviour = Behaviour()
        self.is_down = False
        self.slept = 0.0
        self.leaving = 0
        self._born: dict[str, float] = {}
        self.first_link_at: dict[str, float] = {}
        self._rng = random.Random(0)  # noqa: S311
        self._start(SandboxSettings())

    def begin(self, clocks: Clocks, behaviour: Behaviour, seed: int) -> None:
        """Forget the history before."""
        self._rng = random.Random(seed)  # noqa: S311 - a seed, so that a failure can be repeated
        self._born = {}
        self.clocks, self.behaviour, self.is_down, self.slept, self.first_link_at = clocks, behaviour, False, 0.0, {}
        self.world.close()
        settings = SandboxSettings(
            seed="s", public_url=PROVIDER_URL, webhook_url="http://hook.test/", webhook_secret=SECRET
        )
        delay = 5.0 if behaviour.bills else _NEVER_SECONDS
        self._start(replace(settings, redirects=behaviour.redirects, data_delay_seconds=delay))

    def _start(self, settings: SandboxSettings) -> None:
        self.world = SandboxWorld(settings, lambda: self.clocks.at)
        self._api = Mount(_API, SandboxApiGate(create_api(self.world), self.world, self._sleep))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """The response; raises as httpx does."""
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        target = request.url.raw_path.decode().removeprefix(_API)
        target = target.replace("limit=500", f"limit={self.behaviour.page_size}")
        path, before = target.partition("?")[0], self.slept
        try:
            answer = await self._answered(request, target)
        except DroppedConnection as exc:
            raise httpx.RemoteProtocolError("dropped", request=request) from exc
        if self.slept - before >= _PATIENCE_SECONDS:
            raise httpx.ReadTimeout("slow", request=request)
        company_id = self.world.company_of(path)
        if company_id and request.method == "POST" and ("invitation" in path or path.endswith("/link")):
            self.first_link_at.setdefault(company_id, self.clocks.at)
        date = formatdate(self.world.clock.now(company_id), usegmt=True)
        content = answer.body
        if (self.behaviour.lag_seconds or self.behaviour.late_seconds) and "/invitation" in path and answer.ok:
            content = self._forgetful(content)
        if answer.ok and request.method == "GET" and self._rng.random() < self.behaviour.untidy_rate:
            content = self._untidied(content)
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status, headers={"date": date, **kept}, content=content)

    async def _answered(self, request: httpx.Request, target: str) -> Answer:
        if "/document" in target and not self.behaviour.bills:
            return _NO_BILLS
        try:
            return await ask(self._api, request.method, _API + target, request.headers, await request.aread())
        finally:
            self._note_births(self.world.company_of(target.partition("?")[0]))

    def _forgetful(self, content: bytes) -> bytes:
        """An invitation counts its use at once, and names what it made only later; a list shows it only later."""
        try:
            body = json.loads(content)
        except ValueError:
            return content
        if "invitations" in body:
            body["invitations"] = [one for one in body["invitations"] if self._is_shown(one["id"])]
        for invitation in body.get("invitations", [body]):
            made = invitation.get("createdConnections", [])
            invitation["createdConnections"] = [one for one in made if one["created"] <= self._horizon(invitation)]
        return json.dumps(body).encode()

    def _untidied(self, content: bytes) -> bytes:
        try:
            body = json.loads(content)
        except ValueError:
            return content
        lists = [value for value in body.values() if isinstance(value, list)] if isinstance(body, dict) else [body]
        items = [item for found in lists for item in found if isinstance(item, dict) and item]
        if not items:
            return content
        item = self._rng.choice(items)
        name, oddity = self._rng.choice(sorted(item)), self._rng.choice(_ODDITIES)
        if name in _NAMES and oddity in _NO_ODDITY:
            return content
        item[name] = oddity
        if oddity == "absent":
            del item[name]
        return json.dumps(body).encode()

    def _horizon(self, invitation: Mapping[str, Any]) -> str:
        return rest_time(self.world.clock.now(invitation.get("companyId")) - self.behaviour.lag_seconds)

    def _note_births(self, company_id: str | None) -> None:
        """Also of what no answer reports, since it gets lost."""
        for one in self.world.invitations.of(company_id) if company_id else ():
            self._born.setdefault(one.id, self.clocks.at)

    def _is_shown(self, invitation_id: str) -> bool:
        """However its clock is set: what was made through its API is on its lists a while later."""
        return self.clocks.at - self._born.setdefault(invitation_id, self.clocks.at) >= self.behaviour.late_seconds

    async def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.clocks.advance(min(seconds, _PATIENCE_SECONDS))


class ProviderTransport(httpx.AsyncBaseTransport):
    """One process's way to the provider: it may end before a call leaves, and before its answer is read."""

    def __init__(self, provider: ProviderSide, process: CanEnd) -> None:
        self._provider = provider
        self._process = process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {_ID.sub('{}', request.url.path)}"
        self._provider.leaving += 1
        try:
            await self._process.reach(f"before {call}")
        finally:
            self._provider.leaving -= 1
        answer = await self._provider.answer(request)
        await self._process.reach(f"after {call}")
        return answer
