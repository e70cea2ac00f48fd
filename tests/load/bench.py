"""`make bench`: what this machine allows and what we reach, measured in turns in one run, on this machine alone.

Compare ratios, never figures of different runs. While one server is asked the others are stopped, so that none works
behind another's back. The provider is an address where nothing listens: the links behind our creates wait in their
retries, so that the create is measured, and not a second process that imitates the provider on the same cores. What is
only read is read from a second process with one page of sessions, whose few retries keep it less busy.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import httpx
from svix.webhooks import Webhook

from tests.load.pressure import HOW_TO_GET_IT, WRK, Measured, Shot, press

ROOT = Path(__file__).parents[2]
KEY = "bench-key-0123456789"
ORIGIN = "https://app.example.com"
BODY = {
    "userId": "user-42",
    "company": {"externalId": "acme", "name": "Acme Ltd"},
    "sites": [{"externalId": "hq", "name": "Headquarters"}],
    "origin": ORIGIN,
    "returnUrl": f"{ORIGIN}/utilities/done",
    "metadata": {"plan": "pro"},
}
WEBHOOK_SECRET = "whsec_YmVuY2htYXJrLWtleS0wMTIzNDU2Nzg5YWJjZGVm"
WEBHOOK = '{"eventType": "connection.updated.v2", "id": "7d4a3f0e-5b7c-4f0e-9d51-2f6a1c3b9e10"}'
# Each is sent once in a round: one that came before is known, and costs less.
WEBHOOKS_A_ROUND = 10_000
AS_JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
FEW, MANY = 8, 32
LATENCY_ROUNDS = 3
Say = Callable[[str], object]


@dataclass(frozen=True)
class Goal:
    """What we hold ourselves to: a share of a floor, answers per second, a 99th percentile with few connections."""

    share: float | None = None
    of: str | None = None
    per_second: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Target:
    """One row of the table."""

    name: str
    server: "Server"
    shot: Shot
    goal: Goal = Goal()


class Server:
    """A process of its own on a free port; stopped whenever another is measured."""

    def __init__(self, command: list[str], environ: Mapping[str, str], port: int, ready: str) -> None:
        began = perf_counter()
        self.port = port
        self._process = subprocess.Popen(command, cwd=ROOT, env=os.environ | dict(environ), stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        while not _answers(self.url + ready):
            assert self._process.poll() is None, f"{command} has ended"
            sleep(0.01)
        self.started_seconds = perf_counter() - began

    def sleep(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.sleep()

    @property
    def megabytes(self) -> float:
        """Resident now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576

    @property
    def cpu_seconds(self) -> float:
        """What it has used since its start, of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def open_floor(folder: Path, database: Path) -> Server:
    """`database` is the service's, with sessions in it; the floor works on a copy."""
    port = _free_port()
    copy = folder / "floor.db"
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    return Server([sys.executable, "-m", "tests.load.floor", str(port), str(copy)], {}, port, "/plain")


def open_ours(folder: Path, settings: Mapping[str, str] | None = None) -> Server:
    """As it is deployed, logging included (to nowhere)."""
    port = _free_port()
    environ = {
        "MAGICLINK_SECRET_KEYS": "k" * 32,
        "MAGICLINK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAGICLINK_DATABASE_URL": f"sqlite:///{folder / f'{port}.db'}",
        "MAGICLINK_PROVIDER_URL": "http://127.0.0.1:9/v2.2",
        "MAGICLINK_PROVIDER_API_KEY": "nobody-listens",
        "MAGICLINK_ALLOWED_ORIGINS": ORIGIN,
        "MAGICLINK_API_KEY": KEY,
        "MAGICLINK_PROVIDER_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        **(settings or {}),
    }
    return Server([sys.executable, "-m", "service", "serve", "--port", str(port)], environ, port, "/readyz")


ROWS = "floor: validate, sign, the same rows in one commit"
ROW = "floor: validate, sign, one row in a grouped commit"
PAGE = "floor: a page with 8 variables, one read"
READ = "floor: the same reads and a JSON of them"
LIST = "floor: the list's queries and a JSON of them"
PAGE_SESSIONS = 25


