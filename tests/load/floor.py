"""What this machine allows: the least that could answer like us, without our product in it.

`/plain` answers `ok`. `POST /sessions` validates a body like ours, signs one token and answers once the rows that a
session has are durable; `POST /row` writes a row of its own instead. `/session` answers a JSON of what
`GET /v1/sessions/{id}` reads; `/page` reads the session's row and renders a page like ours with eight variables;
`/list` reads the newest 25 sessions and answers a JSON of as many fields as ours has. The database is a copy of the
service's.
"""

import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from itsdangerous import URLSafeSerializer
from jinja2 import DictLoader, Environment
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.load.floor_postgres import PostgresFloorRows
from tests.load.floor_sqlite import SqliteFloorRows

LISTED = (
    *("id", "status", "user_id", "mode", "external_id", "name", "link_kind", "link_status", "origin", "return_url"),
    *("webhook_url", "max_connections", "created_at", "expires_at", "metadata"),
)
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


Rows = Sequence[Mapping[str, Any]]


class FloorRows(Protocol):
    """The rows that the floor reads and writes, by one of the raw drivers."""

    async def open(self) -> None:
        """Connect, and find the session that is read."""

    async def close(self) -> None:
        """Finish what was written, and disconnect."""

    async def row(self) -> Mapping[str, Any]:
        """The session's row with its user and company: one statement."""

    async def session(self) -> tuple[Mapping[str, Any], Rows, Rows]:
        """The session's row, its sites and its connections."""

    async def newest(self) -> tuple[Rows, Rows, Rows]:
        """The newest 25 sessions, their sites and their connections."""

    async def insert_session(self, name: str) -> None:
        """Insert the rows that a session has; return once they are durable."""

    async def insert_row(self, name: str, body: str) -> None:
        """Insert one row of the floor's own table; return once it is durable."""


@dataclass(frozen=True)
class Floor:
    """The answers over the rows of one database."""

    rows: FloorRows
    serializer = URLSafeSerializer("a-key-of-the-benchmark-0123456789ab", salt="token")
    template = Environment(loader=DictLoader({"page": _TEMPLATE}), autoescape=True).get_template("page")

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
        row, sites, connections = await self.rows.session()
        return JSONResponse({"session": row["id"], "user": row["user_id"], "sites": sites, "connections": connections})

    async def page(self, _request: Request) -> Response:
        row = await self.rows.row()
        return HTMLResponse(self.template.render(dict.fromkeys("abcdefgh", row["id"])))

    async def list_sessions(self, _request: Request) -> Response:
        rows, sites, attached = await self.rows.newest()
        by_ref = {row["ref"]: {"id": row["external_id"], "name": row["name"]} for row in sites}
        data = [
            {name: row[name] for name in LISTED} | {"sites": [by_ref[ref] for ref in json.loads(row["site_refs"])]}
            for row in rows
        ]
        return JSONResponse({"data": data, "connections": attached, "next": None})

    async def create(self, request: Request) -> Response:
        body = Body.model_validate_json(await request.body())
        name = secrets.token_hex(12)
        if request.url.path == "/sessions":
            await self.rows.insert_session(name)
        else:
            await self.rows.insert_row(name, body.model_dump_json())
        return JSONResponse({"id": name, "token": self.serializer.dumps([name, 1]), "userId": body.userId}, 201)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await self.rows.open()
        yield
        await self.rows.close()


def main(port: int, database: str) -> None:
    """Serve the floor over a `postgresql:` address or an SQLite file."""
    is_postgres = database.startswith("postgresql:")
    # Positions that no other process on the same database uses.
    first_seq = port * 100_000_000
    rows = PostgresFloorRows(database, first_seq) if is_postgres else SqliteFloorRows(Path(database), first_seq)
    uvicorn.run(Floor(rows).app(), port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
