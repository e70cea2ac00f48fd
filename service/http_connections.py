"""Connections for outgoing HTTP that are kept open for a while. Taking one costs the same however many are open.

httpcore's own pool checks each of its connections for each request: with one open to each of 250 endpoints that took
24 ms of a processor per delivery, and with ten calls at once half of the time of a call to the provider.
"""

import asyncio
import ssl
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpcore

_MOST_IDLE = 256
Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


def closing_failed_handshakes() -> Trace:
    """Return the request extension `trace` of one request, which closes its connection if the handshake fails.

    httpcore closes it after an error only, and a deadline is a cancellation. A peer that accepts connections and never
    completes a handshake would cost a file handle for each attempt, until the garbage collector finds it much later.
    """
    # Reference: httpcore's and httpx's documentation, "Request extensions". Another version may name the steps
    # otherwise; the tests of both adapters see whether the connection is closed.
    stream: Any = None

    async def trace(step: str, info: Mapping[str, Any]) -> None:
        nonlocal stream
        if step == "connection.connect_tcp.complete":
            stream = info["return_value"]
        elif step == "connection.start_tls.failed" and stream is not None:
            # Whatever closing raises must not hide why the handshake failed.
            with anyio.CancelScope(shield=True), suppress(Exception):
                await stream.aclose()

    return trace


class TrustedCertificates:
    """The certificates by which peers are verified: the system's, and those of the package certifi.

    They are loaded when the first TLS connection is opened, and once for all: that takes a tenth of a second of a
    processor and a few MB, which a start would wait for and a provider without TLS, as the sandbox, never needs.
    """

    def __init__(self, load: Callable[[], ssl.SSLContext] = httpcore.default_ssl_context) -> None:
        self._load = load
        self._loading = threading.Lock()
        self._context: ssl.SSLContext | None = None

    async def context(self) -> ssl.SSLContext:
        """Return the settings of a TLS connection. The event loop is not held up while they are loaded."""
        if self._context is None:
            return await asyncio.to_thread(self._loaded)
        return self._context

    def _loaded(self) -> ssl.SSLContext:
        with self._loading:
            if self._context is None:
                self._context = self._load()
            return self._context


TRUSTED = TrustedCertificates()


class KeptConnections:
    """`idle_seconds` is how long an unused connection stays open. Of more than 256 the oldest is closed."""

    def __init__(
        self,
        backend: httpcore.AsyncNetworkBackend,
        idle_seconds: float,
        now: Callable[[], float],
        certificates: TrustedCertificates = TRUSTED,
    ) -> None:
        self._backend = backend
        self._certificates = certificates
        self._idle_seconds = idle_seconds
        self._now = now
        # Both in the order in which they became idle: the oldest of all is the first of its origin too.
        self._idle_since: OrderedDict[httpcore.AsyncHTTPConnection, tuple[str, float]] = OrderedDict()
        self._idle: dict[str, deque[httpcore.AsyncHTTPConnection]] = {}

    async def send(self, request: httpcore.Request) -> httpcore.Response:
        """Send the request on a connection of its own, which stays open if the answer is read to its end.

        The caller must close the response.
        """
        origin = str(request.url.origin)
        connection = await self._take(origin) or await self._open(request)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await self._give_back(origin, connection)
            raise

        async def give_back() -> None:
            if connection.is_idle() and _has_more(connection, response):
                await connection.aclose()
            await self._give_back(origin, connection)

        return httpcore.Response(
            response.status,
            headers=response.headers,
            content=_Body(response, give_back),
            extensions=response.extensions,
        )

    @asynccontextmanager
    async def stream(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """As `send`, and close the response at the end of the block."""
        response = await self.send(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all that are idle."""
        while self._idle_since:
            await self._close_oldest()

    async def _open(self, request: httpcore.Request) -> httpcore.AsyncHTTPConnection:
        encrypted = request.url.scheme == b"https"
        request.extensions = {**request.extensions, "trace": closing_failed_handshakes()}
        return httpcore.AsyncHTTPConnection(
            origin=request.url.origin,
            ssl_context=await self._certificates.context() if encrypted else None,
            keepalive_expiry=self._idle_seconds,
            network_backend=self._backend,
        )

    async def _take(self, origin: str) -> httpcore.AsyncHTTPConnection | None:
        """The one that was used last, unless its peer has closed it."""
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


def _has_more(connection: httpcore.AsyncHTTPConnection, response: httpcore.Response) -> bool:
    """Whether bytes came after the end of the answer. The next request would read them as its own answer.

    `has_expired` sees only what is still to be read from the socket. These have been read, by h11 or by TLS.
    """
    # Reference: h11's documentation, "trailing_data". httpcore has no public name for its parser. Where another version
    # has no such parser, no connection is used twice; the tests of this module see that.
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    if getattr(parser, "trailing_data", (b"unknown", False))[0]:
        return True
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    if not isinstance(tls, ssl.SSLObject):
        return False
    try:
        tls.read(1)  # of what has arrived: such an object has no socket, so it never waits
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


class _Body:
    """The body of an answer, whose end gives the connection back."""

    def __init__(self, response: httpcore.Response, give_back: Callable[[], Awaitable[None]]) -> None:
        self._response = response
        self._give_back = give_back
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        if self._is_closed:
            return  # the connection may be another request's by now
        self._is_closed = True
        try:
            await self._response.aclose()
        finally:
            await self._give_back()
