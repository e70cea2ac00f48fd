"""Thousands of pages in one process, for the load tests of streams: raw sockets that keep next to nothing."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from tests.load.servers import AS_JSON, BODY

_CALLERS = 16
_OPENED_AT_ONCE = 100
# As in service/static/live.js: the pause after a stream that ended, and after each that could not be made.
_FIRST_PAUSE_SECONDS = 0.5
_MOST_DOUBLINGS = 4
# Of a client whose buffers, and those of the service towards it, hold some kilobytes: its segments are small.
_SMALL_BUFFER = 4096
_SMALL_SEGMENT = 536
_COMPANIES = 100


@dataclass
class StreamPage:
    """A started page; `revoked_at` is when its stream brought the event of its session's end."""

    session_id: str
    live: str
    key: str
    revoked_at: float | None = None


class Refusal(Exception):
    """An answer that is no success; `head` is in lower case."""

    def __init__(self, status: int, head: str, body: bytes) -> None:
        self.status = status
        self.head = head
        super().__init__(f"{head}{body!r}")


class Caller:
    """One kept connection for requests whose answers have a length."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Return the answer's JSON, None where it has none; `body` is JSON, or a text as it is. Raises Refusal."""
        text = body if isinstance(body, str) else json.dumps(body)
        found = await self._ask("POST", path, text.encode(), headers)
        return json.loads(found) if found else None

    async def get(self, path: str, headers: dict[str, str], *, is_json: bool = True) -> Any:
        """Return the answer's JSON, or its bytes. Raises Refusal."""
        found = await self._ask("GET", path, b"", headers)
        return json.loads(found) if is_json else found

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        found = await reader.readexactly(length)
        if not head.split()[1].startswith("2"):
            raise Refusal(int(head.split()[1]), head, found)
        return found

    async def started_page(self, number: int) -> StreamPage:
        """Create a session and start its page."""
        company = {"externalId": f"company-{number % _COMPANIES}", "name": "Acme Ltd"}
        made = await self.post("/v1/sessions", BODY | {"userId": f"user-{number}", "company": company}, AS_JSON)
        token = made["embedUrl"].rpartition("/")[2]
        accept = {"Content-Type": "application/json", "Accept": "application/json"}
        started = await self.post(f"/embed/{token}/start", {"takeOver": False}, accept)
        return StreamPage(made["id"], f"/live/{token}", started["pageKey"])


@dataclass
class StreamClient(asyncio.Protocol):
    """One open stream: notes when it opens, ends, and brings the event of the session's end."""

    page: StreamPage
    is_small: bool = False
    on_end: Callable[["StreamClient"], object] = lambda _: None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    transport: Any = None  # uvloop's own class is none of asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        page, self.transport = self.page, transport
        request = f"GET {page.live} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nX-Page-Key: {page.key}\r\n\r\n"
        self.transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        if not self.opened.is_set() and b"event: view" in data:
            self.opened.set()
        if self.page.revoked_at is None and b"revoked" in data:
            self.page.revoked_at = perf_counter()
        if data.endswith(b"0\r\n\r\n"):  # the last chunk: a proper end, of which this client keeps nothing alive
            self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.on_end(self)

    def stop_reading(self) -> None:
        """From now on it takes nothing: what the service sends fills the buffers between them."""
        self.transport.pause_reading()

    def close(self) -> None:
        self.on_end = lambda _: None
        if self.transport is not None:
            self.transport.abort()


@asynccontextmanager
async def open_views(port: int, live: str, key: str) -> AsyncIterator[AsyncIterator[Any]]:
    """Open the live stream of a page, and yield the views that it brings."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {live} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nX-Page-Key: {key}\r\n\r\n"
    writer.write(request.encode())

    async def views() -> AsyncIterator[Any]:
        while line := await reader.readline():  # an event is one chunk, so the lines between are those of chunks
            name, _, rest = line.strip().partition(b": ")
            if name == b"data" and (view := json.loads(rest).get("view")):
                yield view

    try:
        yield views()
    finally:
        writer.transport.abort()


async def start_pages(port: int, number: int) -> list[StreamPage]:
    """Sessions, each with a page that has started."""
    pages: list[StreamPage] = []
    numbers = iter(range(number))

    async def work() -> None:
        caller = Caller(port)
        pages.extend([await caller.started_page(one) for one in numbers])

    await asyncio.gather(*(work() for _ in range(_CALLERS)))
    return pages


async def open_streams(port: int, pages: Sequence[StreamPage], *, are_small: bool = False) -> list[StreamClient]:
    """Open them, some at a time; each has shown its page a view when this returns."""
    clients = [StreamClient(page, are_small) for page in pages]
    for first in range(0, len(clients), _OPENED_AT_ONCE):
        some = clients[first : first + _OPENED_AT_ONCE]
        await asyncio.gather(*(_connect(client, port) for client in some))
        await asyncio.gather(*(client.opened.wait() for client in some))
    return clients


class Reconnecting:
    """Opens a stream anew whenever it ends, after the pauses of the page's own script."""

    def __init__(self, port: int, clients: Sequence[StreamClient], rng: random.Random) -> None:
        self.served_at: list[float] = []
        self._port = port
        self._rng = rng
        self._tasks: set[asyncio.Task[None]] = set()
        self.clients = {client.page.session_id: client for client in clients}
        for client in clients:
            client.on_end = self._restart

    async def all_served(self, number: int, patience_seconds: float) -> None:
        """Wait until so many have a stream again. Raises TimeoutError."""
        async with asyncio.timeout(patience_seconds):
            while len(self.served_at) < number:  # noqa: ASYNC110 - many tasks change it
                await asyncio.sleep(0.05)

    def _restart(self, client: StreamClient) -> None:
        task = asyncio.create_task(self._again(client.page))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _again(self, page: StreamPage) -> None:
        for broken in range(1_000):
            pause = _FIRST_PAUSE_SECONDS * 2 ** min(broken, _MOST_DOUBLINGS)
            await asyncio.sleep(pause * self._rng.uniform(0.75, 1.25))
            client = StreamClient(page)
            if await self._is_served(client):
                self.served_at.append(perf_counter())
                self.clients[page.session_id], client.on_end = client, self._restart
                return

    async def _is_served(self, client: StreamClient) -> bool:
        lost = asyncio.Event()
        client.on_end = lambda _: lost.set()
        try:
            await _connect(client, self._port)
        except OSError:
            return False
        waits = [asyncio.create_task(client.opened.wait()), asyncio.create_task(lost.wait())]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        return client.opened.is_set() and not lost.is_set()


async def _connect(client: StreamClient, port: int) -> None:
    loop = asyncio.get_running_loop()
    connecting = socket.socket()
    connecting.setblocking(False)
    if client.is_small:
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL_SEGMENT)
    try:
        await loop.sock_connect(connecting, ("127.0.0.1", port))
    except OSError:
        connecting.close()
        raise
    await loop.create_connection(lambda: client, sock=connecting)
