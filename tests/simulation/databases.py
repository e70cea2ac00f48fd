"""Where a history keeps what the service has committed: empty for each, and outliving every process of it."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from service.domain.model import Clock
from service.store import engine_for, migrate
from service.store.engine import Engine, Transaction
from service.store.postgres import PostgresEngine
from tests.simulation.engines import Inline, Shared

Open = Callable[[Clock], Engine]
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version'"


class Memory:
    """SQLite in memory, on one thread: the fastest, and the same to the letter each time a seed is replayed."""

    def __init__(self) -> None:
        self._template: sqlite3.Connection | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Open]:
        connection = _connect(":memory:")
        if self._template is None:
            self._template = _connect(":memory:")
            await migrate(Inline(self._template, lambda: 0.0))
        self._template.backup(connection)
        try:
            yield lambda clock: Inline(connection, clock)
        finally:
            connection.close()

    async def close(self) -> None:
        if self._template is not None:
            self._template.close()


class File:
    """The service's own SQLite engine, with its threads and its file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "magiclink.db"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Open]:
        for path in self._path.parent.glob(f"{self._path.name}*"):
            path.unlink()
        url = f"sqlite:///{self._path}"
        engine = engine_for(url, lambda: 0.0)
        await engine.open()
        await migrate(engine)
        await engine.close()
        yield lambda clock: engine_for(url, clock)

    async def close(self) -> None:
        """Each process has closed its own."""


class Postgres:
    """The service's own PostgreSQL engine; its connections outlive a history, its tables are emptied."""

    def __init__(self, url: str) -> None:
        self._engine = PostgresEngine(url, self._now)
        self._shared = Shared(self._engine)
        self._clock: Clock | None = None
        self._is_open = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Open]:
        if not self._is_open:
            await self._engine.open()
            await migrate(self._engine)
            self._is_open = True
        await self._engine.write(_empty)

        def share(clock: Clock) -> Engine:
            self._clock = clock
            return self._shared

        yield share

    async def close(self) -> None:
        await self._engine.close()

    def _now(self) -> float:
        return 0.0 if self._clock is None else self._clock()


def _empty(tx: Transaction) -> None:
    tables = ", ".join(row["tablename"] for row in tx.all(_TABLES))
    tx.run(f"TRUNCATE {tables}")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys=ON")
    return connection
