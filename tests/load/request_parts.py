"""`make bench-parts`: what each part of a request costs, in microseconds of the processor.

A whole request is the app called in this process, without a server; a part is what the request calls, called alone, and
the rest of it are routes, headers, error handling and tasks that wait. The floor is the app of `make bench`'s floor,
called in the same way on a copy of the database. Each figure is the smallest of many rounds, so that other programs on
the machine change it little. What PostgreSQL's own processes compute is in none of the figures.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import Environment, Services, create_app
from service.domain.model import DEFAULT_TENANT, Session
from service.domain.requests import CreateOptions, SessionRequest
from service.settings import Settings
from service.signing import Signer
from service.telemetry.metrics import Metrics
from service.web.api.bodies import CreateSession
from service.web.api.json import session_json
from service.web.middleware import RequestObserver
from service.web.page_templates import page_templates
from service.web.pages.responses import PageResponses
from service.web.request_body import parse
from tests.load.bench_targets import POSTGRESQL, SQLITE
from tests.load.floor import Floor
from tests.load.floor_postgres import PostgresFloorRows
from tests.load.floor_sqlite import SqliteFloorRows
from tests.load.measured import put_into
from tests.load.servers import AS_JSON, BODY, KEY, ORIGIN
from tests.support.postgres import migrate_database, running_postgres

URL = "https://link.example.com"
_AT_ONCE = 32
_SESSIONS = 25
Call = Callable[[], Awaitable[object]]
# By request, the microseconds of each of its parts.
Table = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Asked:
    """One request, as a server passes it to an app."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def scope(self) -> Scope:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "https",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("203.0.113.7", 50000),
            "server": ("link.example.com", 443),
        }

    async def of(self, app: ASGIApp) -> bytes:
        """The body of the answer, which must be a success."""
        answered: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Message) -> None:
            answered.append(message)

        await app(self.scope(), receive, send)
        assert answered[0]["status"] < 300, answered
        return b"".join(message.get("body", b"") for message in answered[1:])


