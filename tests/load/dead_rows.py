"""What a held snapshot costs on PostgreSQL: dead rows of each table after minutes of load, and what they slow down.

A backup or a long report holds a snapshot, and nothing that died since can be removed. Each event is written twice
there (inserted, then given its position), and each job several times, so these tables show it most.
"""

import argparse
import asyncio
import random
import sys
from time import perf_counter
from typing import Any

import psycopg

from service.store.queue import DUE_JOBS
from tests.load.load_users import LoadUsers
from tests.load.processes import database, running_services

_TIMES = 20
# The bills of an account are 200 webhooks, which write none of these tables.
_NO_BILLS = {"SANDBOX_DATA_DELAY": "86400"}
_TABLES = (
    "SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_dead_tup, pg_total_relation_size(relid) / 1024 AS kib "
    "FROM pg_stat_user_tables WHERE relname IN ('events', 'sessions', 'work', 'companies') ORDER BY relname"
)
_UNSEQUENCED = "SELECT id FROM events WHERE seq IS NULL ORDER BY drawn"  # what the sequencer reads
_DUE = DUE_JOBS.replace(":waited_for", "0").replace(":database_now", "1").replace(":limit", "16")


async def run(seconds: float, people: int) -> list[str]:
    """The figures, a line each."""
    with database("postgresql") as url, running_services(url, 2, 1.0, _NO_BILLS) as services:
        await services.start()
        workers = [worker.url for worker in services.workers]
        load_users = LoadUsers(workers, services.sandbox.url, random.Random(1))  # noqa: S311 - no secret
        with psycopg.connect(url) as holding, psycopg.connect(url, autocommit=True) as looking:
            before = _timed("at the start", looking)
            holding.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holding.execute("SELECT 1 FROM events LIMIT 1")
            pressing = asyncio.create_task(load_users.press(people))
            await asyncio.sleep(seconds)
            held = [*_lines("held", looking), *_timed("held", looking)]
            load_users.stopping = True
            await pressing
            holding.rollback()
            looking.execute("VACUUM")
            return [*before, *held, *_lines("after VACUUM", looking), *_timed("after VACUUM", looking)]


def _lines(when: str, looking: psycopg.Connection[Any]) -> list[str]:
    looking.execute("SELECT pg_stat_clear_snapshot()")
    rows = looking.execute(_TABLES).fetchall()
    return [
        f"{when}: {name}: {inserted} inserted, {updated} updated ({hot} in place), {dead} dead, {kib} KiB"
        for name, inserted, updated, hot, dead, kib in rows
    ]


def _timed(when: str, looking: psycopg.Connection[Any]) -> list[str]:
    """How long the sequencer's and the workers' reads take: the shortest of several, where there is little to find."""
    return [
        f"{when}: {name}: {min(_milliseconds(looking, sql) for _ in range(_TIMES)):.2f} ms"
        for name, sql in (("sequencing", _UNSEQUENCED), ("leasing", _DUE))
    ]


def _milliseconds(looking: psycopg.Connection[Any], sql: str) -> float:
    began = perf_counter()
    looking.execute(sql)
    return (perf_counter() - began) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.dead_rows", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--people", type=int, default=12)
    options = parser.parse_args()
    sys.stdout.write("\n".join(asyncio.run(run(options.seconds, options.people))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
