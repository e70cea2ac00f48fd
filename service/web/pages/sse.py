"""One session's events as server-sent events: raw ASGI, one task per stream, with the event log as the only source.

The first server-sent event is always the page's view. A `Last-Event-ID` that is not an event of this session replays
the session from its start. Reference: html.spec.whatwg.org/multipage/server-sent-events.html.

A stream begins its answer inside of the app, as every other request, and goes on outside: the frames of a dozen
middlewares and routes took a third of the memory of a quiet stream.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from zlib import crc32

from starlette.types import Receive, Scope, Send

from service.domain.event_json import iso
from service.domain.events import Event
from service.domain.model import SessionId
from service.domain.session_status import ACHIEVED
from service.domain.timing import STREAM_COMMENT_SECONDS
from service.errors import MagiclinkError
from service.pubsub import PubSub, Signal
from service.telemetry.logs import request_id, request_scope
from service.web.disconnects import disconnected
from service.web.middleware import CONTINUES
from service.web.pages.answers import StreamErrorJson, StreamMessageJson, ViewJson

STREAMS_MOST = 8  # of one session: its page has one, and perhaps some whose connection broke without notice
_READ_ANYWAY = 4  # of so many keep-alives one reads the view
_COMMENT = b": \n\n"

ReadView = Callable[[], Awaitable[tuple[ViewJson, int | None]]]
EventsAfter = Callable[[int], Awaitable[list[Event]]]
KeepAlive = Callable[[bool], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Where a stream reads from: `view` is what the page may see now with its mark, `events_after` what came later.

    Both raise when the page is no longer bound to the session. `keep_alive` returns the mark of now, None where it is
    unknown. Called with True, it records that the page is present: an open stream counts, since browsers slow the
    timers of hidden pages.
    """

    view: ReadView
    events_after: EventsAfter
    keep_alive: KeepAlive


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where a stream starts: after `position`. `event_id` is the event there, None where the browser named it itself.

    The first frame carries it: a page whose connection breaks before its first event then misses none.
    """

    position: int
    event_id: str | None = None


class EventStream:
    """The ASGI app that begins the response, and leaves the rest of it, the events after its start, to OutsideOfApp."""

    def __init__(self, session_id: SessionId, pubsub: PubSub, source: StreamSource, start: StreamStart) -> None:
        self._session_id = session_id
        self._pubsub = pubsub
        self._source = source
        self._last = start.position
        self._first_id = start.event_id
        self._kept_alive = 0
        self._quiet_seconds = first_quiet_seconds(session_id, pubsub.keep_alive_seconds)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Begin the response."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would hold the events back
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            # The client has the whole answer. A proxy gives this connection to another client next, who must not wait.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        scope[CONTINUES] = partial(self._run, request_id() or "")

    async def _run(self, identifier: str, receive: Receive, send: Send) -> None:
        """Stream until the browser disconnects, another page takes over, or the process stops."""
        leaving = asyncio.create_task(disconnected(receive))
        try:
            with request_scope(identifier):
                await self._follow(send, leaving)
        finally:
            leaving.cancel()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send, leaving: "asyncio.Task[None]") -> None:
        # Subscribe before the first read: a signal for an event written in between must not be missed.
        async with self._pubsub.subscribe(self._session_id) as signal:
            if self._pubsub.count_for(self._session_id) > STREAMS_MOST:
                return  # many were asked for at once: each found room before the others subscribed
            # A page that has gone must not count as present until the next keep-alive.
            leaving.add_done_callback(lambda _: signal.set())
            shown = await self._send_first(send)
            if shown is not None:
                shown = await self._send_events(send, shown)
            while shown is not None and not self._is_over(leaving):
                is_woken = await self._wait(send, signal)
                if not self._is_over(leaving) and (is_woken or await self._is_changed(shown)):
                    # Recording its presence may have taken long, and a stop ends it.
                    shown = shown if self._is_over(leaving) else await self._send_news(send, shown)

    def _is_over(self, leaving: "asyncio.Task[None]") -> bool:
        # Then nothing more is read: a stop would wait for a database that does not answer. The page's next stream goes
        # on where this one ends.
        return leaving.done() or self._pubsub.closing.is_set()

    async def _send_first(self, send: Send) -> "_Shown | None":
        found = await self._view(send)
        if found is None:
            return None
        view, shown = found
        await _write(send, "view", self._first_id, self._data("view", view["seq"], view["at"], view))
        return shown

    async def _wait(self, send: Send, signal: Signal) -> bool:
        """Wait for a signal, and send comments meanwhile; False after `keep_alive_seconds` of them.

        Events between them do not count anew: a busy page records its presence too. A comment reads nothing. The page's
        script polls as long as no bytes arrive: proxies hold streams back, and some ignore X-Accel-Buffering.
        """
        clock = asyncio.get_running_loop().time
        while self._quiet_seconds < self._pubsub.keep_alive_seconds:
            left, began_at = self._pubsub.keep_alive_seconds - self._quiet_seconds, clock()
            if await signal.wait(min(left, STREAM_COMMENT_SECONDS)):
                self._quiet_seconds += clock() - began_at
                return True
            await _send(send, _COMMENT)
            self._quiet_seconds += STREAM_COMMENT_SECONDS
        self._quiet_seconds = 0.0
        return False

    async def _is_changed(self, shown: "_Shown") -> bool:
        """Record that the page is present; return whether it may see anything else than `shown`."""
        # Once the user's part is done, a page that is left open for hours follows on, and causes no write and no poll
        # of the provider.
        mark = await self._source.keep_alive(not shown.is_achieved)
        self._kept_alive += 1
        # Once a minute whatever the mark says: what it does not cover is late, and not lost.
        return mark is None or mark != shown.mark or self._kept_alive % _READ_ANYWAY == 0

    async def _send_news(self, send: Send, shown: "_Shown") -> "_Shown | None":
        last = self._last
        now = await self._send_events(send, shown)
        return await self._send_change(send, shown) if now is not None and self._last == last else now

    async def _send_events(self, send: Send, shown: "_Shown") -> "_Shown | None":
        """Send the events after the last one, until the page has all that its newest view has."""
        while True:
            try:
                events = await self._source.events_after(self._last)
            except MagiclinkError as exc:
                await self._refuse(send, exc)
                return None
            found = await self._view(send) if events else None
            if found is None:
                return None if events else shown
            view, shown = found
            # One view for all: the page draws the newest state, and each event only names what happened on the way.
            for event in events:
                await _write(send, event.type, event.id, self._data(event.type, event.seq, iso(event.at), view))
                self._last = event.seq
            if view["seq"] <= self._last:
                return shown

    async def _send_change(self, send: Send, shown: "_Shown") -> "_Shown | None":
        """Some changes are no events: the link's last moment, a poll that brought nothing, a spent offer."""
        found = await self._view(send)
        if found is None:
            return None
        view, now = found
        if now.drawn != shown.drawn:
            await _write(send, "view", None, self._data("view", view["seq"], view["at"], view))
        else:
            await _send(send, _COMMENT)  # who has an address of an old offer may wake it more often than comments come
        # An event that was written since its events were read: the mark must not hide it.
        return now if view["seq"] <= self._last else replace(now, mark=None)

    async def _view(self, send: Send) -> "tuple[ViewJson, _Shown] | None":
        try:
            view, mark = await self._source.view()
        except MagiclinkError as exc:
            await self._refuse(send, exc)
            return None
        return view, _Shown.of(view, mark)

    async def _refuse(self, send: Send, error: MagiclinkError) -> None:
        """Send the error as the last event: the page may see no more, or the database is unavailable."""
        await _write(send, error.code, None, {"type": error.code, "sessionId": self._session_id})

    def _data(self, kind: str, seq: int, at: str, view: ViewJson) -> StreamMessageJson:
        return {"type": kind, "sessionId": self._session_id, "seq": seq, "at": at, "view": view}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a stream keeps of the view that its page has: a digest of all that it shows, and whether it is over.

    `mark` is that of the snapshot from which the view was made.
    """

    drawn: int
    is_achieved: bool
    mark: int | None

    @classmethod
    def of(cls, view: ViewJson, mark: int | None) -> "_Shown":
        # All parts: a change of the account that a reconnect is for is no event of its session, for example.
        drawn = hash(json.dumps({**view, "seq": 0, "at": ""}))
        return cls(drawn, view["status"] in ACHIEVED, mark)


def first_quiet_seconds(session_id: SessionId, keep_alive_seconds: float) -> float:
    """For how long a stream counts as quiet when it opens.

    It differs by session: after a restart thousands of streams open together, and would be due together from then on.
    """
    most = max(0.0, keep_alive_seconds - STREAM_COMMENT_SECONDS)
    return most * crc32(session_id.encode()) / 2**32


async def _write(send: Send, kind: str, event_id: str | None, data: StreamMessageJson | StreamErrorJson) -> None:
    lines = [f"id: {event_id}"] if event_id else []
    lines += [f"event: {kind}", f"data: {json.dumps(data, separators=(',', ':'))}", "", ""]
    await _send(send, "\n".join(lines).encode())


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
