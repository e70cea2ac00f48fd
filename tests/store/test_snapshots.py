"""A read sees the database as of one moment, however many statements it runs and whatever is written meanwhile."""

import asyncio
import threading

from service.store import Store
from service.store.engine import Transaction
from tests.support.store_cases import create, fresh

PATIENCE_SECONDS = 10.0
COUNT = "SELECT COUNT(*) AS n FROM sessions"


async def test_two_statements_of_one_read_see_the_same_rows(store: Store) -> None:
    between, written = threading.Event(), threading.Event()

    def unit(tx: Transaction) -> tuple[int, int]:
        (first,) = tx.all(COUNT)
        between.set()
        assert written.wait(PATIENCE_SECONDS)
        (second,) = tx.all(COUNT)
        return first["n"], second["n"]

    reading = asyncio.create_task(store.engine.read(unit))
    await asyncio.to_thread(between.wait, PATIENCE_SECONDS)
    await create(store, fresh())
    written.set()
    assert await reading == (0, 0)
    assert (await store.engine.read(lambda tx: tx.all(COUNT)))[0]["n"] == 1
