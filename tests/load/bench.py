"""`make bench`: what this machine allows and what we reach, measured in turns in one run, on this machine alone.

Compare ratios, never figures of different runs. While one server is asked the others are stopped, so that none works
behind another's back. The provider is an address where nothing listens: the links behind our creates wait in their
retries, so that the create is measured, and not a second process that imitates the provider on the same cores.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import httpx

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


def open_floor(folder: Path) -> Server:
    port = _free_port()
    command = [sys.executable, "-m", "tests.load.floor", str(port), str(folder / "floor.db")]
    return Server(command, {}, port, "/plain")


def open_ours(folder: Path, settings: Mapping[str, str] | None = None) -> Server:
    """As it is deployed, logging included (to nowhere)."""
    port = _free_port()
    environ = {
        "MAGICLINK_SECRET_KEYS": "k" * 32,
        "MAGICLINK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAGICLINK_DATABASE_URL": f"sqlite:///{folder / 'ours.db'}",
        "MAGICLINK_PROVIDER_URL": "http://127.0.0.1:9/v2.2",
        "MAGICLINK_PROVIDER_API_KEY": "nobody-listens",
        "MAGICLINK_ALLOWED_ORIGINS": ORIGIN,
        "MAGICLINK_API_KEY": KEY,
        **(settings or {}),
    }
    return Server([sys.executable, "-m", "service", "serve", "--port", str(port)], environ, port, "/readyz")


INSERT = "floor: validate, sign, grouped durable insert"
PAGE = "floor: a page with 8 variables"


def targets(floor: Server, ours: Server) -> list[Target]:
    """The rows, each floor before what is measured against it."""
    made = httpx.post(f"{ours.url}/v1/sessions", json=BODY, headers=AS_JSON, trust_env=False).raise_for_status().json()
    create = Shot(port=ours.port, path="/v1/sessions", method="POST", headers=AS_JSON, body=json.dumps(BODY))
    embed = Shot(port=ours.port, path=httpx.URL(made["embedUrl"]).path, headers={"Sec-Fetch-Dest": "iframe"})
    read = Shot(port=ours.port, path=f"/v1/sessions/{made['id']}", headers=AS_JSON)
    return [
        Target("floor: plain text", floor, Shot(port=floor.port, path="/plain")),
        Target(INSERT, floor, replace(create, port=floor.port, path="/sessions")),
        Target("POST /v1/sessions, in the background", ours, create, Goal(0.6, INSERT, 1000, 30)),
        Target(PAGE, floor, Shot(port=floor.port, path="/page")),
        Target("GET /embed/{token}", ours, embed, Goal(0.6, PAGE, None, 10)),
        Target("GET /v1/sessions/{id}", ours, read, Goal(per_second=2000)),
    ]


def run(rounds: int, seconds: float, say: Say) -> None:
    """Measure in turns and report the medians."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        floor, ours = open_floor(Path(folder)), open_ours(Path(folder))
        closing.callback(floor.close)
        closing.callback(ours.close)
        rows = targets(floor, ours)
        floor.sleep()
        ours.sleep()
        many = [{row.name: _press(row, MANY, seconds) for row in rows} for _ in range(rounds)]
        few = [{row.name: _press(row, FEW, seconds) for row in rows if row.goal.p99} for _ in range(LATENCY_ROUNDS)]
        _tell(say, rows, many, few)
        say(f"\nfirst answer {ours.started_seconds:.2f} s after the start (goal: 1.5)")
        say(f"{ours.megabytes:.0f} MB resident after the run (goal: 120)")


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
