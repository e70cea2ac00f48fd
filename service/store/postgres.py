"""PostgreSQL: a few threads with one connection each, and a sequencer that gives committed events their positions.

Ids drawn from a sequence become visible out of order: a reader that has seen 2 would never see a 1 that commits later.
So an event is inserted without a position. One sequencer at a time (an advisory lock) gives positions to the committed
events, in the order in which they were drawn, and sends NOTIFY. No other transaction sends it: commits that send NOTIFY
share one lock, so they would wait for each other.
"""

import asyncio
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import psycopg
from psycopg import IsolationLevel

from service.domain.model import Clock
from service.domain.timing import IDLE_TRANSACTION_SECONDS
from service.errors import Unavailable
from service.store.dialects import PostgresDialect
from service.store.engine import TIMELINES_AFTER, T, Transaction, Unit, percent_style
from service.store.outages import Outages
from service.store.postgres_connections import PostgresConnections, WaitLimits, WatchedConnection

_THREADS = 8
_ATTEMPTS = 4  # of a transaction that lost a deadlock or a race for one row
_LOST_RACE = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,  # another process inserted the row after our SELECT: the next attempt finds it
    psycopg.errors.FeatureNotSupported,  # a newer version migrated a table of a prepared statement
)
_SEQUENCE_SECONDS = 1.0
_CHANNEL = "magiclink_events"
_SEQUENCER_LOCK = 7246002

# `drawn` is the order of insertion, so a session's events keep their order. Only the holder of the advisory lock runs
# this, and numbers continue from the highest: no two events get one position, and none appears behind a reader.
_SEQUENCE = """
UPDATE events SET seq = n.seq FROM (
  SELECT id, (SELECT COALESCE(MAX(seq), 0) FROM events) + ROW_NUMBER() OVER (ORDER BY drawn) AS seq
  FROM events WHERE seq IS NULL
) n WHERE events.id = n.id
"""


Begin = Callable[[psycopg.Connection[Any]], AbstractContextManager[Any]]


