"""SQLite: one writer thread that groups commits, a few reader threads, WAL with `synchronous=FULL`.

Every unit is a savepoint in the group. A full disk or an I/O error ends SQLite's transaction by itself, after which
each statement would commit alone; so after any error the connection is asked whether it is still in a transaction, and
if it is not, the whole group has failed. No result leaves before COMMIT has returned.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic

from service.domain.model import Clock
from service.errors import Unavailable
from service.store.engine import Dialect, T, Transaction, Unit
from service.store.process_lock import ProcessLock

_GROUP = 256
_READERS = 2
_BUSY_SECONDS = 5.0
_WATCH_SECONDS = 0.5
_NEWS = "SELECT seq, session_id FROM events WHERE seq > ? ORDER BY seq LIMIT 5000"
_CACHED_STATEMENTS = 512


class SqliteDialect:
    """SQLite's words; its clock is that of the machine it is embedded in."""

    name = "sqlite"
    lock = ""
    skip_locked = ""
    next_seq = "(SELECT COALESCE(MAX(seq), 0) + 1 FROM events)"
    drawn = "0"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def translate(self, sql: str) -> str:
        """Nothing to do: SQLite reads `:name` itself."""
        return sql

    def now(self, _tx: Transaction) -> float:
        """Seconds since the epoch."""
        return self._clock()


@dataclass(slots=True)
class _Job(Generic[T]):
    """A unit waiting for its commit; `outcome` is what will be delivered afterwards."""

    unit: Unit[T]
    future: "asyncio.Future[T]"
    loop: asyncio.AbstractEventLoop
    result: T | None = None
    error: BaseException | None = None
    notified: set[str] = field(default_factory=set)
    jobs_due: bool = False


class SqliteEngine:
    """One file (or one memory database), one process's door to it; other processes may write to the same file."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._dialect = SqliteDialect(clock)
        self._path = path
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._news: list[Callable[[set[str]], None]] = []
        self._work: list[Callable[[], None]] = []
        self._lock = ProcessLock(path)
        self._keep: sqlite3.Connection | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def dialect(self) -> Dialect:
        """See Engine."""
        return self._dialect

    @property
    def is_alone(self) -> bool:
        """See Engine."""
        return self._lock.is_alone

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """See Engine."""
        self._news.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """See Engine."""
        self._work.append(listener)

    async def open(self) -> None:
        """See Engine."""
        try:
            self._keep = self._connect()
        except sqlite3.Error as exc:
            raise Unavailable("The database file cannot be opened") from exc
        self._lock.take()
        self._readers = ThreadPoolExecutor(_READERS, "store-read")
        self._thread = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._thread.start()
        self._watcher = asyncio.create_task(self._watch(self._keep), name="store-watch")

    async def close(self) -> None:
        """See Engine."""
        if self._watcher is not None:
            self._watcher.cancel()
        thread, self._thread = self._thread, None
        readers, self._readers = self._readers, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)
        if readers is not None:
            await asyncio.to_thread(readers.shutdown)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._lock.release()

    async def write(self, unit: Unit[T]) -> T:
        """See Engine."""
        if self._thread is None:
            raise Unavailable
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(unit, future, loop))
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """See Engine."""
        if self._readers is None:
            raise Unavailable
        read: Callable[[], T] = partial(self._read, unit)
        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

    async def _watch(self, connection: sqlite3.Connection) -> None:
        """Other processes write to the same file; what they told of is told here within half a second."""
        seen: tuple[int, int] | None = None  # the file's version, and the log's end
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            with suppress(sqlite3.Error):  # not migrated yet, or away for a moment
                seen = self._look(connection, seen)

    def _look(self, connection: sqlite3.Connection, seen: tuple[int, int] | None) -> tuple[int, int]:
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if seen is None:
            return version, connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0]
        if version == seen[0]:
            return seen
        rows = connection.execute(_NEWS, (seen[1],)).fetchall()
        for tell in self._news if rows else ():
            tell({row["session_id"] or "" for row in rows})
        return version, rows[-1]["seq"] if rows else seen[1]

    def _read(self, unit: Unit[T]) -> T:
        try:
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                return unit(Transaction(connection.cursor(), self.dialect))
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as exc:
            raise Unavailable from exc
        except sqlite3.DatabaseError as exc:
            if type(exc) is not sqlite3.DatabaseError:
                raise  # a fault of ours
            raise Unavailable from exc  # the file is damaged

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
            uri=self._path.startswith("file:"),
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        self._connections.append(connection)
        return connection

    def _write_forever(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            job = self._jobs.get()
            if job is None:
                return
            group = [job, *self._waiting()]
            try:
                connection = connection or self._connect()
                self._commit(connection, group)
            except sqlite3.Error as exc:
                if _is_busy(exc):
                    group += self._all_waiting()
                _fail(group, exc)
                connection = _discard(connection)
            self._deliver(group)

    def _waiting(self) -> list[_Job[Any]]:
        group: list[_Job[Any]] = []
        while len(group) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:  # closing: what was accepted before is still done, then the thread ends
                self._jobs.put(None)
                break
            group.append(job)
        return group

    def _all_waiting(self) -> list[_Job[Any]]:
        """Whoever came while a lock was waited for in vain: they would wait as long again for the same one."""
        found: list[_Job[Any]] = []
        while more := self._waiting():
            found += more
        return found

    def _commit(self, connection: sqlite3.Connection, group: list[_Job[Any]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for job in group:
            self._attempt(connection, job)
        connection.execute("COMMIT")

    def _attempt(self, connection: sqlite3.Connection, job: _Job[Any]) -> None:
        tx = Transaction(connection.cursor(), self.dialect)
        connection.execute("SAVEPOINT unit")
        try:
            job.result = job.unit(tx)
        except Exception as exc:
            if not connection.in_transaction:
                raise sqlite3.OperationalError("the transaction ended under its group") from exc
            job.error = Unavailable() if isinstance(exc, sqlite3.OperationalError) else exc
            connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        job.notified, job.jobs_due = tx.notified, tx.jobs_due

    def _deliver(self, group: list[_Job[Any]]) -> None:
        loops = {job.loop for job in group}
        for loop in loops:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._finish, [job for job in group if job.loop is loop])

    def _finish(self, group: list[_Job[Any]]) -> None:
        for job in group:
            if job.future.done():  # its caller went away; the write stands
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)
        self._tell([job for job in group if job.error is None])

    def _tell(self, done: list[_Job[Any]]) -> None:
        notified: set[str] = set().union(*(job.notified for job in done))
        for tell in self._news if notified else ():
            tell(notified)
        for ask in self._work if any(job.jobs_due for job in done) else ():
            ask()


def _is_busy(exc: sqlite3.Error) -> bool:
    return getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _fail(group: list[_Job[Any]], cause: sqlite3.Error) -> None:
    for job in group:
        job.error = Unavailable()
        job.error.__cause__ = cause


def _discard(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """Roll back what the failed group left; a connection that cannot even do that is replaced."""
    if connection is None:
        return None
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        connection.close()  # or it would hold the write lock for ever
        return None
    return connection
