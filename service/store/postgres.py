"""PostgreSQL: a few threads with a connection each; a sequencer gives events their positions after the commit.

Ids drawn by a sequence become visible out of order: a reader that has seen 2 would never see a 1 that commits later. So
an event is written without a position, and one sequencer at a time (an advisory lock) numbers what is committed. The
same step tells all processes: NOTIFY makes commits wait for each other, so it stands in no story's transaction.
"""

import asyncio
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import psycopg
from psycopg.rows import dict_row

from service.domain.model import Clock
from service.errors import Unavailable
from service.store.engine import Dialect, T, Transaction, Unit, percent_style

_log = logging.getLogger(__name__)

_THREADS = 8
_ATTEMPTS = 4  # of a transaction that lost a deadlock or a race for one row
_LOST_RACE = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,  # another process wrote the row after we had looked for it: it is found next time
    psycopg.errors.FeatureNotSupported,  # a newer version of us changed the tables of what was prepared
)
_SWEEP_SECONDS = 1.0
_CHANNEL = "magiclink_events"
_LOCK = 7246002
_AWAY_SECONDS = 0.5
# A network that swallows everything looks like a server that thinks: who has said nothing for seven seconds is away.
_CONNECT = {
    "connect_timeout": 3,
    "tcp_user_timeout": 7000,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "options": "-c lock_timeout=10000 -c statement_timeout=30000",
}

_NUMBER = """
UPDATE events SET seq = n.seq FROM (
  SELECT id, (SELECT COALESCE(MAX(seq), 0) FROM events) + ROW_NUMBER() OVER (ORDER BY drawn) AS seq
  FROM events WHERE seq IS NULL
) n WHERE events.id = n.id
"""
_NEWS = "SELECT seq, session_id FROM events WHERE seq > %s ORDER BY seq LIMIT 5000"


class PostgresDialect:
    """PostgreSQL's words; its clock is the server's, the same for every process."""

    name = "postgresql"
    lock = " FOR UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"
    next_seq = "NULL"
    drawn = "nextval('event_draws')"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock

    def translate(self, sql: str) -> str:
        """`:name` as psycopg writes it."""
        return percent_style(sql)

    def now(self, tx: Transaction) -> float:
        """Seconds since the epoch."""
        if self._clock is not None:
            return self._clock()
        row = tx.one("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS now")
        return float(row["now"]) if row is not None else 0.0


