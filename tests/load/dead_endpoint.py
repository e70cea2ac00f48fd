"""`python -m tests.load.dead_endpoint`: pages and reads, with and without a dead endpoint that has 100,000 due.

Two servers of their own on SQLite, asked in turns in one run. The dead endpoint takes connections and says nothing, so
that each attempt takes the 15 s that it may.
"""

import argparse
import asyncio
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.load.bench import FEW, MANY
from tests.load.deliveries import LOOPBACK, events, opened, say
from tests.load.pressure import Measured, Shot, press
from tests.load.servers import AS_JSON, BODY, Server, open_ours

_GOAL = 0.95


def _shots(server: Server) -> dict[str, Shot]:
    answer = httpx.post(f"{server.url}/v1/sessions", json=BODY, headers=AS_JSON, trust_env=False)
    made: dict[str, Any] = answer.raise_for_status().json()
    path = httpx.URL(made["embedUrl"]).path
    return {
        "GET /embed/{token}": Shot(port=server.port, path=path, headers={"Sec-Fetch-Dest": "iframe"}),
        "GET /v1/sessions/{id}": Shot(port=server.port, path=f"/v1/sessions/{made['id']}", headers=AS_JSON),
    }


def _add_endpoint(server: Server, address: str) -> None:
    body = {"url": address, "types": ["session.opened"]}
    httpx.post(f"{server.url}/v1/webhook-endpoints", json=body, headers=AS_JSON, trust_env=False).raise_for_status()


async def _fill(database: str, number: int) -> int:
    """Write so many events that the endpoint wants; how many deliveries are due."""
    async with opened(database) as services:
        await events(services, number, "session.opened")
        sql = "SELECT COUNT(*) AS n FROM deliveries WHERE status = 'pending'"
        return int((await services.store.engine.read(lambda tx: tx.all(sql)))[0]["n"])


@dataclass(frozen=True)
class _Asked:
    """What one server did in one round; `milliseconds` of a processor for each answer."""

    measured: Measured
    milliseconds: float


def _press(server: Server, shot: Shot, connections: int, seconds: float) -> _Asked:
    before = server.cpu_seconds
    with server.awake():
        measured = press(replace(shot, connections=connections, seconds=seconds))
    assert not measured.failed, f"{shot.path}: {measured.failed} answers were no success"
    return _Asked(measured, 1000 * (server.cpu_seconds - before) / (measured.per_second * seconds))


def run(number: int, rounds: int, seconds: float) -> None:
    """Measure in turns and report the medians."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing, socket.create_server(("127.0.0.1", 0)) as dead:
        folder, settings = Path(name), {"MAGICLINK_WEBHOOK_NETWORKS": LOOPBACK[0]}
        alone, beside = (open_ours(folder, settings) for _ in range(2))
        closing.callback(alone.close)
        closing.callback(beside.close)
        shots = {server: _shots(server) for server in (alone, beside)}
        _add_endpoint(beside, f"http://127.0.0.1:{dead.getsockname()[1]}/hooks")
        due = asyncio.run(_fill(f"sqlite:///{folder / f'{beside.port}.db'}", number))
        say(f"{due:,} deliveries are due at an endpoint that answers nothing; medians of {rounds} rounds")
        alone.sleep()
        beside.sleep()

        def measure(path: str, connections: int) -> list[list[_Asked]]:
            return [
                [_press(one, shots[one][path], connections, seconds) for one in (alone, beside)] for _ in range(rounds)
            ]

        for path in shots[alone]:
            _tell(path, measure(path, MANY), measure(path, FEW))
    say(f"load average {os.getloadavg()[0]:.1f}")


def _tell(path: str, many: list[list[_Asked]], few: list[list[_Asked]]) -> None:
    def middle(rounds: list[list[_Asked]], of: Callable[[_Asked], float]) -> list[float]:
        return [median(of(pair[at]) for pair in rounds) for at in range(2)]

    speed, slow = (
        middle(many, lambda one: one.measured.per_second),
        middle(few, lambda one: one.measured.p99_milliseconds),
    )
    cpu = middle(many, lambda one: one.milliseconds)
    say(
        f"{path:<22}{speed[1]:>6,.0f} a second, without {speed[0]:>6,.0f}: {speed[1] / speed[0]:.2f}; 99 % within "
        f"{slow[1]:.1f} ms, without {slow[0]:.1f}; {cpu[1]:.3f} ms of a processor each, without {cpu[0]:.3f}: "
        f"{cpu[0] / cpu[1]:.2f} (goal: {_GOAL})"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--number", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.0)
    given = options.parse_args()
    run(given.number, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
