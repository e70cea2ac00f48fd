"""What this machine allows: the least that could answer like us, without our product in it.

`/plain` answers `ok`. `/sessions` validates a body like ours, signs one token and answers once its row is durable
(a writer thread groups commits, `synchronous=FULL`). `/page` renders our embed template's like with eight variables.
"""

import asyncio
import queue
import secrets
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time  # noqa: TID251 - a composition root of its own

import uvicorn
from itsdangerous import URLSafeSerializer
from jinja2 import DictLoader, Environment
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

GROUP = 256
Write = tuple[tuple[str, str, float], "asyncio.Future[None]", asyncio.AbstractEventLoop]
_FILLER = "<p class='line'>The quick brown fox jumps over the lazy dog, and says nothing of it to anybody.</p>\n" * 60
_TEMPLATE = "<!doctype html><title>{{ a }}</title>" + _FILLER + "{{ b }}{{ c }}{{ d }}{{ e }}{{ f }}{{ g }}{{ h }}"


class Place(BaseModel):
    """A company or a site."""

    model_config = ConfigDict(strict=True, extra="forbid")
    externalId: str = Field(min_length=1, max_length=255)  # noqa: N815 - the JSON's own name
    name: str = Field(min_length=1, max_length=255)


class Body(BaseModel):
    """The same body that our own create is sent."""

    model_config = ConfigDict(strict=True, extra="forbid")
    userId: str = Field(min_length=1, max_length=255)  # noqa: N815 - the JSON's own name
    company: Place
    sites: list[Place] = Field(min_length=1, max_length=100)
    origin: str = Field(max_length=2048)
    returnUrl: str = Field(max_length=2048)  # noqa: N815 - the JSON's own name
    metadata: dict[str, str] = Field(max_length=20)


class Floor:
    """The three answers over one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._serializer = URLSafeSerializer("a-key-of-the-benchmark-0123456789ab", salt="token")
        self._page = Environment(loader=DictLoader({"page": _TEMPLATE}), autoescape=True).get_template("page")

    def app(self) -> Starlette:
        routes = [
            Route("/plain", self.plain),
            Route("/sessions", self.create, methods=["POST"]),
            Route("/page", self.page),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def plain(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def page(self, _request: Request) -> Response:
        return HTMLResponse(self._page.render(dict.fromkeys("abcdefgh", "a word")))

    async def create(self, request: Request) -> Response:
        body = Body.model_validate_json(await request.body())
        name = secrets.token_hex(12)
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._writes.put(((name, body.model_dump_json(), time()), written, loop))
        await written
        return JSONResponse({"id": name, "token": self._serializer.dumps([name, 1]), "userId": body.userId}, 201)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        thread = threading.Thread(target=self._write_forever, daemon=True)
        thread.start()
        yield
        self._writes.put(None)
        await asyncio.to_thread(thread.join)

    def _write_forever(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, body TEXT, at REAL)")
        while (write := self._writes.get()) is not None:
            group = [write]
            while len(group) < GROUP and not self._writes.empty() and (more := self._writes.get()) is not None:
                group.append(more)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", [values for values, _, _ in group])
            connection.execute("COMMIT")
            write[2].call_soon_threadsafe(_tell, [future for _, future, _ in group])
        connection.close()


def _tell(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


if __name__ == "__main__":
    uvicorn.run(Floor(Path(sys.argv[2])).app(), port=int(sys.argv[1]), access_log=False, log_level="warning")
