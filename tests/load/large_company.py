"""`python -m tests.load.large_company`: what recording a poll costs in a company with 10,000 sessions.

The snapshot shows ten connections that are recorded already, so that it changes nothing; then one that is new. Provider
calls are left out.
"""

import argparse
import asyncio
import os
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from statistics import median
from time import perf_counter

from service.domain.changes import Changes, Fact, FactKind
from service.domain.model import ProviderSnapshot, SessionId
from service.domain.recording import record
from service.store import Store, engine_for, migrate
from service.store.engine import Transaction
from tests.load.deliveries import say
from tests.support.domain_values import CREATED_AT, MAGIC, NOW, seen
from tests.support.postgres import running_postgres
from tests.support.store_cases import KEYS, UNNAMED, create, fresh

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
_ROUNDS = 7
REF = UNNAMED.ref


def _copy(tx: Transaction, table: str, where: str, rows: int, **new: str) -> None:
    (row,) = tx.all(f"SELECT * FROM {table} WHERE {where}")  # noqa: S608 - our own words
    names = list(dict(row))
    values = ", ".join(new.get(name, name) for name in names)
    tx.run(
        f"INSERT INTO {table} ({', '.join(names)}) {_NUMBERS} SELECT {values} FROM n, {table} WHERE {where}",  # noqa: S608
        rows=rows,
    )


async def _fill(store: Store, sessions: int) -> None:
    """Sessions of one company whose magic links were revealed, one after the other, all by one user."""
    await create(store, fresh(name="ses_first"), MAGIC)
    revealed = Fact(FactKind.REVEALED, session_id=SessionId("ses_first"), provider_at=CREATED_AT - 60)
    listed = Fact(FactKind.LISTED)
    await store.connections.change(REF, [], [], lambda _: Changes(facts=(revealed, listed)))

    def unit(tx: Transaction) -> None:
        _copy(tx, "sessions", "id = 'ses_first'", sessions - 1, id="'ses_' || i")
        _copy(tx, "facts", "kind = 'revealed'", sessions - 1, id="'fact_' || i", session_id="'ses_' || i")

    await store.engine.write(unit)


async def _poll(store: Store, connections: int) -> float:
    """Milliseconds to record a snapshot with so many connections."""
    shown = tuple(seen(f"connection-{one}", after=one) for one in range(connections))
    snapshot = ProviderSnapshot(CREATED_AT + 600, shown, ())
    began = perf_counter()
    await store.connections.change(
        REF, [one.id for one in shown], [], lambda records: replace(record(records, snapshot, NOW), polled_at=NOW)
    )
    return 1000 * (perf_counter() - began)


async def measure(database: str, sessions: int) -> None:
    numbers = count(1)
    engine = engine_for(database, lambda: NOW)
    store = Store(engine, clock=lambda: NOW, new_id=lambda prefix: f"{prefix}_{next(numbers)}", keys=KEYS)
    await store.open()
    await migrate(store.engine)
    await _fill(store, sessions)
    first = await _poll(store, 10)
    again = [await _poll(store, 10) for _ in range(_ROUNDS)]
    new = [await _poll(store, 11 + one) for one in range(_ROUNDS)]
    say(
        f"{sessions:>6,} sessions: {median(again):.1f} ms for a poll that changes nothing, {median(new):.1f} ms with a "
        f"new connection (the first ten {first:.1f} ms)"
    )
    await store.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, nargs="*", default=[10, 1_000, 10_000])
    options.add_argument("--postgres", action="store_true")
    given = options.parse_args()
    with running_postgres() if given.postgres else nullcontext() as server:
        for sessions in given.sessions:
            with (
                tempfile.TemporaryDirectory() as folder,
                server.migrated_database() if server else nullcontext(f"sqlite:///{folder}/large.db") as database,
            ):
                asyncio.run(measure(database, sessions))
    say(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