@dataclass(frozen=True)
class Measure:
    """How often each call is made in a round, and how many rounds there are."""

    rounds: int
    calls: int

    async def of(self, call: Call, at_once: int = 1) -> float:
        """The processor's microseconds for one call, of all threads of this process."""
        found = []
        for _ in range(self.rounds):
            began = process_time()
            for _ in range(self.calls // at_once):
                await (call() if at_once == 1 else asyncio.gather(*[call() for _ in range(at_once)]))
            found.append((process_time() - began) / (self.calls // at_once * at_once) * 1e6)
        return min(found)


async def _empty_app(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class RequestParts:
    """The three requests that miss the share of their floors that they should reach."""

    def __init__(self, app: Starlette, floor: Starlette, settings: Settings, made: dict[str, Any]) -> None:
        self._app = app
        self._floor = floor
        self._settings = settings
        self._services: Services = app.state.services
        self._signer = Signer(settings.secret_keys)
        self._token = made["embedUrl"].rpartition("/")[2]
        self._create = Asked("POST", "/v1/sessions", AS_JSON, json.dumps(BODY).encode())
        self._embed = Asked("GET", f"/embed/{self._token}", {"Sec-Fetch-Dest": "iframe"})
        self._read = Asked("GET", f"/v1/sessions/{made['id']}", AS_JSON)
        self._id = made["id"]

    async def table(self, measure: Measure) -> Table:
        """By request, the microseconds of its parts; the whole one is the first, its floor the last."""
        observed = RequestObserver(_empty_app, Metrics())
        empty = await measure.of(lambda: self._read.of(_empty_app))
        log = await measure.of(lambda: self._read.of(observed)) - empty
        found = {}
        for name, asked, floor_path, parts in (
            ("GET /embed/{token}", self._embed, "/page", await self._embed_parts()),
            ("GET /v1/sessions/{id}", self._read, "/session", self._read_parts()),
            ("POST /v1/sessions", self._create, "/sessions", await self._create_parts()),
        ):
            # Writes that come at once share a commit, in the service and in its floor.
            at_once = _AT_ONCE if asked is self._create else 1
            bare = Asked(asked.method, floor_path, asked.headers, asked.body)
            whole = await measure.of(partial(asked.of, self._app), at_once) - empty
            costs = {part: await measure.of(call, at_once) for part, call in parts.items()}
            costs["log line, metrics, request id"] = log
            found[name] = {
                "whole": whole,
                **costs,
                "the rest": whole - sum(costs.values()),
                "its floor": await measure.of(partial(bare.of, self._floor), at_once) - empty,
            }
        return found

    async def _embed_parts(self) -> dict[str, Call]:
        session = await self._services.store.sessions.get(self._id)
        pages = self._services.pages
        responses = PageResponses(page_templates(), self._settings, pages.callback_state, pages.sign_result)
        request = Request({**self._embed.scope(), "path_params": {"token": self._token}})

        async def token() -> None:
            self._signer.read_embed_token(self._token)

        async def page() -> None:
            responses.embed(request, session, 200)

        return {
            "token": token,
            "session's row and sites, as a session": lambda: self._services.store.sessions.get(self._id),
            "page and its policies": page,
        }

    def _read_parts(self) -> dict[str, Call]:
        async def key() -> None:
            await self._services.keys.caller_of(AS_JSON["Authorization"])

        async def read() -> None:
            session_json(*await self._services.sessions.get(DEFAULT_TENANT, self._id))

        return {"API key": key, "the rows, as the answer's fields": read}

    async def _create_parts(self) -> dict[str, Call]:
        async def wanted() -> SessionRequest:
            body: CreateSession = parse(CreateSession, json.loads(self._create.body))
            return body.to_request(self._settings.link, self._settings.allowed_origins)

        async def urls() -> None:
            self._services.sessions.urls_of(self._id, [1, 1.0, self._signer.newest_key_id, True])

        async def written() -> Session | Mapping[str, Any]:
            return await self._services.sessions.create(DEFAULT_TENANT, request, CreateOptions())

        request = await wanted()
        return {"body and its checks": wanted, "decision, and its transaction": written, "signed URLs": urls}


async def _measured(database: str, url: str, copy: Callable[[], str], measure: Measure) -> Table:
    settings = Settings(
        secret_keys=("a-key-of-the-benchmark-0123456789ab",),
        public_url=URL,
        database_url=url,
        provider_url="http://127.0.0.1:9/v2.2",
        provider_api_key="nobody-listens",
        allowed_origins=(ORIGIN,),
        api_key=KEY,
    )
    create = Asked("POST", "/v1/sessions", AS_JSON, json.dumps(BODY).encode())
    async with _running(create_app(settings, Environment(background=False))) as app:
        made = [json.loads(await create.of(app)) for _ in range(_SESSIONS)]
    copied = copy()
    rows = PostgresFloorRows(copied, 10**9) if database == POSTGRESQL else SqliteFloorRows(Path(copied), 10**9)
    async with (
        _running(create_app(settings, Environment(background=False))) as app,
        _running(Floor(rows).app()) as floor,
    ):
        return await RequestParts(app, floor, settings, made[0]).table(measure)


@asynccontextmanager
async def _running(app: Starlette) -> AsyncIterator[Starlette]:
    async with app.router.lifespan_context(app):
        yield app


def run(database: str, measure: Measure) -> Table:
    """Measure on a database of one's own."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if database == SQLITE:
            url, copied = f"sqlite:///{folder}/parts.db", f"{folder}/floor.db"
            asyncio.run(migrate_database(url))
            return uvloop.run(_measured(database, url, lambda: shutil.copy(f"{folder}/parts.db", copied), measure))
        server = stack.enter_context(running_postgres("-c fsync=on"))
        url = stack.enter_context(server.migrated_database())
        return uvloop.run(_measured(database, url, lambda: stack.enter_context(server.copied_database(url)), measure))


def _markdown(database: str, table: Table) -> str:
    lines = []
    for request, costs in table.items():
        floor = costs["its floor"]
        lines += ["", f"| `{request}` on {database} | µs | of its floor |", "| --- | --: | --: |"]
        lines += [f"| {name} | {cost:.0f} | {cost / floor:.2f} |" for name, cost in costs.items()]
    return "\n".join(lines[1:])


def main() -> None:
    """Read the options, measure, and write the tables."""
    options = argparse.ArgumentParser(prog="make bench-parts", description=__doc__)
    options.add_argument("--database", choices=[SQLITE, POSTGRESQL], default=SQLITE)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--calls", type=int, default=320, help="in a round (default 320)")
    options.add_argument("--markdown", type=Path, help="put the tables into this page too")
    given = options.parse_args()
    tables = _markdown(given.database, run(given.database, Measure(given.rounds, given.calls)))
    sys.stdout.write(f"{tables}\n")
    if given.markdown:
        put_into(given.markdown, f"make bench-parts, {given.database}", tables)


if __name__ == "__main__":
    main()