class Bench:
    """The servers, the session that is read, and as many others as one page of the list has."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.reads = open_ours(folder), open_ours(folder)
        for _ in range(PAGE_SESSIONS):
            answer = httpx.post(f"{self.reads.url}/v1/sessions", json=BODY, headers=AS_JSON, trust_env=False)
            self._made: dict[str, Any] = answer.raise_for_status().json()
        self.floor = open_floor(folder, folder / f"{self.reads.port}.db")
        self.servers = (self.floor, self.ours, self.reads)

    def targets(self) -> list[Target]:
        """The rows, each floor before what is measured against it."""
        ours, reads, floor = self.ours, self.reads, self.floor
        create = Shot(port=ours.port, path="/v1/sessions", method="POST", headers=AS_JSON, body=json.dumps(BODY))
        path = httpx.URL(self._made["embedUrl"]).path
        embed = Shot(port=reads.port, path=path, headers={"Sec-Fetch-Dest": "iframe"})
        read = Shot(port=reads.port, path=f"/v1/sessions/{self._made['id']}", headers=AS_JSON)
        webhook = Shot(port=ours.port, path="/webhooks/nectar", method="POST", body=WEBHOOK, each=signed_webhooks())

        def bare(path: str, shot: Shot) -> Shot:
            return replace(shot, port=floor.port, path=path)

        return [
            Target("floor: plain text", floor, Shot(port=floor.port, path="/plain")),
            Target(ROW, floor, bare("/row", create)),
            Target(ROWS, floor, bare("/sessions", create)),
            Target("POST /v1/sessions, in the background", ours, create, Goal(0.6, ROWS, 2000, 30)),
            Target("POST /webhooks/nectar", ours, webhook, Goal(0.6, ROW, None, 25)),
            Target(PAGE, floor, bare("/page", embed)),
            Target("GET /embed/{token}", reads, embed, Goal(0.6, PAGE, None, 10)),
            Target(READ, floor, bare("/session", read)),
            Target("GET /v1/sessions/{id}", reads, read, Goal(0.6, READ, 4000)),
            Target(LIST, floor, bare("/list", read)),
            Target("GET /v1/sessions, 25 of them", reads, replace(read, path="/v1/sessions"), Goal(0.6, LIST)),
        ]


def signed_webhooks() -> list[dict[str, str]]:
    """New messages of the provider, signed now."""
    at = datetime.now(UTC)  # noqa: TID251 - a real process reads it
    signer, stamp = Webhook(WEBHOOK_SECRET), str(int(at.timestamp()))
    names = (f"msg_{secrets.token_hex(12)}" for _ in range(WEBHOOKS_A_ROUND))
    return [
        {"svix-id": name, "svix-timestamp": stamp, "svix-signature": signer.sign(name, at, WEBHOOK)} for name in names
    ]


def run(rounds: int, seconds: float, say: Say) -> None:
    """Measure in turns and report the medians."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        bench = Bench(Path(folder))
        for server in bench.servers:
            closing.callback(server.close)
            server.sleep()
        many = [{row.name: _press(row, MANY, seconds) for row in bench.targets()} for _ in range(rounds)]
        few = [
            {row.name: _press(row, FEW, seconds) for row in bench.targets() if row.goal.p99}
            for _ in range(LATENCY_ROUNDS)
        ]
        _tell(say, bench.targets(), many, few)
        say(f"\nfirst answer {bench.ours.started_seconds:.2f} s after the start (goal: 0.6)")
        say(f"{bench.ours.megabytes:.0f} MB resident after the run (goal: 80)")
        say(f"load average {os.getloadavg()[0]:.1f}")


def _press(row: Target, connections: int, seconds: float) -> Measured:
    with row.server.awake():
        measured = press(replace(row.shot, connections=connections, seconds=seconds))
    if measured.failed:
        raise SystemExit(f"{row.name}: {measured.failed} answers were no success")
    return measured


def _tell(say: Say, rows: list[Target], many: list[dict[str, Measured]], few: list[dict[str, Measured]]) -> None:
    speed = {name: median(each[name].per_second for each in many) for name in many[0]}
    slowest = {name: median(each[name].p99_milliseconds for each in few) for name in few[0]}
    say(f"{'':<48}{'per second':>11}{'':<16}{'of its floor':<20}p99 at {FEW} connections")
    for row in rows:
        say(_line(row, speed, slowest.get(row.name)))


def _line(row: Target, speed: Mapping[str, float], p99: float | None) -> str:
    goal = row.goal
    fast = f"{speed[row.name]:>11,.0f}" + (f" (goal: {goal.per_second:,.0f})" if goal.per_second else "")
    share = f"{speed[row.name] / speed[goal.of]:.2f} (goal: {goal.share})" if goal.of else ""
    slow = f"{p99:.1f} ms (goal: {goal.p99:g})" if p99 is not None else ""
    return f"{row.name:<48}{fast:<27}{share:<20}{slow}".rstrip()


def main() -> None:
    """Say how, then measure."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="how often each row is measured (default 5)")
    options.add_argument("--seconds", type=float, default=1.0, help="for how long each time (default 1)")
    given = options.parse_args()
    say: Say = print
    say(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; medians of {given.rounds} rounds, {MANY} connections"
    )
    if not WRK:
        say(HOW_TO_GET_IT)
    run(given.rounds, given.seconds, say)


if __name__ == "__main__":
    main()
