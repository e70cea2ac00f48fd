"""The databases of a history: SQLite in memory for speed, or the service's own engines; each may end at any commit."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol

from service.domain.model import Clock
from service.store.dialects import SqliteDialect
from service.store.engine import Engine, T, Transaction, Unit


class CanEnd(Protocol):
    """A process that may end at a moment."""

    def reach(self, moment: str) -> Awaitable[None]: ...

    def must_end(self, moment: str) -> bool: ...

    def require_alive(self) -> None: ...


class Inline:
    """SQLite on the caller's own thread: the same SQL and the same transactions, without hand-overs between threads."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._dialect = SqliteDialect(clock)
        self._listeners: list[Callable[[set[str]], None]] = []
        self._work: list[Callable[[], None]] = []

    @property
    def is_alone(self) -> bool:
        """Several processes share a history's database."""
        return False

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        self._listeners.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        self._work.append(listener)

    async def empty_log(self) -> bool:
        """A database in memory has none."""
        return True

    async def open(self) -> None:
        """It is open already: the database outlives its processes."""

    async def close(self) -> None:
        """The history closes it."""

    async def read(self, unit: Unit[T], *, snapshot: bool = True) -> T:  # noqa: ARG002 - nothing writes meanwhile
        return unit(Transaction(self._connection.cursor(), self._dialect))

    async def write(self, unit: Unit[T]) -> T:
        tx = Transaction(self._connection.cursor(), self._dialect)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = unit(tx)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        for notify in self._listeners if tx.notified else ():
            notify(tx.notified)
        for ask in self._work if tx.jobs_due else ():
            ask()
        return result


class Shared:
    """An engine whose connections stay open from one process to the next: what is in the database is all they share."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()  # one transaction at a time, so that a seed is replayed in the same order

    @property
    def is_alone(self) -> bool:
        """Several processes share a history's database."""
        return False

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Nobody listens live in a history."""

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """A history says when work is done."""

    async def empty_log(self) -> bool:
        return await self._engine.empty_log()

    async def open(self) -> None:
        """It is open already."""

    async def close(self) -> None:
        """Its owner closes it."""

    async def read(self, unit: Unit[T], *, snapshot: bool = True) -> T:
        async with self._turn:
            return await self._engine.read(unit, snapshot=snapshot)

    async def write(self, unit: Unit[T]) -> T:
        async with self._turn:
            return await self._engine.write(unit)


class CommitLost(Exception):
    """The process ended with everything written and nothing committed."""


class CrashingEngine:
    """An engine whose process may end before a transaction, before its commit, and after it."""

    def __init__(self, engine: Engine, process: CanEnd) -> None:
        self._engine = engine
        self._process = process

    @property
    def is_alone(self) -> bool:
        """Several processes share a history's database."""
        return False

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        self._engine.on_events(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        self._engine.on_jobs(listener)

    async def empty_log(self) -> bool:
        return await self._engine.empty_log()

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()

    async def read(self, unit: Unit[T], *, snapshot: bool = True) -> T:
        await self._process.reach(f"before reading {_name(unit)}")
        found = await self._engine.read(unit, snapshot=snapshot)
        self._process.require_alive()
        return found

    async def write(self, unit: Unit[T]) -> T:
        name = _name(unit)
        await self._process.reach(f"before writing {name}")
        if self._process.must_end(f"before the commit of {name}"):
            await self._lose(unit)
        written = await self._engine.write(unit)
        await self._process.reach(f"after writing {name}")
        return written

    async def _lose(self, unit: Unit[T]) -> None:
        def torn(tx: Transaction) -> None:
            unit(tx)
            raise CommitLost

        try:
            await self._engine.write(torn)
        except Exception:  # noqa: BLE001 - whatever the unit raised, its caller has ended
            self._process.require_alive()


def _name(unit: Unit[T]) -> str:
    return getattr(unit, "__qualname__", type(unit).__name__).replace(".<locals>", "").replace(".<lambda>", "")
