"""A peer on a real socket that accepts connections and never completes a TLS handshake."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

from tests.support.patience import PATIENCE_SECONDS


class SilentPeer:
    """Counts the connections that were opened to it, and those that their client has not closed."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self._open = 0
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the client's part of the handshake, and wait until it closes."""
        self.accepted += 1
        self._open += 1
        with closing(writer), suppress(ConnectionResetError):
            await reader.read()
        async with self._changed:
            self._open -= 1
            self._changed.notify_all()

    async def all_closed(self) -> None:
        """Return once no connection is open. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self._open == 0)


@asynccontextmanager
async def silent_peer() -> AsyncIterator[SilentPeer]:
    """Serve it, without the garbage collector: that would close what nobody else closes."""
    peer = SilentPeer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    gc.collect()
    gc.disable()
    try:
        async with server:
            yield peer
    finally:
        gc.enable()
