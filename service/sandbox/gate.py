"""Middleware: body limit, `Date` header, journal, webhooks that are sent first; and the API's key and troubles."""

import hmac
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import httpx
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.sandbox.deliveries import SandboxDeliveries
from service.sandbox.journal import RequestJournal, readable, without_secrets
from service.sandbox.untidy import untidy
from service.sandbox.wire.answers import detail
from service.sandbox.wire.times import rest_time
from service.sandbox.wire.upload_files import FILE_MOST_BYTES
from service.sandbox.world.troubles import IN_QUERIES, forced_names
from service.sandbox.world.world import SandboxWorld

BODY_MOST_BYTES = 256 * 1024
UPLOAD_MOST_BYTES = FILE_MOST_BYTES + BODY_MOST_BYTES
"""A file of the largest size, and the rest of its form."""
_UPLOAD_PATH = re.compile(r"/v2(\.\d)?/job/company/[^/]+")

Sleep = Callable[[float], Awaitable[None]]


class DroppedConnection(httpx.RemoteProtocolError):
    """The connection ended before the answer did; clients in the same process see the same error as over a network."""


class SandboxGate:
    """Middleware of the whole sandbox."""

    def __init__(
        self, app: ASGIApp, world: SandboxWorld, deliveries: SandboxDeliveries, journal: RequestJournal
    ) -> None:
        self._app = app
        self._world = world
        self._deliveries = deliveries
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Before any call, so that each answer shows the checks and jobs that have ended by now.
        self._world.end_due_work()
        # Read before the call, which may delete the company.
        company_id = self._world.company_of(scope["path"])
        try:
            raw = await _read(receive, scope)
        except ClientDisconnect:  # half a body is no request: a provider does not act on it either
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # A webhook that `webhook_first` sends ahead is delivered before the caller learns the connection's id.
                await self._deliveries.send_first()
                status = message["status"]
                MutableHeaders(scope=message)["x-content-type-options"] = "nosniff"
                MutableHeaders(scope=message)["date"] = formatdate(self._world.clock.now(company_id), usegmt=True)
            await send(message)

        # A context variable, so that it applies to this request only; other names are ignored.
        requested = QueryParams(scope["query_string"]).getlist("trouble")
        previous = forced_names.set(frozenset(requested) & IN_QUERIES)
        try:
            inner = self._app if raw is not None else detail(413, f"Request body is larger than {_most(scope)} bytes.")
            await inner(scope, _replay(raw or b"", receive), answer)
        finally:
            forced_names.reset(previous)
            self._record(scope, company_id, raw, status)

    def _record(self, scope: Scope, company_id: str | None, raw: bytes | None, status: int) -> None:
        if scope["path"].startswith("/_control/"):  # the journal shows what clients do, not what tests arrange
            return
        headers = Headers(scope=scope)
        entry: dict[str, Any] = {
            "at": rest_time(self._world.clock.time()),
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": status,
            "companyId": company_id,
            "headers": without_secrets(headers),
        }
        self._journal.add(entry, readable(headers, raw or b""))


class SandboxApiGate:
    """Middleware of the API: first the key, then the troubles that any call may meet."""

    def __init__(self, app: ASGIApp, world: SandboxWorld, sleep: Sleep) -> None:
        self._app = app
        self._world = world
        self._sleep = sleep
        self._turns = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("x-api-key")
        if key is None:
            await detail(401, "Authentication credentials were not provided.")(scope, receive, send)
        # Constant time, so that the key cannot be guessed character by character.
        elif not hmac.compare_digest(key.encode(), self._world.settings.api_key.encode()):
            await detail(401, "Invalid API key.")(scope, receive, send)
        else:
            await self._apply_troubles(scope, receive, send, self._world.company_of(scope["path"]))

    async def _apply_troubles(self, scope: Scope, receive: Receive, send: Send, company_id: str | None) -> None:
        troubles = self._world.troubles
        if slow := troubles.use("slow", company_id):
            await self._sleep(slow.size)
        if failing := troubles.use("provider_5xx", company_id):
            await detail(int(failing.status or 500), "A server error occurred.")(scope, receive, send)
        elif limited := troubles.use("rate_limited", company_id):
            headers = {"retry-after": str(int(limited.size))}
            await detail(429, "Request was throttled.", headers)(scope, receive, send)
        elif troubles.use("drop_connection", company_id):
            await self._drop(scope, receive, send)
        elif troubles.use("invalid_json", company_id):
            await self._garble(scope, receive, send)
        elif scope["method"] == "GET" and troubles.use("untidy", company_id):
            await self._untidy(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _drop(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry the call out and lose its answer, which is the harder case for a client."""
        await self._collect(scope, receive)
        # The declared length is never reached, so every client sees a broken connection.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise DroppedConnection("The sandbox dropped the connection, as the trouble drop_connection asks.")

    async def _garble(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry the call out and send the first half of its answer."""
        status, body = await self._collect(scope, receive)
        # A 204 has no body to cut, so it becomes a 200 with one.
        half = body[: len(body) // 2] or b"{"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(half)).encode())]
        await send({"type": "http.response.start", "status": 200 if status == 204 else status, "headers": headers})
        await send({"type": "http.response.body", "body": half})

    async def _untidy(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a list with one odd field, another at each call."""
        status, body = await self._collect(scope, receive)
        if status == 200 and body.startswith((b"[", b"{")):
            body = json.dumps(untidy(json.loads(body), next(self._turns))).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _collect(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, collect)
        status = next(message["status"] for message in messages if message["type"] == "http.response.start")
        return status, b"".join(message.get("body", b"") for message in messages)


async def _read(receive: Receive, scope: Scope) -> bytes | None:
    """Return the whole body; None when it is larger than allowed, whatever `Content-Length` says.

    Raises ClientDisconnect where the caller was gone before the body's end.
    """
    declared, most = Headers(scope=scope).get("content-length", ""), _most(scope)
    if declared.isdecimal() and int(declared) > most:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _most(scope: Scope) -> int:
    """Return the largest body that is read for this path."""
    return UPLOAD_MOST_BYTES if _UPLOAD_PATH.fullmatch(scope["path"]) else BODY_MOST_BYTES


def _replay(raw: bytes, receive: Receive) -> Receive:
    """Return a `receive` that repeats the body that was read, and then continues with the original."""
    unread = True

    async def replay() -> Message:
        nonlocal unread
        if not unread:
            return await receive()
        unread = False
        return {"type": "http.request", "body": raw, "more_body": False}

    return replay
