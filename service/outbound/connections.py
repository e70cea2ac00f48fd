"""Keeps connections to receivers open for a few seconds. Taking one costs the same however many are open.

httpcore's own pool checks each of its connections for each request: with one open to each of 250 endpoints that took
24 ms of a processor per delivery.
"""

import ssl
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpcore

_MOST_IDLE = 256


class ReceiverConnections:
    """`idle_seconds` is how long an unused connection stays open. Of more than 256 the oldest is closed."""

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext, idle_seconds: float, now: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._now = now
        # Both in the order in which they became idle: the oldest of all is the first of its origin too.
        self._idle_since: OrderedDict[httpcore.AsyncHTTPConnection, tuple[str, float]] = OrderedDict()
        self._idle: dict[str, deque[httpcore.AsyncHTTPConnection]] = {}

    @asynccontextmanager
    async def stream(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """Send the request on a connection of its own; keep that open if the answer was read to its end."""
        origin = str(request.url.origin)
        connection = await self._take(origin) or self._open(request)
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            await self._give_back(origin, connection)

    async def close(self) -> None:
        """Close all that are idle."""
        while self._idle_since:
            await self._close_oldest()

    def _open(self, request: httpcore.Request) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            origin=request.url.origin,
            ssl_context=self._tls,
            keepalive_expiry=self._idle_seconds,
            network_backend=self._backend,
        )

    async def _take(self, origin: str) -> httpcore.AsyncHTTPConnection | None:
        """The one that was used last, unless its receiver has closed it."""
        while kept := self._idle.get(origin):
            connection = kept.pop()
            self._forget(origin, connection)
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _give_back(self, origin: str, connection: httpcore.AsyncHTTPConnection) -> None:
        # One that could not be opened counts as idle and as closed.
        if connection.is_idle() and not connection.is_closed():
            self._idle.setdefault(origin, deque()).append(connection)
            self._idle_since[connection] = origin, self._now()
        elif not connection.is_closed():
            await connection.aclose()
        while self._idle_since and (len(self._idle_since) > _MOST_IDLE or self._is_oldest_expired()):
            await self._close_oldest()

    def _is_oldest_expired(self) -> bool:
        _, since = next(iter(self._idle_since.values()))
        return since < self._now() - self._idle_seconds

    async def _close_oldest(self) -> None:
        connection, (origin, _) = next(iter(self._idle_since.items()))
        self._idle[origin].popleft()
        self._forget(origin, connection)
        await connection.aclose()

    def _forget(self, origin: str, connection: httpcore.AsyncHTTPConnection) -> None:
        del self._idle_since[connection]
        if not self._idle[origin]:
            del self._idle[origin]
