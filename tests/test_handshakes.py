"""A connection is closed when its handshake fails, also by a cancellation; the adapters' tests do it with sockets."""

import anyio
import anyio.lowlevel

from service.http_connections import closing_failed_handshakes


class Stream:
    """A connection that takes a moment to close, and may fail to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.is_closed = False
        self._error = error

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.is_closed = True
        if self._error is not None:
            raise self._error


async def test_a_failed_handshake_closes_its_connection_within_a_cancelled_scope() -> None:
    stream, trace = Stream(), closing_failed_handshakes()
    await trace("connection.connect_tcp.complete", {"return_value": stream})
    with anyio.CancelScope() as scope:
        scope.cancel()
        await trace("connection.start_tls.failed", {"exception": TimeoutError()})
    assert stream.is_closed


async def test_a_connection_that_cannot_be_closed_does_not_hide_why_its_handshake_failed() -> None:
    stream, trace = Stream(OSError()), closing_failed_handshakes()
    await trace("connection.connect_tcp.complete", {"return_value": stream})
    await trace("connection.start_tls.failed", {"exception": TimeoutError()})
    assert stream.is_closed


async def test_a_handshake_that_succeeds_and_a_connection_that_was_never_opened_close_nothing() -> None:
    stream, trace = Stream(), closing_failed_handshakes()
    await trace("connection.start_tls.failed", {"exception": TimeoutError()})
    await trace("connection.connect_tcp.complete", {"return_value": stream})
    await trace("connection.start_tls.complete", {"return_value": Stream()})
    assert not stream.is_closed
