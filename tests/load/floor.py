"""What this machine allows: the least that could answer like us, without our product in it.

`/plain` answers `ok`. `POST /sessions` validates a body like ours, signs one token and answers once the rows that a
session has are durable: a writer thread groups commits, `synchronous=FULL`, one statement a table. `POST /row` writes a
row of its own instead. `/session` reads what `GET /v1/sessions/{id}` reads and answers a JSON of it; `/page` reads the
session's row and renders a page like ours with eight variables; `/list` reads the newest 25 sessions and answers a JSON
of as many fields as ours has. The file is a copy of the service's.
"""

import asyncio
import json
import queue
import secrets
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from time import time  # noqa: TID251 - a composition root of its own
from typing import Any

import uvicorn
from itsdangerous import URLSafeSerializer
from jinja2 import DictLoader, Environment
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

GROUP = 256
# The tables whose rows one new session is, and the columns that must differ between two.
TABLES = {"sessions": ("id",), "events": ("id", "seq"), "work": ("ref",)}
# What a write gives its rows: a name, a body, and whether they are those of a session.
Write = tuple[tuple[str, str, bool], "asyncio.Future[None]", asyncio.AbstractEventLoop]
SESSION = (
    "SELECT s.*, u.user_id, c.* FROM sessions s JOIN companies c ON c.ref = s.company_ref "
    "JOIN users u ON u.ref = s.user_ref WHERE s.id = ?"
)
LIST = (
    "SELECT s.*, u.user_id, c.* FROM sessions s JOIN companies c ON c.ref = s.company_ref JOIN users u "
    "ON u.ref = s.user_ref WHERE s.tenant = 'default' ORDER BY s.created_at DESC, s.id DESC LIMIT 25"
)
LISTED = (
    *("id", "status", "user_id", "mode", "external_id", "name", "link_kind", "link_status", "origin", "return_url"),
    *("webhook_url", "max_connections", "created_at", "expires_at", "metadata"),
)
CONNECTIONS = (
    "SELECT n.* FROM session_connections j CROSS JOIN connections n WHERE j.session_id = ? "
    "AND n.account = 'default' AND n.id = j.connection_id"
)
CONNECTIONS_OF = CONNECTIONS.replace("= ?", "IN (SELECT value FROM json_each(?))", 1)
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
    """The answers over one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._serializer = URLSafeSerializer("a-key-of-the-benchmark-0123456789ab", salt="token")
        self._page = Environment(loader=DictLoader({"page": _TEMPLATE}), autoescape=True).get_template("page")
        self._reader = sqlite3.connect(path, isolation_level=None)
        self._reader.row_factory = _as_dict
        (self._session,) = self._reader.execute("SELECT id FROM sessions LIMIT 1").fetchone().values()

    def app(self) -> Starlette:
        routes = [
            Route("/plain", self.plain),
            Route("/sessions", self.create, methods=["POST"]),
            Route("/row", self.create, methods=["POST"]),
            Route("/session", self.session),
            Route("/page", self.page),
            Route("/list", self.list_sessions),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def plain(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def session(self, _request: Request) -> Response:
        (row,) = self._reader.execute(SESSION, (self._session,)).fetchall()
        refs = json.loads(row["site_refs"])
        sites = self._reader.execute("SELECT * FROM sites WHERE ref IN (?)", refs).fetchall()
        connections = self._reader.execute(CONNECTIONS, (self._session,)).fetchall()
        return JSONResponse({"session": row["id"], "user": row["user_id"], "sites": sites, "connections": connections})

    async def page(self, _request: Request) -> Response:
        (row,) = self._reader.execute(SESSION, (self._session,)).fetchall()
        return HTMLResponse(self._page.render(dict.fromkeys("abcdefgh", row["id"])))

    async def list_sessions(self, _request: Request) -> Response:
        rows = self._reader.execute(LIST).fetchall()
        refs = json.dumps(sorted({ref for row in rows for ref in json.loads(row["site_refs"])}))
        sites = self._reader.execute("SELECT * FROM sites WHERE ref IN (SELECT value FROM json_each(?))", (refs,))
        by_ref = {row["ref"]: {"id": row["external_id"], "name": row["name"]} for row in sites.fetchall()}
        ids = json.dumps([row["id"] for row in rows])
        attached = self._reader.execute(CONNECTIONS_OF, (ids,)).fetchall()
        data = [
            {name: row[name] for name in LISTED} | {"sites": [by_ref[ref] for ref in json.loads(row["site_refs"])]}
            for row in rows
        ]
        return JSONResponse({"data": data, "connections": attached, "next": None})

    async def create(self, request: Request) -> Response:
        body = Body.model_validate_json(await request.body())
        name = secrets.token_hex(12)
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        rows = name, body.model_dump_json(), request.url.path == "/sessions"
        self._writes.put((rows, written, loop))
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
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id TEXT PRIMARY KEY, body TEXT, at REAL)")
        copied = [_Copied.of(connection, table) for table in TABLES]
        while (write := self._writes.get()) is not None:
            group = [write]
            while len(group) < GROUP and not self._writes.empty() and (more := self._writes.get()) is not None:
                group.append(more)
            connection.execute("BEGIN IMMEDIATE")
            single = [(name, body, time()) for (name, body, whole), _, _ in group if not whole]
            connection.executemany("INSERT INTO floor VALUES (?, ?, ?)", single)
            names = [name for (name, _, whole), _, _ in group if whole]
            for each in copied:
                each.insert(connection, names)
            connection.execute("COMMIT")
            write[2].call_soon_threadsafe(_tell, [future for _, future, _ in group])
        connection.close()


class _Copied:
    """Inserts copies of the rows that the one session has in a table."""

    def __init__(self, sql: str, rows: list[dict[str, Any]], different: tuple[str, ...]) -> None:
        self._sql, self._rows, self._different = sql, rows, different
        self._next = count(1_000_000)

    @classmethod
    def of(cls, connection: sqlite3.Connection, table: str) -> "_Copied":
        cursor = connection.cursor()
        cursor.row_factory = _as_dict
        rows = cursor.execute(f"SELECT * FROM {table} LIMIT 2").fetchall()  # noqa: S608 - our own words
        columns = list(rows[0])
        marks = ", ".join(f":{name}" for name in columns)
        return cls(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows, TABLES[table])  # noqa: S608

    def insert(self, connection: sqlite3.Connection, names: list[str]) -> None:
        new = [
            row | {column: f"{name}{at}" if column != "seq" else next(self._next) for column in self._different}
            for name in names
            for at, row in enumerate(self._rows)
        ]
        connection.executemany(self._sql, new)


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip([column[0] for column in cursor.description], row, strict=True))


def _tell(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


if __name__ == "__main__":
    uvicorn.run(Floor(Path(sys.argv[2])).app(), port=int(sys.argv[1]), access_log=False, log_level="warning")
