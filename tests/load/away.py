"""`make away`: the database goes away, stands still, fills up, takes no writes or is held by another, and comes back.

All of it under load. Meanwhile every request gets a clear refusal within seconds; afterwards, without a restart,
everything goes on, and nothing is lost or doubled. The processes are as in `kill`. A file that somebody makes read-only
is not among the troubles: a process that has it open may go on writing.
"""

import argparse
import asyncio
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from psycopg import sql

from tests.load.audit import Findings, audit
from tests.load.load_users import LoadUsers
from tests.load.processes import LoadServices, running_services
from tests.load.watch import Watch
from tests.support.postgres import Postgres, running_postgres

_CALM_SECONDS = 1.0
_HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
file.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""

Trouble = Callable[[LoadServices], AbstractContextManager[None]]


@dataclass(frozen=True)
class Plan:
    """One run: each trouble of the database's kind, one after the other, so many seconds long."""

    database: str
    seconds: float
    people: int = 4
    speed: float = 30.0
    seed: int = 1


def run(plan: Plan) -> tuple[Findings, Watch]:
    """All troubles and the audit. Raises AssertionError where a process ends."""
    with ExitStack() as stack:
        url, troubles = stack.enter_context(_postgresql() if plan.database == "postgresql" else _sqlite())
        workers = 2 if plan.database == "postgresql" else 1
        services = stack.enter_context(running_services(url, workers, plan.speed))
        return asyncio.run(_run(plan, services, troubles))


async def _run(plan: Plan, services: LoadServices, troubles: dict[str, Trouble]) -> tuple[Findings, Watch]:
    await services.start()
    load_users = LoadUsers([worker.url for worker in services.workers], services.sandbox.url, random.Random(plan.seed))  # noqa: S311
    pressing = asyncio.create_task(load_users.press(plan.people))
    watch = Watch(services)
    for name, trouble in troubles.items():
        await asyncio.sleep(_CALM_SECONDS)
        await watch.during(name, trouble(services), plan.seconds)
        services.require_alive()
    await asyncio.sleep(_CALM_SECONDS)
    await load_users.all_kinds()
    load_users.stopping = True
    await pressing
    watch.check_logs()
    provided, rows = await services.settled()
    return audit(provided, rows, load_users.planned_sessions), watch


@contextmanager
def _postgresql() -> Iterator[tuple[str, dict[str, Trouble]]]:
    with running_postgres() as server, server.database() as url:
        name = url.rpartition("?")[0].rpartition("/")[2]
        frozen, read_only = partial(_frozen, server), partial(_read_only, server, name)
        yield url, {"stopped": partial(_stopped, server), "frozen": frozen, "read-only": read_only}


@contextmanager
def _stopped(server: Postgres, _services: LoadServices) -> Iterator[None]:
    server.stop()
    yield
    server.resume()


def _frozen(server: Postgres, _services: LoadServices) -> AbstractContextManager[None]:
    """As a machine or a disk that stands still: the kernel acknowledges, and nothing is answered."""
    return server.frozen()


@contextmanager
def _read_only(server: Postgres, name: str, _services: LoadServices) -> Iterator[None]:
    """As a database that has failed over to a copy: everybody is cut off, and finds one that only reads."""
    database = sql.Identifier(name)
    server.administer(
        sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(database),
        sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(sql.Literal(name)),
    )
    yield
    server.administer(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(database))


@contextmanager
def _sqlite() -> Iterator[tuple[str, dict[str, Trouble]]]:
    with TemporaryDirectory(prefix="magiclink-away-") as folder:
        path = Path(folder) / "magiclink.db"
        yield f"sqlite:///{path}", {"held by another": partial(_held, path), "full": _full}


@contextmanager
def _held(path: Path, _services: LoadServices) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.communicate()


@contextmanager
def _full(services: LoadServices) -> Iterator[None]:
    """No file of the worker's may grow, nor be written at all, as on a disk that has no room left."""
    pid = services.workers[0].pid
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def main() -> int:
    options = _options()
    plan = Plan(options.database, options.seconds, options.people, options.speed, options.seed)
    began = perf_counter()
    findings, watch = run(plan)
    faults = [*watch.faults, *findings.faults]
    reported = [
        f"On {plan.database}: {findings}",
        *watch.report,
        *faults,
        f"{perf_counter() - began:.0f} s, {len(faults)} faults",
    ]
    sys.stdout.write("\n".join(reported) + "\n")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.away", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
