"""The host's receivers of webhooks: a network in memory, on which each takes, refuses or loses what it is sent."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, Self

import httpcore

from service.domain.timing import DELIVERY_SECONDS, LEASE_RENEWAL_SECONDS
from service.outbound import WebhookNetwork
from tests.simulation.clocks import Clocks

_ADDRESS = "93.184.215.14"
_STATUSES = (204, 204, 503, 429, 408, 400, 404)


class Mode(Enum):
    """What a receiver does with what it is sent."""

    TAKES = "takes"
    REFUSES = "refuses connections"
    LOSES = "takes it and closes without an answer"
    SLOW = "takes it and answers too late"
    OVERLOADED = "answers 503"
    WRONG = "answers 400"
    FLAKY = "answers anything"
    GONE = "answers 410"


class Outcome(Enum):
    """What the sender may conclude from an answer."""

    TAKEN = "taken"
    PASSES = "refused: later ones may pass it"
    BLOCKS = "failed: later ones of the session have to wait"
    GONE = "gone"


@dataclass
class Post:
    """One attempt as its receiver got it; `is_answered` once the sender has read the answer."""

    path: str
    headers: dict[str, str]
    body: bytes
    outcome: Outcome
    is_answered: bool = False

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)["data"]

    def is_signed_with(self, secret: str) -> bool:
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mark = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        return f"v1,{mark}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """One endpoint of the host, and what it got.

    `enabled_from`: each time it was enabled again, the last event that may have been written before.
    """

    url: str
    types: tuple[str, ...]
    id: str = ""
    secret: str = ""
    mode: Mode = Mode.TAKES
    is_replayed: bool = False
    posts: list[Post] = field(default_factory=list)
    enabled_from: list[int] = field(default_factory=list)

    def status(self, rng: random.Random) -> int | None:
        """The status of the next answer, None for none."""
        if self.mode is Mode.GONE:
            self.mode = Mode.TAKES
            return 410
        fixed = {Mode.TAKES: 204, Mode.OVERLOADED: 503, Mode.WRONG: 400}
        return rng.choice(_STATUSES) if self.mode is Mode.FLAKY else fixed.get(self.mode)


def outcome_of(status: int | None) -> Outcome:
    """By the rules that hosts are promised, not by the code that follows them."""
    if status is None or status in {408, 429} or status >= 500:
        return Outcome.BLOCKS
    if status == 410:
        return Outcome.GONE
    return Outcome.TAKEN if status < 300 else Outcome.PASSES


class CanDeliver(Protocol):
    """The process that sends."""

    def reach(self, moment: str) -> Awaitable[None]: ...

    async def renew_endpoints(self) -> None: ...


class Receivers:
    """All receivers of a history, by the host part of their addresses."""

    def __init__(self, clocks: Clocks, rng: random.Random) -> None:
        self.clocks = clocks
        self.rng = rng
        self.at: dict[str, Receiver] = {}

    def add(self, receiver: Receiver) -> None:
        self.at[receiver.url.split("/")[2]] = receiver

    def network(self, process: CanDeliver) -> WebhookNetwork:
        """The way to them from one process."""

        async def resolve(host: str, _port: int) -> Sequence[str]:
            return [_ADDRESS] if host in self.at else []

        return WebhookNetwork(resolve, _Backend(self, process))


class _Backend(httpcore.AsyncNetworkBackend):
    """All names have one address: which receiver is meant, the request says."""

    def __init__(self, receivers: Receivers, process: CanDeliver) -> None:
        self._receivers = receivers
        self._process = process

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - httpcore's signature
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        await self._process.reach("before a delivery")
        return _Stream(self._receivers, self._process)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection for one request; its own client sent it, so it is read as it is always written."""

    def __init__(self, receivers: Receivers, process: CanDeliver) -> None:
        self._receivers = receivers
        self._process = process
        self._raw = b""
        self._answer: Callable[[], Awaitable[bytes]] | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002
        self._raw += buffer
        head, end, body = self._raw.partition(b"\r\n\r\n")
        if not end:
            return
        request, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if len(body) == int(headers["content-length"]) and self._answer is None:
            self._take(request.split(" ")[1], headers, body)

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        receiver = self._receivers.at[headers["host"]]
        is_refused, is_slow = receiver.mode is Mode.REFUSES, receiver.mode is Mode.SLOW
        status = receiver.status(self._receivers.rng)
        post = Post(path, headers, body, outcome_of(status), is_refused)
        receiver.posts.append(post)
        if is_refused:
            raise httpcore.ConnectError("refused")
        self._answer = lambda: self._answered(post, status, is_slow=is_slow)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002
        answer, self._answer = self._answer, None
        return await answer() if answer is not None else b""

    async def _answered(self, post: Post, status: int | None, *, is_slow: bool) -> bytes:
        if is_slow:
            await self._wait()
        await self._process.reach("after a delivery")
        post.is_answered = True
        if is_slow:
            raise httpcore.ReadTimeout
        return (
            b"" if status is None else f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    async def _wait(self) -> None:
        """The time of an attempt passes; the process renews its leases meanwhile."""
        left = DELIVERY_SECONDS
        while left > 0:
            self._receivers.clocks.advance(min(LEASE_RENEWAL_SECONDS, left))
            left -= LEASE_RENEWAL_SECONDS
            await self._process.renew_endpoints()

    async def aclose(self) -> None:
        """Nothing is left open."""

    async def start_tls(
        self,
        ssl_context: Any,  # noqa: ARG002 - TLS is taken as done
        server_hostname: str | None = None,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
    ) -> Self:
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002
        return None
