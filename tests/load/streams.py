"""Live streams: how many one process keeps open, what each costs, how soon a page hears of an event, and restarts.

`python -m tests.load.streams --streams 10000`. Every page is a session of its own that has started, as in production.
Some of the sessions are revoked, one after the other, while all other streams are open and quiet: the time from sending
that call to the arrival of its event at the page is what a user waits for. Then some pages stop reading while their
sessions get events, until the service drops them. At last the process is ended and started again, and every page opens
its stream anew after the pauses of the page's own script. The client is this process, on another core.
"""

import argparse
import asyncio
import os
import random
import resource
import secrets
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter, time  # noqa: TID251 - a composition root of its own

import uvloop

from tests.load.observed import ask
from tests.load.servers import AS_JSON, Server, open_ours
from tests.load.stream_clients import (
    Caller,
    Reconnecting,
    StreamClient,
    StreamPage,
    open_streams,
    start_pages,
)
from tests.support.ports import free_port

_REVOKED_PER_SECOND = 20
_QUIET_SECONDS = 30.0  # two periods of presence
_FIRST_STREAMS = 50
_SPARE_HANDLES = 500
# More than a slow reader's buffers hold; a stream sends a hundred events for each signal.
_BURSTS, _EVENTS_OF_A_BURST = 8, 100
_DROPPED_SECONDS = 90.0  # the service waits 60 for a client that reads nothing
_STORM_SECONDS = 120.0
Say = Callable[[str], object]


@dataclass(frozen=True)
class StreamPlan:
    """One run."""

    streams: int
    news: int
    slow: int


class StreamServer:
    """The service on one file and one port, as often as it is started."""

    def __init__(self, folder: Path, handles: int) -> None:
        self.port = free_port()
        self.database = folder / "streams.db"
        self._report = folder / "observed.json"
        self._folder = folder
        self._settings = {
            "MAGICLINK_CONNECTIONS_PER_ADDRESS": str(handles),
            "MAGICLINK_DATABASE_URL": f"sqlite:///{self.database}",
        }
        self.server = self._start()

    def restart(self) -> tuple[float, float, float]:
        """When it was told to end, when it had ended, and when the new process was ready."""
        began = perf_counter()
        self.server.close()
        ended = perf_counter()
        self.server = self._start()
        return began, ended, perf_counter()

    def pauses(self) -> list[tuple[float, float]]:
        """Those of the garbage collector since the start, in milliseconds, and of how many of them it had a core."""
        return [(1000 * took, 1000 * busy) for took, busy in ask(self.server.pid, self._report)["pauses"]]

    @property
    def handles(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.server.pid}/fd").iterdir())

    def _start(self) -> Server:
        module = ["tests.load.observed", str(self._report)]
        return open_ours(self._folder, self._settings, module=module, port=self.port)


async def measure(service: StreamServer, plan: StreamPlan, say: Say) -> None:
    """Open the streams, wait, revoke some, let some read nothing, restart, and report."""
    began = perf_counter()
    pages = await start_pages(service.port, plan.streams)
    say(f"{plan.streams:,} sessions with started pages in {perf_counter() - began:.1f} s")
    await _warm_up(service.port, pages[:_FIRST_STREAMS])
    before, began = service.server.megabytes, perf_counter()
    clients = await open_streams(service.port, pages[: plan.slow], are_small=True)
    clients += await open_streams(service.port, pages[plan.slow :])
    say(f"{plan.streams:,} streams opened in {perf_counter() - began:.1f} s")
    used = service.server.cpu_seconds
    await asyncio.sleep(_QUIET_SECONDS)
    busy = (service.server.cpu_seconds - used) / _QUIET_SECONDS
    kilobytes = (service.server.megabytes - before) * 1024 / plan.streams
    say(f"{kilobytes:.1f} KB for each (goal: 20); quiet, they take {busy:.0%} of a core")
    slow, others = clients[: plan.slow], clients[plan.slow :]
    _say_waits(say, "news to a page", await _revoke(service.port, [one.page for one in others[: plan.news]]))
    if slow:
        await _slow_readers(service, slow, others[-plan.news :], say)
    _say_pauses(say, service.pauses())
    await _storm(service, others[plan.news : len(others) - plan.news], say)


async def _warm_up(port: int, pages: Sequence[StreamPage]) -> None:
    """Open and close some streams: what the first ones load is not what each costs."""
    for client in await open_streams(port, pages):
        client.close()
    await asyncio.sleep(1)


async def _revoke(port: int, pages: Sequence[StreamPage]) -> list[float]:
    caller, waits = Caller(port), []
    for page in pages:
        sent = perf_counter()
        await caller.post(f"/v1/sessions/{page.session_id}/revoke", {}, AS_JSON)
        while page.revoked_at is None:  # noqa: ASYNC110 - a transport sets it
            await asyncio.sleep(0.001)
        waits.append((page.revoked_at - sent) * 1000)
        await asyncio.sleep(1 / _REVOKED_PER_SECOND)
    return waits


