"""uvicorn's HTTP protocol with limits on the head of a request, on the time that a client takes, and on clients.

uvicorn has a keep-alive time and an answer for a full server, and both are used here. It limits neither the size of a
head nor the time of reading: a client could send endless headers, or stop in the middle of a request and keep it open.
"""

import asyncio
from enum import Enum
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.commands.clients import FORWARDED, Clients, Refused

# Browsers send two kilobytes. The longest query that a route reads has 8 KiB.
MAX_HEAD_BYTES = 32 * 1024
MAX_URL_BYTES = 16 * 1024
MAX_PATH_BYTES = 4 * 1024  # a token has 2 KB at most; decoding 16 KB of percent signs takes 8 ms
MAX_HEADERS = 100
# Every piece costs the same: 256 KiB in chunks of one byte would keep the event loop for a tenth of a second.
_FREE_PIECES = 200
_BYTES_PER_PIECE = 256
_MAX_UNREAD_BYTES = 512 * 1024  # of a body that was answered before it was read
# uvicorn keeps each request that a client sends before the answer to its last one, without a limit.
MAX_WAITING_REQUESTS = 16
_HEALTH = b"/healthz"


class Reading(Enum):
    """The part of a request that is being read from the connection."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class TooMuch(Exception):
    """The head of a request is over a limit; `status` says which."""

    def __init__(self, status: int) -> None:
        self.status = status


class LimitedProtocol(HttpToolsProtocol):
    """One connection; all connections of a server share `clients`."""

    def __init__(self, clients: Clients, **arguments_of_uvicorn: Any) -> None:
        super().__init__(**arguments_of_uvicorn)
        self.host: str | None = None
        self.handle = -1
        self._clients = clients
        self._limits = clients.limits
        self._is_full = False
        self._may_be_proxy = False
        self._reading = Reading.NOTHING
        self._read_until = 0.0
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._status = 400
        self._answering: RequestResponseCycle | None = None  # `cycle` is the newest request, which may wait for this
        self._unparsed_bytes = 0  # of a head that is not complete: httptools keeps a header until its end
        self._trailer_bytes = 0  # since the last bytes of a body: httptools keeps a field after it likewise
        self._begin_counting()

    def _begin_counting(self) -> None:
        self._head_bytes = self._header_count = self._pieces = self._body_bytes = self._unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or refuse it before anything is read from it."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else None
        self.handle = transport.get_extra_info("socket").fileno()
        try:
            self._is_full = not self._clients.admit(self, self.loop.time())
        except Refused as refused:
            self._refuse(refused.status)
            return
        self._may_be_proxy = self._clients.may_be_proxy(self.host)
        self._enter_phase()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._clients.remove(self)
        self._stop_reading_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def close_idle(self) -> None:
        """Close the connection: its handle is needed for another one."""
        # At once: a client that does not read its last answer would keep the handle, which is no longer counted.
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived. Refuse it where there is too much of it, or where it comes in too small pieces."""
        self._pieces += 1
        self._unparsed_bytes += len(data)
        self._trailer_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        kept = {Reading.HEAD: self._unparsed_bytes, Reading.BODY: self._trailer_bytes}
        if kept.get(self._reading, 0) > MAX_HEAD_BYTES:
            self._refuse(431)
        elif self._pieces > _FREE_PIECES + (self._unparsed_bytes + self._body_bytes) // _BYTES_PER_PIECE:
            self._refuse(400)
        else:
            self._enter_phase()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._reading = Reading.HEAD
        self._begin_counting()

    def on_url(self, url: bytes) -> None:
        """Read a part of the address."""
        super().on_url(url)
        self._head_bytes += len(url)
        if self._head_bytes > MAX_URL_BYTES:
            raise TooMuch(self._set_status(414))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header, or a field after a chunked body, which counts only towards the limits."""
        # Reference: RFC 9110, section 6.5.1: a field of a trailer must not be read as a header. A proxy may pass on a
        # trailer that it did not check, and uvicorn would add its X-Forwarded-For or Authorization to the headers.
        if self._reading is Reading.HEAD:
            super().on_header(name, value)
        self._header_count += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES or self._header_count > MAX_HEADERS:
            raise TooMuch(self._set_status(431))

    def _set_status(self, status: int) -> int:
        # httptools wraps what a callback raises, and uvicorn answers all of it by `send_400_response`.
        self._status = status
        return status

    def on_headers_complete(self) -> None:
        """Start the app on the request. A process without free file handles answers /healthz only."""
        self._unparsed_bytes = self._trailer_bytes = 0
        self._stop_reading_timer()
        self._read_until = self.loop.time() + self._limits.body_seconds
        if self._may_be_proxy and any(name in FORWARDED for name, _ in self.headers):
            self._clients.lift_limit(self)
            self._may_be_proxy = False
        if len(self.url.partition(b"?")[0]) > MAX_PATH_BYTES:
            raise TooMuch(self._set_status(414))
        if len(self.pipeline) >= MAX_WAITING_REQUESTS:
            raise TooMuch(self._set_status(429))
        self._reading = Reading.BODY  # only now: until here `cycle` is the request before
        self.limit_concurrency = 0 if self._is_full and self.url != _HEALTH else None  # 0: uvicorn answers 503
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle
        if self.scope["http_version"] == "1.0":
            # Its task has not run yet.
            self.cycle.send = partial(_send_until_close, self.cycle)  # type: ignore[method-assign]

    def on_body(self, body: bytes) -> None:
        """Read a part of the body, which is thrown away once the request is answered."""
        self._pieces += 1
        self._body_bytes += len(body)
        self._trailer_bytes = 0
        earned = len(body) / self._limits.body_bytes_per_second
        self._read_until = min(self._read_until + earned, self.loop.time() + self._limits.body_silence_seconds)
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
        if self._unread_bytes > _MAX_UNREAD_BYTES:
            self._close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; its answer may take longer."""
        super().on_message_complete()
        self._reading, self._unparsed_bytes = Reading.NOTHING, 0

    def on_response_complete(self) -> None:
        """Start the next request, or wait for it."""
        if self._answering is not None:
            self._answering.body.clear()  # what has arrived and was not read stays in memory otherwise
        self._answering = self.pipeline[-1][0] if self.pipeline else self.cycle
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_write_timer()  # closing waits until the client has read the answer
        else:
            self._enter_phase()

    def pause_writing(self) -> None:
        """The client does not read its answer: close the connection if that lasts."""
        super().pause_writing()
        self._start_write_timer()
        self._clients.set_unfinished(self)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        # Also called while a closing transport's buffer drains: its last bytes may still wait for the client.
        if not self.transport.is_closing():
            self._stop_write_timer()
            self._enter_phase()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: no request came within the keep-alive time."""
        self._close()

    def _unsupported_upgrade_warning(self) -> None:
        """Write no line: the request is answered as any other, and has its own line."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what cannot be parsed, or is over a limit."""
        self._refuse(self._status)

    def _enter_phase(self) -> None:
        """Start the timer of what the connection waits for, and say whether it may be closed for another one."""
        if self._reading is Reading.NOTHING and self.timeout_keep_alive_task is not None:
            self._stop_reading_timer()
            self._clients.set_idle(self)
        elif self._reading is Reading.BODY or self._is_answered:
            self._clients.set_unfinished(self)
            if self._read_timer is None:
                if self._reading is not Reading.BODY:
                    self._read_until = self.loop.time() + self._limits.head_seconds
                self._start_reading_timer()
        else:
            self._stop_reading_timer()
            if self.flow.write_paused:  # it waits for its client all the same
                self._clients.set_unfinished(self)
            else:
                self._clients.set_busy(self)

    @property
    def _is_answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def _start_reading_timer(self) -> None:
        self._read_timer = self.loop.call_later(self._read_until - self.loop.time(), self._on_reading_timer)

    def _on_reading_timer(self) -> None:
        self._read_timer = None
        if self.transport.is_closing():
            return
        if self._reading is Reading.BODY and self.flow.read_paused:
            # It is the app that is slow.
            self._read_until = self.loop.time() + self._limits.body_silence_seconds
        if self._read_until > self.loop.time():
            self._start_reading_timer()
        elif self._reading is Reading.NOTHING:
            self._close()
        else:
            self._refuse(408)

    def _stop_reading_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _start_write_timer(self) -> None:
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self.transport.abort)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close(self) -> None:
        self.transport.close()
        self._start_write_timer()

    def _refuse(self, status: int) -> None:
        """Answer with the status alone, and close; only close in the middle of another answer, or after its own."""
        if self._reading is Reading.BODY and self._is_answered:
            self._close()  # a proxy would take a second answer for that of the next request
            return
        if self._is_answered or self._answering is None or not self._answering.response_started:
            head = [*self.server_state.default_headers, (b"content-length", b"0"), (b"connection", b"close")]
            head.append((b"x-content-type-options", b"nosniff"))  # like every other answer, which passed the app
            head += [(b"retry-after", b"2")] if status in {429, 503} else []
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in head)
            self.transport.write(STATUS_LINE[status] + lines + b"\r\n")
        self._close()


async def _send_until_close(cycle: RequestResponseCycle, message: Any) -> None:
    """Send an answer without a length as HTTP/1.0 knows it: not in chunks, until the connection is closed."""
    # Reference: RFC 9112, sections 6.1 and 6.3. Some proxies speak HTTP/1.0 to us, and would pass the chunks on.
    if message["type"] == "http.response.start":
        if not any(name.lower() == b"content-length" for name, _ in message.get("headers", ())):
            cycle.chunked_encoding = False
    elif cycle.chunked_encoding is False and not cycle.expected_content_length:
        cycle.expected_content_length = len(message.get("body", b""))
    await RequestResponseCycle.send(cycle, message)
