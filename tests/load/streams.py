"""Live streams: how many one process keeps open, what each costs, and how soon a page hears of an event.

`python -m tests.load.streams --streams 10000`. Every page is a session of its own that has started, as in production.
Some of the sessions are revoked, one after the other, while all other streams are open and quiet: the time from sending
that call to the arrival of its event at the page is what a user waits for. The client is this process, on another core.
"""

import argparse
import asyncio
import json
import os
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from tests.load.servers import AS_JSON, BODY, Server, open_ours

_CALLERS = 16
_REVOKED_PER_SECOND = 20
_QUIET_SECONDS = 10.0


@dataclass
class StreamPage:
    """A started page; `heard_at` is when its stream brought the event of its session's end."""

    session_id: str
    live: str
    key: str
    heard_at: float | None = None


class Caller:
    """One kept connection for requests whose answers have a length."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Return the answer's JSON."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        text = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(text)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + text)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.split()[1].startswith("2"), head
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return json.loads(await reader.readexactly(length))

    async def started_page(self, number: int) -> StreamPage:
        """Create a session and start its page."""
        made = await self.post("/v1/sessions", BODY | {"userId": f"user-{number}"}, AS_JSON)
        token = made["embedUrl"].rpartition("/")[2]
        accept = {"Content-Type": "application/json", "Accept": "application/json"}
        started = await self.post(f"/embed/{token}/start", {"takeOver": False}, accept)
        return StreamPage(made["id"], f"/live/{token}", started["pageKey"])


class StreamClient(asyncio.Protocol):
    """One open stream: notes when the event of the session's end arrives, and keeps nothing."""

    def __init__(self, page: StreamPage) -> None:
        self._page = page
        self.opened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        page = self._page
        request = f"GET {page.live} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nX-Page-Key: {page.key}\r\n\r\n"
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        self.opened.set()
        if self._page.heard_at is None and b"revoked" in data:
            self._page.heard_at = perf_counter()


async def measure(server: Server, streams: int, news: int, say: Callable[[str], object]) -> None:
    """Open the streams, wait, revoke some, and report."""
    pages = await _in_turns(server.port, streams)
    before = server.megabytes
    began = perf_counter()
    await _open(server.port, pages)
    say(f"{streams:,} streams opened in {perf_counter() - began:.1f} s")
    used = server.cpu_seconds
    await asyncio.sleep(_QUIET_SECONDS)
    busy = (server.cpu_seconds - used) / _QUIET_SECONDS
    kilobytes = (server.megabytes - before) * 1024 / streams
    say(f"{kilobytes:.1f} KB for each; quiet, they take {busy:.0%} of a core")
    waits = sorted(await _revoke(server.port, pages[:news]))
    say(
        f"news to a page: median {median(waits):.0f} ms, 99th percentile {quantiles(waits, n=100)[98]:.0f} ms, "
        f"slowest {waits[-1]:.0f} ms"
    )


async def _in_turns(port: int, streams: int) -> list[StreamPage]:
    pages: list[StreamPage] = []
    numbers = iter(range(streams))

    async def work() -> None:
        caller = Caller(port)
        pages.extend([await caller.started_page(number) for number in numbers])

    await asyncio.gather(*(work() for _ in range(_CALLERS)))
    return pages


async def _open(port: int, pages: list[StreamPage]) -> None:
    loop = asyncio.get_running_loop()
    for first in range(0, len(pages), 100):
        clients = [StreamClient(page) for page in pages[first : first + 100]]
        for client in clients:
            await loop.create_connection(partial(_same, client), "127.0.0.1", port)
        await asyncio.gather(*(client.opened.wait() for client in clients))


async def _revoke(port: int, pages: list[StreamPage]) -> list[float]:
    caller, waits = Caller(port), []
    for page in pages:
        sent = perf_counter()
        await caller.post(f"/v1/sessions/{page.session_id}/revoke", {}, AS_JSON)
        while page.heard_at is None:  # noqa: ASYNC110 - a transport sets it
            await asyncio.sleep(0.001)
        waits.append((page.heard_at - sent) * 1000)
        await asyncio.sleep(1 / _REVOKED_PER_SECOND)
    return waits


def _same(client: StreamClient) -> StreamClient:
    return client


def main() -> None:
    """Read the options, start the service, and measure."""
    options = argparse.ArgumentParser(prog="python -m tests.load.streams", description=__doc__)
    options.add_argument("--streams", type=int, default=2000, help="how many are open at once (default 2000)")
    options.add_argument("--news", type=int, default=200, help="how many sessions are revoked (default 200)")
    given = options.parse_args()
    files = given.streams + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with tempfile.TemporaryDirectory() as folder:
        server = open_ours(Path(folder), {"MAGICLINK_CONNECTIONS_PER_ADDRESS": str(files)})
        try:
            asyncio.run(measure(server, given.streams, given.news, print))
        finally:
            server.close()
    print(f"load average {os.getloadavg()[0]:.1f}")  # noqa: T201 - a report


if __name__ == "__main__":
    main()
