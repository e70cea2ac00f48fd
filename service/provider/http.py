"""The transport of httpx for calls to the provider: its connections are kept by `KeptConnections`."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpcore
import httpx

from service.http_connections import TRUSTED, KeptConnections, TrustedCertificates

_IDLE_SECONDS = 5.0  # httpx's own default


class ProviderTransport(httpx.AsyncBaseTransport):
    """Sends the requests of an httpx client. `monotonic` measures how long a connection is idle."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        backend: httpcore.AsyncNetworkBackend | None = None,
        certificates: TrustedCertificates = TRUSTED,
    ) -> None:
        inner = backend or httpcore.AnyIOBackend()
        self._connections = KeptConnections(inner, _IDLE_SECONDS, monotonic, certificates)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request. Raises the exceptions of httpx."""
        url = request.url
        inner = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _exceptions_of_httpx():
            response = await self._connections.send(inner)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Stream(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.close()


class _Stream(httpx.AsyncByteStream):
    """The body of an answer, as httpx reads it."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _exceptions_of_httpx():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _exceptions_of_httpx() -> Iterator[None]:
    # Reference: www.python-httpx.org/exceptions/: both libraries have the same classes, under the same names.
    try:
        yield
    except _EXCEPTIONS as exc:
        raise getattr(httpx, type(exc).__name__)(str(exc)) from exc
    except ssl.SSLError as exc:
        # httpcore names it in the handshake only: later the peer, or a device on the way, has sent a broken record.
        raise httpx.ReadError(str(exc)) from exc


_EXCEPTIONS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
