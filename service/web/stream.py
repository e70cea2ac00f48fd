"""One session's events as server-sent events: raw ASGI, one small task per stream, the log as the only source.

Reference: html.spec.whatwg.org/multipage/server-sent-events.html. A foreign, future or malformed `Last-Event-ID`
replays the session from its start; the first frame is always the page's whole view.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from service.errors import MagiclinkError
from service.live import Live, heard
from service.model import Event, SessionId
from service.web.render import iso

View = Callable[[], Awaitable[dict[str, Any]]]
Since = Callable[[int], Awaitable[list[Event]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What a stream tells: `view` is what the page may see now, `since` the news after a position.

    `present` notes that the page is there: browsers slow the timers of hidden pages, so its heartbeat may be late. All
    raise when the page is the session's no more.
    """

    view: View
    since: Since
    present: Callable[[], Awaitable[None]]


class Stream:
    """An ASGI response; `last` is the position after which the news begins."""

    def __init__(self, session_id: SessionId, live: Live, told: Told, last: int) -> None:
        self._session_id = session_id
        self._live = live
        self._page = told
        self._last = last

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the browser leaves, the page is another's, or the process stops."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            await self._follow(send, gone)
        finally:
            gone.cancel()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send, gone: "asyncio.Task[None]") -> None:
        async with self._live.listen(self._session_id) as bell:
            view = await self._look(send)
            if view is not None:
                await _write(send, "view", None, self._told("view", view["seq"], view["at"], view))
            while view is not None and not gone.done() and not self._live.closing.is_set():
                view = await self._tell_news(send, view)
                if view is not None and not await heard(bell, self._live.keep_alive_seconds):
                    await _send(send, b": \n\n")
                    view = await self._still_there(send)

    async def _tell_news(self, send: Send, view: dict[str, Any]) -> dict[str, Any] | None:
        try:
            events = await self._page.since(self._last)
        except MagiclinkError as exc:
            await self._refuse(send, exc)
            return None
        if not events:
            return view
        now = await self._look(send)
        if now is None:
            return None
        for event in events:
            await _write(send, event.type, event.id, self._told(event.type, event.seq, iso(event.at), now))
            self._last = event.seq
        return now

    async def _still_there(self, send: Send) -> dict[str, Any] | None:
        with suppress(MagiclinkError):  # what ended the page, the look tells
            await self._page.present()
        return await self._look(send)

    async def _look(self, send: Send) -> dict[str, Any] | None:
        try:
            return await self._page.view()
        except MagiclinkError as exc:
            await self._refuse(send, exc)
            return None

    async def _refuse(self, send: Send, why: MagiclinkError) -> None:
        """The last word of a stream whose page may see no more, or whose database is away."""
        await _write(send, why.code, None, {"type": why.code, "sessionId": self._session_id})

    def _told(self, kind: str, seq: int, at: str, view: dict[str, Any]) -> dict[str, Any]:
        return {"type": kind, "sessionId": self._session_id, "seq": seq, "at": at, "view": view}


async def _write(send: Send, kind: str, event_id: str | None, data: dict[str, Any]) -> None:
    lines = [f"id: {event_id}"] if event_id else []
    lines += [f"event: {kind}", f"data: {json.dumps(data, separators=(',', ':'))}", "", ""]
    await _send(send, "\n".join(lines).encode())


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return
