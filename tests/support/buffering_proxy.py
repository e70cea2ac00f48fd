"""A forward proxy that holds response bodies back, as reverse proxies and companies' virus scanners do.

It speaks plain HTTP/1.1, one request a connection, and knows nothing of server-sent events or `X-Accel-Buffering`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_READ = 65_536


@dataclass(frozen=True)
class Hold:
    """What is held back: the first `passed` bytes go through at once, the rest in blocks of `block`, or at the end."""

    passed: int = 0
    block: int | None = None


WHOLE = Hold()
BLOCKS = Hold(block=4_096)
AFTER_THE_FIRST = Hold(passed=1_024)
NOTHING = Hold(block=1)


@asynccontextmanager
async def buffering_proxy(hold: Hold) -> AsyncIterator[str]:
    """Run the proxy in this event loop, and yield its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            await _exchange(reader, writer, hold)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hold: Hold) -> None:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, url, version = first.split(" ")
    address = urlsplit(url)
    headers = [line for line in lines if line and not line.lower().startswith(("connection:", "proxy-connection:"))]
    length = next((int(line[15:]) for line in headers if line.lower().startswith("content-length:")), 0)
    path = url[len(f"{address.scheme}://{address.netloc}") :] or "/"
    head = "\r\n".join([f"{method} {path} {version}", *headers, "Connection: close", "", ""])
    upstream, sender = await asyncio.open_connection(address.hostname, address.port or 80)
    sender.write(head.encode("latin-1") + await reader.readexactly(length))
    # A browser that gives up ends the request to the service too.
    tasks = [asyncio.create_task(_pass_on(upstream, writer, hold)), asyncio.create_task(reader.read())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        sender.close()


async def _pass_on(upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, hold: Hold) -> None:
    held, through = b"", 0
    while chunk := await upstream.read(_READ):
        held += chunk
        ready = max(0, hold.passed - through)
        if hold.block:
            ready = max(ready, len(held) // hold.block * hold.block)
        writer.write(held[:ready])
        through, held = through + len(held[:ready]), held[ready:]
        await writer.drain()
    writer.write(held)
    await writer.drain()
