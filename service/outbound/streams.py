"""Connections to receivers, of whose answers no more is read than is of use."""

import ssl

import httpcore

# Of the answer to one request: the longest head that httpcore takes, 100 KiB, and the start of a body.
_ANSWER_BYTES = 128 * 1024
# At once. Parsing what was read stops the event loop: 64 KiB of informational answers (1xx) are 2,600 of them.
_READ_BYTES = 8 * 1024


class AnswerTooLong(httpcore.RemoteProtocolError):
    """The receiver has sent more than an answer may have before its body."""


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection that fails once too much has come since the last write.

    The parser limits a head, but not how many informational answers come before the real one. A receiver that sent
    nothing else kept the process busy until the attempt's deadline.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._rest = _ANSWER_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Read some bytes. Raises AnswerTooLong."""
        if self._rest <= 0:
            raise AnswerTooLong
        found = await self._inner.read(min(max_bytes, _READ_BYTES), timeout)
        self._rest -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Write all bytes: of a request, whose answer is counted from here on."""
        self._rest = _ANSWER_BYTES
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> "BoundedStream":
        """Complete a handshake; of what is encrypted then, the content is counted."""
        return BoundedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> object:
        """Return what the connection says of itself."""
        return self._inner.get_extra_info(info)
