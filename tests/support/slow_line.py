"""A SOCKS proxy that is a slow line: a delay each way, a rate that all its connections share, and a handshake each.

A browser's own emulation does not delay the making of a connection, and reaches no frame in a process of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter

_READ = 16_384
_NAME = 3  # a host by its name, not by its address


class SlowLine:
    """The line; `connections` counts those that were made over it."""

    def __init__(self, bits_per_second: float, round_trip_seconds: float) -> None:
        self._bytes_per_second = bits_per_second / 8
        self._one_way = round_trip_seconds / 2
        self._free_at = 0.0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection of the browser's. Reference: RFC 1928; without authentication, by name or address."""
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            _, methods = await reader.readexactly(2)
            await reader.readexactly(methods)
            writer.write(b"\x05\x00")
            *_, kind = await reader.readexactly(4)
            length = (await reader.readexactly(1))[0] if kind == _NAME else 4
            host = await reader.readexactly(length)
            port = int.from_bytes(await reader.readexactly(2), "big")
            await asyncio.sleep(2 * self._one_way)  # the handshake
            name = host.decode("ascii") if kind == _NAME else ".".join(str(byte) for byte in host)
            upstream, sender = await asyncio.open_connection(name, port)
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
            tasks = [asyncio.create_task(self._carry(*way)) for way in ((reader, sender), (upstream, writer))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            sender.close()
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                at, chunk = await on_the_way.get()
                await asyncio.sleep(max(0.0, at - perf_counter()))
                if not chunk:
                    return
                writer.write(chunk)
                await writer.drain()

        async def leave() -> None:
            while chunk := await reader.read(_READ):
                self._free_at = max(self._free_at, perf_counter()) + len(chunk) / self._bytes_per_second
                on_the_way.put_nowait((self._free_at + self._one_way, chunk))
            on_the_way.put_nowait((perf_counter() + self._one_way, b""))

        await asyncio.gather(leave(), arrive())


@asynccontextmanager
async def slow_line(bits_per_second: float, round_trip_seconds: float) -> AsyncIterator[tuple[str, SlowLine]]:
    """Run the proxy in this event loop; yield its address and the line."""
    line = SlowLine(bits_per_second, round_trip_seconds)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    try:
        yield f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}", line
    finally:
        server.close()
