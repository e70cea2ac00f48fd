"""What `make bench` measures on one kind of database: the servers, and a row for each request with its floor."""

import json
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from svix.webhooks import Webhook

from tests.load.pressure import Shot
from tests.load.servers import AS_JSON, BODY, WEBHOOK_SECRET, Server, ServerGroup, open_ours
from tests.support.ports import free_port
from tests.support.postgres import Postgres

WEBHOOK = '{"eventType": "connection.updated.v2", "id": "7d4a3f0e-5b7c-4f0e-9d51-2f6a1c3b9e10"}'
# Each is sent once in a round: one that came before is known, and costs less.
WEBHOOKS_A_ROUND = 10_000
PAGE_SESSIONS = 25
SQLITE, POSTGRESQL = "sqlite", "postgresql"

ROWS = "floor: validate, sign, the same rows in one commit"
ROW = "floor: validate, sign, one row in a commit"
PAGE = "floor: a page with 8 variables, one read"
READ = "floor: the same reads and a JSON of them"
LIST = "floor: the list's queries and a JSON of them"


@dataclass(frozen=True)
class Goal:
    """What we hold ourselves to: a share of a floor, answers per second, a 99th percentile with few connections."""

    share: float
    of: str
    per_second: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Target:
    """One row of the table; a floor has no goal."""

    name: str
    group: ServerGroup
    shot: Shot
    goal: Goal | None = None


@dataclass(frozen=True)
class Setup:
    """A kind of database, and how many processes of the service (and of the floor) share it."""

    database: str
    processes: int = 1

    def __str__(self) -> str:
        if self.database == SQLITE:
            return "SQLite"
        return "PostgreSQL" if self.processes == 1 else f"PostgreSQL, {self.processes} processes"


@dataclass(frozen=True)
class BenchServers:
    """The floor, the service, and the service again for what is only read: `made` is the session that is read there."""

    setup: Setup
    floor: ServerGroup
    ours: ServerGroup
    reads: ServerGroup
    made: dict[str, Any]

    @property
    def groups(self) -> tuple[ServerGroup, ...]:
        return self.floor, self.ours, self.reads

    def targets(self) -> list[Target]:
        """The rows, each floor before what is measured against it."""
        create = Shot(path="/v1/sessions", method="POST", headers=AS_JSON, body=json.dumps(BODY))
        path = httpx.URL(self.made["embedUrl"]).path
        embed = Shot(path=path, headers={"Sec-Fetch-Dest": "iframe"})
        read = Shot(path=f"/v1/sessions/{self.made['id']}", headers=AS_JSON)
        webhook = Shot(path="/webhooks/nectar", method="POST", body=WEBHOOK, each=signed_webhooks())
        is_sqlite = self.setup.database == SQLITE

        def bare(name: str, path: str, shot: Shot) -> Target:
            return Target(name, self.floor, replace(shot, path=path))

        return [
            bare("floor: plain text", "/plain", Shot(path="/plain")),
            bare(ROW, "/row", create),
            bare(ROWS, "/sessions", create),
            Target("POST /v1/sessions", self.ours, create, Goal(0.6, ROWS, 2000 if is_sqlite else 1200, 30)),
            Target("POST /webhooks/nectar", self.ours, webhook, Goal(0.6, ROW, None, 25)),
            bare(PAGE, "/page", embed),
            Target("GET /embed/{token}", self.reads, embed, Goal(0.6, PAGE, None, 10)),
            bare(READ, "/session", read),
            Target("GET /v1/sessions/{id}", self.reads, read, Goal(0.6, READ, 4000 if is_sqlite else None)),
            bare(LIST, "/list", read),
            Target("GET /v1/sessions, 25 of them", self.reads, replace(read, path="/v1/sessions"), Goal(0.6, LIST)),
        ]


def signed_webhooks() -> list[dict[str, str]]:
    """New messages of the provider, signed now."""
    at = datetime.now(UTC)  # noqa: TID251 - a real process reads it
    signer, stamp = Webhook(WEBHOOK_SECRET), str(int(at.timestamp()))
    names = (f"msg_{secrets.token_hex(12)}" for _ in range(WEBHOOKS_A_ROUND))
    return [
        {"svix-id": name, "svix-timestamp": stamp, "svix-signature": signer.sign(name, at, WEBHOOK)} for name in names
    ]


@contextmanager
def open_servers(setup: Setup, folder: Path, postgres: Postgres | None) -> Iterator[BenchServers]:
    """Start them, each group on a database of its own, and let them sleep."""
    with ExitStack() as stack:
        fresh, copied = _databases(folder, postgres, stack)
        ours_url, reads_url = fresh(), fresh()
        made = _seed(folder, reads_url)
        floor_url = copied(reads_url)

        def group(start: Callable[[], Server]) -> ServerGroup:
            servers = []
            for _ in range(setup.processes):
                servers.append(start())
                stack.callback(servers[-1].close)
            sleeping = ServerGroup(str(setup), servers)
            sleeping.sleep()
            return sleeping

        floor = group(lambda: _open_floor(floor_url))
        ours = group(lambda: open_ours(folder, {"MAGICLINK_DATABASE_URL": ours_url}))
        reads = group(lambda: open_ours(folder, {"MAGICLINK_DATABASE_URL": reads_url}))
        yield BenchServers(setup, floor, ours, reads, made)


def _open_floor(database: str) -> Server:
    port = free_port()
    return Server([sys.executable, "-m", "tests.load.floor", str(port), database], {}, port, "/plain")


def _seed(folder: Path, url: str) -> dict[str, Any]:
    """As many sessions as one page of the list has; returns the API's answer about the last."""
    server = open_ours(folder, {"MAGICLINK_DATABASE_URL": url})
    for _ in range(PAGE_SESSIONS):
        answer = httpx.post(f"{server.url}/v1/sessions", json=BODY, headers=AS_JSON, trust_env=False)
        made: dict[str, Any] = answer.raise_for_status().json()
    server.close()
    return made


def _databases(
    folder: Path, postgres: Postgres | None, stack: ExitStack
) -> tuple[Callable[[], str], Callable[[str], str]]:
    """How to make an empty database, and a copy of one that no process has open."""
    if postgres is not None:
        found = postgres
        return (
            lambda: stack.enter_context(found.migrated_database()),
            lambda url: stack.enter_context(found.copied_database(url)),
        )

    def copied(url: str) -> str:
        path = folder / "floor.db"
        shutil.copy(url.removeprefix("sqlite:///"), path)
        return str(path)

    return lambda: f"sqlite:///{folder / f'{secrets.token_hex(8)}.db'}", copied
