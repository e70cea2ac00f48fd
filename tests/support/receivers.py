"""Hosts' receivers of webhooks: a network in memory, on which names lead to addresses and addresses to receivers.

It stands where sockets would be, so names are resolved, addresses checked and HTTP spoken as in production.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import h11
import httpcore

from tests.support.patience import PATIENCE_SECONDS

PUBLIC = "93.184.215.14"
NAME = "hooks.example.com"
URL = f"https://{NAME}/magiclink"


@dataclass(frozen=True)
class Post:
    """One request as a receiver got it."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> Any:
        return self.json["data"]


@dataclass
class Receiver:
    """One address. `answer` gives the status, or the bytes of a whole answer, or None to close without one."""

    answer: Callable[[Post], int | Iterable[bytes] | None] = lambda _post: 204
    posts: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)  # those that were answered with 2xx
    is_silent: bool = False
    under_way: int = 0
    most_under_way: int = 0
    gate: asyncio.Event | None = None  # answers wait for it

    async def has_posts(self, number: int = 1) -> None:
        """Return once so many requests have arrived."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.posts) < number:  # noqa: ASYNC110 - one place for all tests
                await asyncio.sleep(0.01)

    @property
    def types(self) -> list[str]:
        return [post.json["type"] for post in self.taken]


class Receivers(httpcore.AsyncNetworkBackend):
    """The network: `names` are the answers of name servers, one list after the other, of which the last stays."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {NAME: [[PUBLIC]]}
        self.at: dict[str, Receiver] = {PUBLIC: Receiver()}
        self.connects: list[tuple[str, int]] = []
        self.dropping: set[str] = set()  # addresses that drop every packet

    @property
    def main(self) -> Receiver:
        return self.at[PUBLIC]

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        answers = self.names.get(host, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        self.connects.append((host, port))
        if host in self.dropping:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), timeout)
            raise httpcore.ConnectTimeout
        if host not in self.at:
            raise httpcore.ConnectError("refused")
        return ReceiverStream(self.at[host], (host, port))

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


class ReceiverStream(httpcore.AsyncNetworkStream):
    """A connection to a receiver; TLS is taken as done."""

    def __init__(self, receiver: Receiver, address: tuple[str, int]) -> None:
        self._receiver = receiver
        self._address = address
        self._http = h11.Connection(h11.SERVER)
        self._answer: Iterator[bytes] = iter(())
        self._waits = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002
        if self._receiver.is_silent:
            await asyncio.Event().wait()
        if self._receiver.gate is not None:
            await self._receiver.gate.wait()
        await asyncio.sleep(0)  # an endless answer must not stop the loop
        self._receiver.under_way -= self._waits
        self._waits = False
        return next(self._answer, b"")[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002
        if not buffer:  # to h11 that would be the end of the connection
            return
        self._http.receive_data(buffer)
        while (event := self._http.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._answered()

    def _answered(self) -> None:
        headers = {name.decode(): value.decode() for name, value in self._request.headers}
        post = Post(headers["host"], self._request.target.decode(), headers, self._body)
        receiver = self._receiver
        receiver.posts.append(post)
        receiver.under_way += 1
        self._waits = True
        receiver.most_under_way = max(receiver.most_under_way, receiver.under_way)
        answer = receiver.answer(post)
        if isinstance(answer, int):
            if 200 <= answer < 300:
                receiver.taken.append(post)
            # One answer a connection, so that each attempt is seen to connect.
            answer = [f"HTTP/1.1 {answer} Answer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()]
        self._answer = iter(answer or ())

    async def aclose(self) -> None:
        self._receiver.under_way -= self._waits
        self._waits = False

    async def start_tls(
        self,
        ssl_context: Any,  # noqa: ARG002
        server_hostname: str | None = None,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
    ) -> Self:
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._address if info == "server_addr" else None
