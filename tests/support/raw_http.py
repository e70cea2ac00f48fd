"""A real server in the test's own loop, and clients that send bytes as no HTTP library would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from service.commands.clients import Clients
from service.commands.server import AppServer, listen
from tests.support.patience import PATIENCE_SECONDS

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send_until_refused(self, data: bytes, most: int) -> int:
        """How many bytes of the same piece were sent before the server closed; `most` where it never did."""
        sent = 0
        try:
            while sent < most:
                await self.send(data)
                sent += len(data)
        except OSError:
            return sent
        return sent

    async def read(self, until: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._reader.readuntil(until)

    async def answer(self) -> bytes:
        """The status and body of an answer with a length."""
        head = await self.read(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return head[9:12] + b" " + await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b"reset"

    def close(self) -> None:
        self._writer.close()


class RawServer:
    """A running server; its clients are closed with it."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self._host = host
        self._clients: list[RawClient] = []

    async def connect(self, data: bytes = b"") -> RawClient:
        client = RawClient(*await asyncio.open_connection(self._host, self.port))
        self._clients.append(client)
        await client.send(data)
        return client

    async def ask(self, data: bytes) -> bytes:
        """The answer to one request on a connection of its own, up to the close."""
        return await (await self.connect(data)).rest()

    def close(self) -> None:
        for client in self._clients:
            client.close()


@asynccontextmanager
async def serving(app: Starlette, clients: Clients) -> AsyncIterator[RawServer]:
    with listen("127.0.0.1", 0, "--port") as listener:
        server = AppServer(app, listener, clients)
        task = asyncio.create_task(server.serve_app())
        await server.ready.wait()
        raw = RawServer("127.0.0.1", listener.port)
        try:
            yield raw
        finally:
            raw.close()
            server.should_exit = True
            await task
