"""An open event stream, read frame by frame straight from the application: httpx's transport waits for the end."""

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

from starlette.types import Message

from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import RunningServices
from tests.support.users import FramePage, TopPage

ENDED = b""


@dataclass(frozen=True)
class StreamFrame:
    """One frame; a keep-alive is a frame of type None."""

    type: str | None
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


class EventStream:
    """A browser that listens to a session's stream; leaving the block is closing the page."""

    def __init__(self, services: RunningServices, page: FramePage | TopPage, last_event_id: str | None = None) -> None:
        key = page.key if isinstance(page, FramePage) else None
        cookies = "; ".join(f"{name}={value}" for name, value in page.http.cookies.items())
        reported = {"accept": "text/event-stream", "x-page-key": key, "last-event-id": last_event_id, "cookie": cookies}
        self._headers = [(name.encode(), value.encode("latin-1")) for name, value in reported.items() if value]
        self._services = services
        self._path = page.live
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "https",
            "headers": self._headers,
            "client": ("203.0.113.7", 50000),
            "server": ("link.example.com", 443),
        }
        app = self._services.transport.app
        assert app is not None
        self._task = asyncio.create_task(app(scope, self._receive, self._send))
        self.first = await self.next()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def disconnect(self) -> None:
        """Close the page, and wait until the service has ended the stream."""
        self._gone.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._task

    def waiting_in(self) -> list[str]:
        """The coroutines of the service in which the request waits, the outermost first."""
        found, coroutine = list[str](), cast("Any", self._task.get_coro())
        while (inner := getattr(coroutine, "cr_await", None)) is not None:
            found.append(coroutine.__qualname__)
            coroutine = inner
        return found

    async def next(self) -> StreamFrame:
        """The next frame that is no comment, which may come at any time; type "ended" when there is none any more."""
        while (frame := await self.next_or_comment()).type is None:
            pass
        return frame

    async def next_or_comment(self) -> StreamFrame:
        """The next frame; type None for a comment."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            chunk = await self._chunks.get()
        if chunk == ENDED:
            return StreamFrame("ended")
        if chunk.startswith(b":"):
            return StreamFrame(None)
        lines = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line)
        return StreamFrame(lines["event"], lines.get("id"), json.loads(lines["data"]))

    async def until(self, kind: str) -> list[StreamFrame]:
        """Every frame up to one of this type, that one included."""
        found = [await self.next()]
        while found[-1].type not in {kind, "ended"}:
            found.append(await self.next())
        assert found[-1].type == kind, found
        return found

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body"):
            self._chunks.put_nowait(ENDED)