def _begin_write(connection: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
    connection.isolation_level, connection.read_only = None, None
    return connection.transaction()


def _begin_snapshot(connection: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
    # Otherwise two statements of one read could see two states: a page an old session with a new position.
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    return connection.transaction()


def _begin_nothing(_: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
    return nullcontext()


class PostgresEngine:
    """An engine on one database that any number of processes share.

    `clock` replaces the server's clock, for tests. A process that stands still inside a transaction for `idle_seconds`
    is cut off by the server: others wait for its locks. `limits` say how long this process waits for the server.
    Each of the `threads` that run units has a connection.
    """

    def __init__(
        self,
        url: str,
        clock: Clock | None = None,
        idle_seconds: float = IDLE_TRANSACTION_SECONDS,
        limits: WaitLimits | None = None,
        threads: int = _THREADS,
    ) -> None:
        self._dialect = PostgresDialect(clock)
        self._thread_count = threads
        self._limits = limits or WaitLimits()
        self._outages = Outages(url)
        self._connections = PostgresConnections(url, idle_seconds, self._limits)
        self._pool: ThreadPoolExecutor | None = None
        self._thread_local = threading.local()
        self._event_listeners: list[Callable[[set[str]], None]] = []
        self._job_listeners: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsequenced = threading.Event()
        self._closing = threading.Event()
        self._notified_seq: int | None = None
        self._wakeup: tuple[socket.socket, ...] = ()  # closing the second socket wakes the listening thread
        self._threads: list[threading.Thread] = []

    @property
    def is_alone(self) -> bool:
        """Never known: other machines may use the same database."""
        return False

    async def empty_log(self) -> bool:
        """Nothing to do: only the server removes its log."""
        return True

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` for events of all processes, once they have positions."""
        self._event_listeners.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """Call `listener` for jobs that this process enqueued; other processes' jobs are not reported."""
        self._job_listeners.append(listener)

    async def open(self) -> None:
        """Connect once, then start the sequencer and the listener. Raises Unavailable."""
        self._loop = asyncio.get_running_loop()
        self._closing.clear()
        self._threads.clear()
        self._connections.begin()
        self._pool = ThreadPoolExecutor(self._thread_count, "store")
        try:
            await self._loop.run_in_executor(self._pool, self._connection)
        except psycopg.Error as exc:
            raise self._outages.unavailable(exc) from exc
        self._wakeup = socket.socketpair()
        targets: dict[str, Callable[[], None]] = {
            "store-sequence": self._sequence_forever,
            "store-listen": self._listen_forever,
            "store-watch": partial(self._connections.watch, self._closing),
        }
        for name, target in targets.items():
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    async def close(self) -> None:
        """Finish the accepted units if that is done in time, stop the threads, and close every connection."""
        self._closing.set()
        self._unsequenced.set()
        for end in self._wakeup[1:]:
            end.close()
        pool, self._pool = self._pool, None
        ending: list[Callable[[], None]] = [pool.shutdown] if pool is not None else []
        ending += [thread.join for thread in self._threads]
        if ending and not await self._end_within(ending):
            self._connections.cut_all()
            await self._end_within(ending)
        for end in self._wakeup:
            end.close()
        self._connections.close_all()

    async def _end_within(self, ending: Sequence[Callable[[], None]]) -> bool:
        """Whether all of these have ended in time. What has not goes on in a thread."""
        waiting = [asyncio.create_task(asyncio.to_thread(end)) for end in ending]
        _, late = await asyncio.wait(waiting, timeout=self._limits.close_seconds)
        return not late

    async def write(self, unit: Unit[T]) -> T:
        """Run the unit in a thread of the pool, up to four times where it loses a race. Raises Unavailable."""
        if self._pool is None or self._loop is None:
            raise Unavailable
        result, tx = await self._loop.run_in_executor(self._pool, partial(self._attempt, unit))
        if tx.notified:
            self._unsequenced.set()
        for listener in self._job_listeners if tx.jobs_due else ():
            listener()
        return result

    async def read(self, unit: Unit[T], *, snapshot: bool = True) -> T:
        """Run the unit in a thread of the pool: in one transaction, or without `snapshot` in none."""
        if self._pool is None or self._loop is None:
            raise Unavailable
        begin = _begin_snapshot if snapshot else _begin_nothing
        result, _ = await self._loop.run_in_executor(self._pool, partial(self._attempt, unit, begin))
        return result

    def _attempt(self, unit: Unit[T], begin: Begin = _begin_write) -> tuple[T, Transaction]:
        attempts = 0
        while True:
            attempts += 1
            written = False
            try:
                connection = self._connection()
                with begin(connection):
                    written = begin is _begin_write
                    tx = Transaction(connection.cursor(), self._dialect)
                    result = unit(tx)
                # The sequencer's first commit is no caller's: a migration that fails after it still says why.
                if written and (self._outages.has_worked or unit is not _sequence):
                    self._outages.works()
                return result, tx  # noqa: TRY300 - an error of the commit is one of these
            except _LOST_RACE as exc:
                self._discard_prepared(exc)
                if attempts == _ATTEMPTS:
                    raise Unavailable from exc
            except (psycopg.OperationalError, psycopg.InternalError) as exc:
                # The server ended the connection, as it does to idle ones when it restarts: the unit may run again on a
                # new one, unless it began to write. Then a commit may have happened.
                was_ended = self._discard_connection()
                if written or attempts > 1 or not was_ended:
                    raise self._outages.unavailable(exc) from exc

    def _discard_prepared(self, exc: psycopg.Error) -> None:
        # "Cached plan must not change result type": a new connection has no prepared statements.
        if isinstance(exc, psycopg.errors.FeatureNotSupported):
            self._discard_connection()

    def _connection(self) -> WatchedConnection:
        connection: WatchedConnection | None = getattr(self._thread_local, "connection", None)
        if connection is None or connection.closed:
            self._discard_connection()
            connection = self._thread_local.connection = self._connections.connect()
        return connection

    def _discard_connection(self) -> bool:
        """Close this thread's connection, whose state is unknown after a failure; return whether it had ended."""
        connection: WatchedConnection | None = getattr(self._thread_local, "connection", None)
        self._thread_local.connection = None
        if connection is None:
            return False
        was_ended = bool(connection.closed)
        self._connections.close(connection)
        return was_ended

    async def number(self) -> None:
        """Give positions to all committed events now. The sequencer does the same within a second."""
        if self._pool is not None:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._attempt, _sequence)

    def _sequence_forever(self) -> None:
        while not self._closing.is_set():
            self._unsequenced.wait(_SEQUENCE_SECONDS)  # at the timeout too: another process may have died before it
            self._unsequenced.clear()
            try:
                self._attempt(_sequence)
            except (Unavailable, psycopg.Error):  # the server is away, or the database is not migrated yet
                self._closing.wait(_SEQUENCE_SECONDS)

    def _listen_forever(self) -> None:
        while not self._closing.is_set():
            try:
                with self._connections.one() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._listen(connection)
            except psycopg.errors.UndefinedTable:  # not migrated yet
                self._closing.wait(_SEQUENCE_SECONDS)
            except (psycopg.Error, OSError) as exc:  # OSError: no file handle is left to wait with
                self._outages.unavailable(exc)
                self._closing.wait(_SEQUENCE_SECONDS)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        # Go on from the last event notified: none is lost between two connections. A restored log may be shorter.
        end = _last_seq(connection)
        self._notified_seq = end if self._notified_seq is None else min(self._notified_seq, end)
        while not self._closing.is_set():
            rows = connection.execute(percent_style(TIMELINES_AFTER), {"seq": self._notified_seq}).fetchall()
            if rows:
                self._notified_seq = rows[-1]["seq"]
                also_of = {row["also_of"] for row in rows if row["also_of"]}
                self._notify_listeners({row["session_id"] or "" for row in rows} | also_of)
            self._wait_for_notify(connection)

    def _wait_for_notify(self, connection: psycopg.Connection[Any]) -> None:
        """Return after a NOTIFY, when the engine closes, or after a second."""
        if list(connection.notifies(timeout=0)):  # it came while events were being read
            return
        with selectors.DefaultSelector() as selector:
            for each in (connection, self._wakeup[0]):
                selector.register(each, selectors.EVENT_READ)
            selector.select(_SEQUENCE_SECONDS)
        list(connection.notifies(timeout=0))

    def _notify_listeners(self, sessions: set[str]) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        for listener in self._event_listeners:
            self._loop.call_soon_threadsafe(listener, sessions)


def _sequence(tx: Transaction) -> None:
    # A statement of its own: under READ COMMITTED the UPDATE then sees the positions that the last holder committed.
    tx.run(f"SELECT pg_advisory_xact_lock({_SEQUENCER_LOCK})")
    if tx.run(_SEQUENCE):
        tx.run(f"NOTIFY {_CHANNEL}")


def _last_seq(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT COALESCE(MAX(seq), 0) AS seq FROM events").fetchone()
    return int(row["seq"]) if row else 0
