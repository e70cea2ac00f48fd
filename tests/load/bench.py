"""`make bench`: what this machine allows and what we reach, measured in turns in one run, on this machine alone.

Compare ratios, never figures of different runs. While one server is asked the others are stopped, so that none works
behind another's back. The provider is an address where nothing listens: the links behind our creates wait in their
retries, so that the create is measured, and not a second process that imitates the provider on the same cores. What is
only read is read from a second process with one page of sessions, whose few retries keep it less busy. PostgreSQL runs
beside them with its own settings of durability; several processes on it are asked at once, each over its own port.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.load.bench_report import BenchLine, BenchReport
from tests.load.bench_svg import draw
from tests.load.bench_targets import POSTGRESQL, SQLITE, BenchServers, Setup, Target, open_servers
from tests.load.measured import put_into
from tests.load.pressure import HOW_TO_GET_IT, WRK, Measured, press
from tests.support.postgres import running_postgres

FEW, MANY = 8, 32
LATENCY_ROUNDS = 3
_DURABLE = "-c fsync=on -c max_connections=400"
Say = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """One run."""

    setups: Sequence[Setup]
    rounds: int
    seconds: float


def run(plan: Plan) -> BenchReport:
    """Measure in turns: every setup in every round."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        wanted = any(setup.database == POSTGRESQL for setup in plan.setups)
        postgres = stack.enter_context(running_postgres(_DURABLE)) if wanted else None
        opened = []
        for number, setup in enumerate(plan.setups):
            own = Path(folder) / str(number)
            own.mkdir()
            server = postgres if setup.database == POSTGRESQL else None
            opened.append(stack.enter_context(open_servers(setup, own, server)))
        many = _rounds(opened, plan.rounds, MANY, plan.seconds, lambda _: True)
        few = _rounds(opened, LATENCY_ROUNDS, FEW, plan.seconds, lambda row: bool(row.goal and row.goal.p99))
        lines = [_line(servers.setup, target, many, few) for servers in opened for target in servers.targets()]
        first = opened[0].ours
        machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
        return BenchReport(
            about=f"{machine}, {plan.rounds} rounds of {plan.seconds:g} s, {MANY} connections",
            lines=lines,
            first_answer_seconds=first.servers[0].started_seconds,
            megabytes=first.megabytes,
            load_average=os.getloadavg()[0],
        )


@dataclass(frozen=True)
class Round:
    """One measure of one row, and what each answer cost the processes that gave it."""

    measured: Measured
    cpu_microseconds: float


_Figures = dict[tuple[Setup, str], list[Round]]


def _rounds(
    opened: Sequence[BenchServers], rounds: int, connections: int, seconds: float, wanted: Callable[[Target], bool]
) -> _Figures:
    figures: _Figures = {}
    for _ in range(rounds):
        for servers in opened:
            for target in filter(wanted, servers.targets()):
                measured = _press(target, connections, seconds)
                figures.setdefault((servers.setup, target.name), []).append(measured)
    return figures


def _press(row: Target, connections: int, seconds: float) -> Round:
    """All processes of the group at once, each with its share of the connections and of the different requests."""
    processes = row.group.servers
    shots = [
        replace(
            row.shot,
            port=server.port,
            connections=max(1, connections // len(processes)),
            seconds=seconds,
            each=row.shot.each[at :: len(processes)],
        )
        for at, server in enumerate(processes)
    ]
    with row.group.awake(), ThreadPoolExecutor(len(shots)) as pool:
        before = row.group.cpu_seconds
        measured = list(pool.map(press, shots))
        used = row.group.cpu_seconds - before
    failed = sum(one.failed for one in measured)
    if failed:
        raise SystemExit(f"{row.name} on {row.group.name}: {failed} answers were no success")
    slowest, speed = max(one.p99_milliseconds for one in measured), sum(one.per_second for one in measured)
    return Round(Measured(speed, slowest, failed), 1e6 * used / (speed * seconds))


def _line(setup: Setup, target: Target, many: _Figures, few: _Figures) -> BenchLine:
    goal = target.goal
    return BenchLine(
        setup=str(setup),
        name=target.name,
        goal=goal,
        speeds=[one.measured.per_second for one in many[setup, target.name]],
        floor=[one.measured.per_second for one in many[setup, goal.of]] if goal else [],
        p99=[one.measured.p99_milliseconds for one in few.get((setup, target.name), [])],
        cpu=[one.cpu_microseconds for one in many[setup, target.name]],
    )


def main() -> None:
    """Say how, measure, and write what was asked for."""
    options = _options()
    setups = [Setup(SQLITE)] if SQLITE in options.databases else []
    setups += [Setup(POSTGRESQL, number) for number in options.workers] if POSTGRESQL in options.databases else []
    say: Say = print
    if not WRK:
        say(HOW_TO_GET_IT)
    report = run(Plan(setups, options.rounds, options.seconds))
    say(report.text())
    if options.markdown:
        put_into(options.markdown, "make bench", report.markdown())
    if options.svg:
        options.svg.write_text(draw(report))


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="how often each row is measured (default 5)")
    options.add_argument("--seconds", type=float, default=1.0, help="for how long each time (default 1)")
    options.add_argument("--databases", nargs="+", choices=[SQLITE, POSTGRESQL], default=[SQLITE, POSTGRESQL])
    options.add_argument(
        "--workers", nargs="+", type=int, default=[1], help="processes on PostgreSQL, such as 1 2 3 (default 1)"
    )
    options.add_argument("--markdown", type=Path, help="put the table into this page too")
    options.add_argument("--svg", type=Path, help="draw the plot to this file")
    return options.parse_args()


if __name__ == "__main__":
    main()
