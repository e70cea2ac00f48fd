"""A read sees the database as of one moment, however many statements it runs and whatever is written meanwhile."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from service.store import Store
from service.store.engine import Engine, Transaction
from tests.support.clock import Clock
from tests.support.store_cases import KEYS, create, fresh

COUNT = "SELECT COUNT(*) AS n FROM sessions"


@pytest.mark.parametrize("statements", ["on one snapshot", "each by itself"])
async def test_two_statements_of_one_read_see_the_same_rows_where_it_has_a_snapshot(
    store: Store, new_engine: Callable[[], Engine], clock: Clock, statements: str
) -> None:
    snapshot = statements == "on one snapshot"

    async def create_elsewhere() -> None:
        other = Store(new_engine(), clock=clock.now, new_id=lambda prefix: f"{prefix}_elsewhere", keys=KEYS)
        await other.open()
        await create(other, fresh())
        await other.close()

    def unit(tx: Transaction) -> tuple[int, int]:
        (first,) = tx.all(COUNT)
        # In a thread with its own event loop, since a short read runs in the event loop of its caller.
        writer = threading.Thread(target=asyncio.run, args=(create_elsewhere(),))
        writer.start()
        writer.join()
        (second,) = tx.all(COUNT)
        return first["n"], second["n"]

    assert await store.engine.read(unit, snapshot=snapshot) == ((0, 0) if snapshot else (0, 1))
    assert (await store.engine.read(lambda tx: tx.all(COUNT)))[0]["n"] == 1