async def _slow_readers(
    service: StreamServer, slow: Sequence[StreamClient], others: Sequence[StreamClient], say: Say
) -> None:
    """How soon others hear their news meanwhile, and when the service has dropped them."""
    for client in slow:
        client.stop_reading()
    before, began, dropped = service.handles, perf_counter(), 0
    news = asyncio.create_task(_revoke(service.port, [client.page for client in others]))
    for _ in range(_BURSTS):
        await asyncio.to_thread(_insert_events, service.database, [client.page.session_id for client in slow])
        await asyncio.sleep(1)
    _say_waits(say, "meanwhile news to others", await news)
    while dropped < len(slow) and perf_counter() - began < _DROPPED_SECONDS:
        await asyncio.sleep(0.5)
        dropped = min(len(slow), before - service.handles)
    say(f"{dropped} of {len(slow)} slow readers dropped, after {perf_counter() - began:.0f} s")
    for client in slow:
        client.close()


def _insert_events(database: Path, sessions: Sequence[str]) -> None:
    """Write events as another process on the same file would, many at once."""
    sql = (
        "INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, data) SELECT ?, COALESCE(MAX(seq), 0) + 1, "
        "0, 'default', 'session.progress', ?, ?, '{}' FROM events"
    )
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        for session in sessions:
            new = [(f"evt_{secrets.token_hex(12)}", time(), session) for _ in range(_EVENTS_OF_A_BURST)]
            connection.executemany(sql, new)
            connection.commit()


async def _storm(service: StreamServer, clients: Sequence[StreamClient], say: Say) -> None:
    """End the process and start it again: every page opens its stream anew."""
    waiting = Reconnecting(service.port, clients, random.Random(1))  # noqa: S311 - the same pauses in every run
    began, ended, ready = await asyncio.to_thread(service.restart)
    await waiting.all_served(len(clients), _STORM_SECONDS)
    served = sorted(waiting.served_at)
    took, most = served[-1] - ready, _most_in_a_second(served)
    say(
        f"ended in {ended - began:.1f} s, ready {ready - ended:.1f} s later; all {len(clients):,} streams were served "
        f"again {took:.1f} s after that (goal: 30), {most} in the busiest second; {service.server.megabytes:.0f} MB"
    )
    _say_pauses(say, service.pauses())
    for client in waiting.clients.values():
        client.close()


def _most_in_a_second(served: Sequence[float]) -> int:
    return max(sum(at <= other < at + 1 for other in served[place : place + 20_000]) for place, at in enumerate(served))


def _say_waits(say: Say, what: str, waits: Sequence[float]) -> None:
    parts = quantiles(waits, n=100, method="inclusive")
    say(f"{what}: median {parts[49]:.0f} ms, p99 {parts[98]:.0f} ms (goal: 100), slowest {max(waits):.0f} ms")


def _say_pauses(say: Say, pauses: Sequence[tuple[float, float]]) -> None:
    """Both as a clock shows them and without the time in which another process had the core."""
    worst, busy = (_worst([one[at] for one in pauses]) for at in (0, 1))
    say(
        f"{len(pauses)} pauses of the garbage collector: p99.9 {worst:.1f} ms (goal: 20), of its own work {busy:.1f} ms"
    )


def _worst(figures: Sequence[float]) -> float:
    return quantiles(figures, n=1000)[998] if len(figures) > 1000 else max(figures, default=0.0)


def main() -> None:
    """Read the options, start the service, and measure."""
    options = argparse.ArgumentParser(prog="python -m tests.load.streams", description=__doc__)
    options.add_argument("--streams", type=int, default=2000, help="how many are open at once (default 2000)")
    options.add_argument("--news", type=int, default=200, help="how many sessions are revoked, twice (default 200)")
    options.add_argument("--slow", type=int, default=10, help="how many pages stop reading; 0 leaves it out")
    given = options.parse_args()
    _allow_handles(given.streams + _SPARE_HANDLES)
    say: Say = print
    with tempfile.TemporaryDirectory() as folder:
        service = StreamServer(Path(folder), given.streams + _SPARE_HANDLES)
        try:
            uvloop.run(measure(service, StreamPlan(given.streams, given.news, given.slow), say))
        finally:
            service.server.close()
    say(f"load average {os.getloadavg()[0]:.1f}")


def _allow_handles(handles: int) -> None:
    """This process and those that it starts may open so many files, and the service its spare tenth beside them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = handles + handles // 5
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, most) if most != -1 else most))
    except ValueError:
        sys.exit(f"{wanted} file handles are needed, and {most} allowed: ulimit -n {wanted}")


if __name__ == "__main__":
    main()
