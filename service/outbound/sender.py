"""Posts one delivery. The address is checked and pinned, and no receiver can delay the sender beyond its deadline.

It uses httpcore and not httpx: httpcore has no redirects, proxy variables, cookies or decompression.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpcore

from service.domain.deliveries import AttemptError
from service.domain.timing import DELIVERY_SECONDS
from service.http_connections import TRUSTED, KeptConnections, TrustedCertificates
from service.outbound.addresses import AddressGuard, BlockedAddress, UnknownName
from service.outbound.streams import AnswerTooLong, BoundedStream

_KEPT_BYTES = 1024
# The part of an attempt's time for one of several addresses: 3 s, in which a lost packet is sent again. The last one
# has all the time that is left.
_ADDRESS_SHARE = 0.2
# Once the status is known, wait at most this long for the start of the body.
_BODY_SECONDS = 1.0
# Receivers close idle connections after five seconds or later. If one closes while it is used, the attempt is lost.
_IDLE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """The result of a POST: a status with the start of the body, if it may be kept, or the reason why there is none."""

    milliseconds: int
    status: int | None = None
    error: AttemptError | None = None
    start: str | None = None


@dataclass(slots=True)
class _Received:
    """What has arrived of an answer. It counts although the attempt then runs out of time."""

    status: int | None = None
    may_keep: bool = False
    start: bytearray = field(default_factory=bytearray)


class _Blocked(httpcore.ConnectError):
    """The connection would have gone to a blocked address."""


class _NoName(httpcore.ConnectError):
    """The name has no address now."""


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that the guard has checked, and to no other.

    Its caller knows only the name: TLS verifies the certificate for the name, and the header `Host` has it.
    """

    def __init__(self, guard: AddressGuard, inner: httpcore.AsyncNetworkBackend, *, encrypted: bool) -> None:
        self._guard = guard
        self._inner = inner
        self._encrypted = encrypted

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, and connect to the first address that answers.

        One that drops packets must leave time for the others. On a machine without a way to the IPv6 internet, for
        example, every name with addresses of both families may begin with one that never answers.
        """
        try:
            addresses = await self._guard.addresses(host, port, encrypted=self._encrypted)
        except BlockedAddress as exc:
            raise _Blocked from exc
        except UnknownName as exc:
            raise _NoName from exc
        error: Exception = httpcore.ConnectError()
        for number, address in enumerate(addresses, 1):
            wait = timeout if timeout is None or number == len(addresses) else timeout * _ADDRESS_SHARE
            try:
                stream = await self._inner.connect_tcp(address, port, wait, local_address, socket_options)
                return BoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                error = exc
        raise error

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore does between its own retries, of which there are none here."""
        await self._inner.sleep(seconds)


