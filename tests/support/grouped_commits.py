"""A SQLite engine over a bare table, and a way to have several units committed as one group."""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from service.errors import NotFound
from service.store.engine import Transaction
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS

Unit = Callable[[Transaction], Any]


@asynccontextmanager
async def opened(path: Path | str, clock: Clock) -> AsyncIterator[SqliteEngine]:
    engine = SqliteEngine(str(path), clock.now)
    await engine.open()
    try:
        await engine.write(lambda tx: tx.run("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body BLOB)"))
        yield engine
    finally:
        await engine.close()


async def in_one_group(engine: SqliteEngine, *units: Unit) -> list[Any]:
    """Results and errors of units that the writer takes up together: it is held until all of them wait."""
    loop, held, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(_tx: Transaction) -> None:
        loop.call_soon_threadsafe(held.set)
        assert gate.wait(PATIENCE_SECONDS)

    holding = asyncio.create_task(engine.write(hold))
    await held.wait()
    waiting = [asyncio.ensure_future(engine.write(unit)) for unit in units]
    await asyncio.sleep(0)  # each has handed its unit over
    gate.set()
    await holding
    return await asyncio.gather(*waiting, return_exceptions=True)


def insert(number: int, size: int = 0) -> Unit:
    return lambda tx: tx.run("INSERT INTO t (id, body) VALUES (:id, zeroblob(:size))", id=number, size=size)


def ended_beneath(tx: Transaction) -> None:
    """What a full disk or an I/O error does: the transaction ends, and each further statement commits by itself."""
    insert(99)(tx)
    tx.run("ROLLBACK")
    raise NotFound


async def ids(engine: SqliteEngine) -> list[int]:
    return [row["id"] for row in await engine.read(lambda tx: tx.all("SELECT id FROM t ORDER BY id"))]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A write beyond that many bytes fails with an I/O error, as on a failing disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
