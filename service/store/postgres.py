"""PostgreSQL: a few threads with one connection each, and a sequencer that gives committed events their positions.

Ids drawn from a sequence become visible out of order: a reader that has seen 2 would never see a 1 that commits later.
So an event is inserted without a position. One sequencer at a time (an advisory lock) gives positions to the committed
events, in the order in which they were drawn, and sends NOTIFY. No other transaction sends it: commits that send NOTIFY
share one lock, so they would wait for each other.
"""

import asyncio
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import perf_counter
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import dict_row

from service.domain.model import Clock
from service.domain.timing import IDLE_TRANSACTION_SECONDS
from service.errors import Unavailable
from service.store.dialects import PostgresDialect
from service.store.engine import TIMELINES_AFTER, T, Transaction, Unit, percent_style

_log = logging.getLogger(__name__)

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
_AWAY_SECONDS = 0.5
# A network that drops every packet looks like a slow server: a server that is silent for seven seconds is unavailable.
_CONNECT = {
    "connect_timeout": 3,
    "tcp_user_timeout": 7000,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}
_TIMEOUTS = "-c lock_timeout=10000 -c statement_timeout=30000"

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
    is cut off by the server: others wait for its locks.
    """

    def __init__(self, url: str, clock: Clock | None = None, idle_seconds: float = IDLE_TRANSACTION_SECONDS) -> None:
        self._dialect = PostgresDialect(clock)
        self._url = url
        idle = f"-c idle_in_transaction_session_timeout={idle_seconds * 1000:.0f}"
        self._options: dict[str, Any] = _CONNECT | {"options": f"{_TIMEOUTS} {idle}"}
        self._pool: ThreadPoolExecutor | None = None
        self._thread_local = threading.local()
        self._connections: set[psycopg.Connection[Any]] = set()
        self._event_listeners: list[Callable[[set[str]], None]] = []
        self._job_listeners: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsequenced = threading.Event()
        self._closing = threading.Event()
        self._away_until = 0.0
        self._notified_seq: int | None = None
        self._wakeup: tuple[socket.socket, ...] = ()  # closing the second socket wakes the listening thread
        self._threads: list[threading.Thread] = []

    @property
    def is_alone(self) -> bool:
        """Never known: other machines may use the same database."""
        return False

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` for events of all processes, once they have positions."""
        self._event_listeners.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """Call `listener` for jobs that this process enqueued; other processes' jobs are not reported."""
        self._job_listeners.append(listener)

    async def open(self) -> None:
        """Connect once, then start the sequencer and the listener. Raises Unavailable."""
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(_THREADS, "store")
        try:
            await self._loop.run_in_executor(self._pool, self._connection)
        except psycopg.Error as exc:
            raise Unavailable("The database does not answer") from exc
        self._wakeup = socket.socketpair()
        for name, target in (("store-sequence", self._sequence_forever), ("store-listen", self._listen_forever)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    async def close(self) -> None:
        """Finish the units that run, stop both threads, and close every connection."""
        self._closing.set()
        self._unsequenced.set()
        for end in self._wakeup[1:]:
            end.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for end in self._wakeup:
            end.close()
        for connection in list(self._connections):
            connection.close()

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
                    return unit(tx), tx
            except _LOST_RACE as exc:
                self._discard_prepared(exc)
                if attempts == _ATTEMPTS:
                    raise Unavailable from exc
            except (psycopg.OperationalError, psycopg.InternalError) as exc:
                # The server ended the connection, as it does to idle ones when it restarts: the unit may run again on a
                # new one, unless it began to write. Then a commit may have happened.
                was_ended = self._discard_connection()
                if written or attempts > 1 or not was_ended:
                    raise Unavailable from exc

    def _discard_prepared(self, exc: psycopg.Error) -> None:
        # "Cached plan must not change result type": a new connection has no prepared statements.
        if isinstance(exc, psycopg.errors.FeatureNotSupported):
            self._discard_connection()

    def _connection(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._thread_local, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect()
            self._thread_local.connection = connection
        return connection

    def _connect(self) -> psycopg.Connection[Any]:
        # While the server is away, fail at once: a hundred queued units would otherwise time out eight at a time.
        if perf_counter() < self._away_until:
            raise psycopg.OperationalError("the server did not answer a moment ago")
        try:
            connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row, **self._options)
        except psycopg.OperationalError:
            self._away_until = perf_counter() + _AWAY_SECONDS
            raise
        self._connections.add(connection)
        return connection

    def _discard_connection(self) -> bool:
        """Close this thread's connection, whose state is unknown after a failure; return whether it had ended."""
        connection: psycopg.Connection[Any] | None = getattr(self._thread_local, "connection", None)
        self._thread_local.connection = None
        if connection is None:
            return False
        was_ended = bool(connection.closed)
        self._connections.discard(connection)
        connection.close()
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
                with psycopg.connect(self._url, autocommit=True, **self._options) as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._listen(connection)
            except psycopg.errors.UndefinedTable:  # not migrated yet
                self._closing.wait(_SEQUENCE_SECONDS)
            except psycopg.Error:
                _log.warning("the database does not answer; live events wait")
                self._closing.wait(_SEQUENCE_SECONDS)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        # Go on from the last event notified: none is lost between two connections. A restored log may be shorter.
        end = _last_seq(connection)
        self._notified_seq = end if self._notified_seq is None else min(self._notified_seq, end)
        while not self._closing.is_set():
            rows = connection.execute(percent_style(TIMELINES_AFTER), {"seq": self._notified_seq}).fetchall()
            if rows:
                self._notified_seq = rows[-1][0]
                self._notify_listeners({row[1] or "" for row in rows} | {row[2] for row in rows if row[2]})
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
    row = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()
    return int(row[0]) if row else 0