class PostgresEngine:
    """One database, shared by any number of processes. `clock` stands in for the server's, for those who test time."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._dialect = PostgresDialect(clock)
        self._url = url
        self._pool: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._open: set[psycopg.Connection[Any]] = set()
        self._news: list[Callable[[set[str]], None]] = []
        self._work: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unnumbered = threading.Event()
        self._closing = threading.Event()
        self._away_until = 0.0
        self._last: int | None = None  # the position of the newest event that was told of here
        self._bell: tuple[socket.socket, ...] = ()  # the listener wakes when the other end closes
        self._threads: list[threading.Thread] = []

    @property
    def dialect(self) -> Dialect:
        """See Engine."""
        return self._dialect

    @property
    def is_alone(self) -> bool:
        """Never known: other machines may use the same database."""
        return False

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """See Engine."""
        self._news.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """See Engine."""
        self._work.append(listener)

    async def open(self) -> None:
        """See Engine."""
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(_THREADS, "store")
        try:
            await self._loop.run_in_executor(self._pool, self._connection)
        except psycopg.Error as exc:
            raise Unavailable("The database does not answer") from exc
        self._bell = socket.socketpair()
        for name, target in (("store-number", self._number_forever), ("store-listen", self._listen_forever)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    async def close(self) -> None:
        """See Engine."""
        self._closing.set()
        self._unnumbered.set()
        for signal in self._bell[1:]:
            signal.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for signal in self._bell:
            signal.close()
        for connection in list(self._open):
            connection.close()

    async def write(self, unit: Unit[T]) -> T:
        """See Engine."""
        if self._pool is None or self._loop is None:
            raise Unavailable
        result, tx = await self._loop.run_in_executor(self._pool, partial(self._attempt, unit))
        if tx.notified:
            self._unnumbered.set()
        for ask in self._work if tx.jobs_due else ():
            ask()
        return result

    async def read(self, unit: Unit[T]) -> T:
        """See Engine."""
        if self._pool is None or self._loop is None:
            raise Unavailable
        result, _ = await self._loop.run_in_executor(self._pool, partial(self._attempt, unit))
        return result

    def _attempt(self, unit: Unit[T]) -> tuple[T, Transaction]:
        attempts = 0
        while True:
            attempts += 1
            begun = False
            try:
                connection = self._connection()
                with connection.transaction():
                    begun = True
                    tx = Transaction(connection.cursor(), self._dialect)
                    return unit(tx), tx
            except _LOST_RACE as exc:
                self._forget_plans(exc)
                if attempts == _ATTEMPTS:
                    raise Unavailable from exc
            except (psycopg.OperationalError, psycopg.InternalError) as exc:
                # One that was ended while it lay idle, as by a restart of the server, has done nothing: take a new one.
                had_one = self._discard()
                if begun or attempts > 1 or not had_one:
                    raise Unavailable from exc

    def _forget_plans(self, exc: psycopg.Error) -> None:
        if isinstance(exc, psycopg.errors.FeatureNotSupported):
            self._discard()

    def _connection(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect()
            self._local.connection = connection
        return connection

    def _connect(self) -> psycopg.Connection[Any]:
        if perf_counter() < self._away_until:  # or a hundred that wait would be refused eight at a time
            raise psycopg.OperationalError("the server did not answer a moment ago")
        try:
            connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row, **_CONNECT)  # type: ignore[arg-type]
        except psycopg.OperationalError:
            self._away_until = perf_counter() + _AWAY_SECONDS
            raise
        self._open.add(connection)
        return connection

    def _discard(self) -> bool:
        """After a failure the connection is closed: what state it is in nobody needs to know. False where none was."""
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            self._open.discard(connection)
            connection.close()
        return connection is not None

    async def number(self) -> None:
        """Give their positions to all events that are committed, now; it happens by itself a moment later."""
        if self._pool is not None:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._attempt, _number)

    def _number_forever(self) -> None:
        while not self._closing.is_set():
            self._unnumbered.wait(_SWEEP_SECONDS)  # what a killed process left is found by the next sweep
            self._unnumbered.clear()
            try:
                self._attempt(_number)
            except (Unavailable, psycopg.Error):  # away, or opened and not migrated yet
                self._closing.wait(_SWEEP_SECONDS)

    def _listen_forever(self) -> None:
        while not self._closing.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, **_CONNECT) as connection:  # type: ignore[arg-type]
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._listen(connection)
            except psycopg.errors.UndefinedTable:  # opened, and not migrated yet
                self._closing.wait(_SWEEP_SECONDS)
            except psycopg.Error:
                _log.warning("the database does not answer; live news waits")
                self._closing.wait(_SWEEP_SECONDS)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        """Begins where an earlier connection ended: what was told while there was none is told of now."""
        end = _end(connection)
        self._last = end if self._last is None else min(self._last, end)
        while not self._closing.is_set():
            rows = connection.execute(_NEWS, (self._last,)).fetchall()
            if rows:
                self._last = rows[-1][0]
                self._tell({session or "" for _, session in rows})
            self._await_news(connection)

    def _await_news(self, connection: psycopg.Connection[Any]) -> None:
        """Until the server says a word, the engine closes, or the sweep is due."""
        if list(connection.notifies(timeout=0)):  # came while the last news was being read
            return
        with selectors.DefaultSelector() as selector:
            for each in (connection, self._bell[0]):
                selector.register(each, selectors.EVENT_READ)
            selector.select(_SWEEP_SECONDS)
        list(connection.notifies(timeout=0))

    def _tell(self, sessions: set[str]) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        for tell in self._news:
            self._loop.call_soon_threadsafe(tell, sessions)


def _number(tx: Transaction) -> None:
    tx.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if tx.run(_NUMBER):
        tx.run(f"NOTIFY {_CHANNEL}")


def _end(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()
    return int(row[0]) if row else 0