class WebhookSender:
    """`monotonic` measures; `seconds` is the deadline of one attempt."""

    def __init__(
        self,
        guard: AddressGuard,
        monotonic: Callable[[], float],
        *,
        seconds: float = DELIVERY_SECONDS,
        backend: httpcore.AsyncNetworkBackend | None = None,
        certificates: TrustedCertificates = TRUSTED,
    ) -> None:
        self._guard = guard
        self._monotonic = monotonic
        self._seconds = seconds
        inner = backend or httpcore.AnyIOBackend()

        def connections(*, encrypted: bool) -> KeptConnections:
            pinned = PinnedBackend(guard, inner, encrypted=encrypted)
            return KeptConnections(pinned, _IDLE_SECONDS, monotonic, certificates)

        self._connections = {"https": connections(encrypted=True), "http": connections(encrypted=False)}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Send one POST and return its result; raises nothing for what a receiver or a network does."""
        began = self._monotonic()

        def answer(**fields: Any) -> ReceiverAnswer:
            return ReceiverAnswer(int(1000 * (self._monotonic() - began)), **fields)

        received = _Received()
        error: AttemptError | None = AttemptError.TIMEOUT
        try:
            async with asyncio.timeout(self._seconds):
                await self._check(url)
                await self._exchange(url, headers, body, received)
        except TimeoutError:
            pass
        except Exception as exc:
            error = _error_of(exc)
            if error is None:
                raise
        if received.status is None:
            return answer(error=error)
        return answer(status=received.status, start=_printable(received.start) if received.may_keep else None)

    async def _check(self, url: str) -> None:
        """Raise BlockedAddress for a name that must not be reached now; a connection that is open is checked too."""
        parts = urlsplit(url)
        encrypted = parts.scheme == "https"
        await self._guard.addresses(parts.hostname or "", parts.port or (443 if encrypted else 80), encrypted=encrypted)

    def _may_keep(self, response: httpcore.Response) -> bool:
        # An answer from the operator's own network would show a host what is there. The address of the connection
        # decides, not the name: an attacker's name server can give another address after the check.
        address = response.extensions["network_stream"].get_extra_info("server_addr")
        return address is not None and not self._guard.is_listed(address[0])

    async def _exchange(self, url: str, headers: Mapping[str, str], body: bytes, received: _Received) -> None:
        sent = [*headers.items(), ("content-type", "application/json"), ("user-agent", "magiclink")]
        sent += [("host", urlsplit(url).netloc), ("content-length", str(len(body))), ("accept-encoding", "identity")]
        timeouts = {"connect": self._seconds, "read": self._seconds, "write": self._seconds}
        request = httpcore.Request("POST", _parsed(url), headers=sent, content=body, extensions={"timeout": timeouts})
        async with self._connections[urlsplit(url).scheme].stream(request) as response:
            received.status, received.may_keep = response.status, self._may_keep(response)
            await self._read_start(response, received.start)

    async def _read_start(self, response: httpcore.Response, start: bytearray) -> None:
        """Read at most 1 KB. Of a longer or an endless body the rest is never read: its connection is closed."""
        with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in _parts(response):
                    start += part[: _KEPT_BYTES - len(start)]
                    if len(start) >= _KEPT_BYTES:
                        break

    async def close(self) -> None:
        """Close all connections."""
        for connections in self._connections.values():
            await connections.close()


def _parsed(url: str) -> httpcore.URL:
    """Return the address with its path and query as the host wrote them.

    httpcore itself leaves out what follows a semicolon in the last segment of a path.
    """
    parts = urlsplit(url)
    rest = url.partition("://")[2][len(parts.netloc) :]
    target = rest if rest.startswith("/") else f"/{rest}"
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target)


def _parts(response: httpcore.Response) -> AsyncIterator[bytes]:
    return response.aiter_stream()


def _printable(raw: bytearray) -> str:
    # It is shown to people in terminals and pages: no control characters.
    text = raw.decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def _error_of(exc: Exception) -> AttemptError | None:
    """Return the word of the closed list; None for an error of our own code."""
    if isinstance(exc.__cause__, ssl.SSLError) or isinstance(exc, ssl.SSLError):
        return AttemptError.TLS
    # httpcore raises one error for both: where bytes came that are not HTTP, the parser's error is the cause.
    if isinstance(exc, httpcore.RemoteProtocolError) and exc.__cause__ is not None:
        return AttemptError.INVALID
    return next((error for kinds, error in _ERRORS if isinstance(exc, kinds)), None)


_ERRORS: tuple[tuple[tuple[type[Exception], ...], AttemptError], ...] = (
    ((BlockedAddress, _Blocked), AttemptError.BLOCKED),
    ((UnknownName, _NoName), AttemptError.NO_NAME),
    ((httpcore.TimeoutException,), AttemptError.TIMEOUT),
    ((httpcore.ConnectError,), AttemptError.REFUSED),
    ((httpcore.ReadError, httpcore.WriteError, httpcore.NetworkError), AttemptError.CLOSED),
    ((AnswerTooLong,), AttemptError.INVALID),
    ((httpcore.RemoteProtocolError,), AttemptError.CLOSED),
)
