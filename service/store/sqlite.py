"""SQLite: one writer thread that commits writes in groups, reads beside it, WAL with `synchronous=FULL`.

A group runs as one transaction. Where one of its units raises, all are run again, each in a savepoint. A full disk or
an I/O error can end SQLite's transaction without a ROLLBACK; each later statement would then commit alone. So after
each unit the writer checks that the connection is still in a transaction, and fails the whole group if it is not. No
result is returned before COMMIT has returned.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic

from service.domain.model import Clock
from service.errors import Unavailable
from service.store.dialects import SqliteDialect
from service.store.engine import TIMELINES_AFTER, T, Transaction, Unit
from service.store.files import for_this_user_only, identity
from service.store.outages import Outages
from service.store.process_lock import ProcessLock
from service.store.sqlite_log import empty_log
from service.store.sqlite_reads import SqliteReaders
from service.store.sqlite_rows import DictCursor

_GROUP = 256  # writes per COMMIT at most, so that the first of them does not wait long
_BUSY_SECONDS = 5.0
_POLL_SECONDS = 0.5
_CACHED_STATEMENTS = 512


@dataclass(slots=True)
class _PendingWrite(Generic[T]):
    """A write that waits for its group's COMMIT; `result` or `error` is set in the future afterwards."""

    unit: Unit[T]
    future: "asyncio.Future[T]"
    loop: asyncio.AbstractEventLoop
    result: T | None = None
    error: BaseException | None = None
    notified: set[str] = field(default_factory=set)
    jobs_due: bool = False


class SqliteEngine:
    """An engine on one file, or on one memory database. Other processes may write to the same file.

    `path` is a file name or a `file:` URI.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._dialect = SqliteDialect(clock)
        self._path = path
        self._queue: queue.SimpleQueue[_PendingWrite[Any] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._outages = Outages()
        self._readers = SqliteReaders(self._connect, self._dialect, self._outages)
        self._connections: list[sqlite3.Connection] = []
        self._event_listeners: list[Callable[[set[str]], None]] = []
        self._job_listeners: list[Callable[[], None]] = []
        self._poller: asyncio.Task[None] | None = None
        self._lock = ProcessLock(path)
        self._file: tuple[int, int] | None = None

    @property
    def is_alone(self) -> bool:
        """Whether no other process had the file open when this one opened it."""
        return self._lock.is_alone

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` after each group that wrote events, and within half a second of another process's events."""
        self._event_listeners.append(listener)

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each group that enqueued jobs; other processes' jobs are not reported."""
        self._job_listeners.append(listener)

    async def open(self) -> None:
        """Open the file and start the threads. Raises Unavailable."""
        try:
            for_this_user_only(self._path)
            # Open until `close`: a memory database is deleted when its last connection closes.
            connection = self._readers.open()
        except (OSError, sqlite3.Error) as exc:
            raise self._outages.unavailable(exc) from exc
        self._file = identity(self._path)
        self._lock.take()
        self._writer = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._writer.start()
        self._poller = asyncio.create_task(self._poll_events(connection), name="store-poll")

    async def close(self) -> None:
        """Commit what is queued, then close every connection."""
        if self._poller is not None:
            self._poller.cancel()
        writer, self._writer = self._writer, None
        if writer is not None:
            self._queue.put(None)
            await asyncio.to_thread(writer.join)
        await self._readers.close()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._lock.release()

    async def write(self, unit: Unit[T]) -> T:
        """Run the unit in the writer thread; return its result once it is on disk. Raises Unavailable."""
        if self._writer is None:
            raise Unavailable
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_PendingWrite(unit, future, loop))
        return await future

    async def read(self, unit: Unit[T], *, snapshot: bool = True) -> T:
        """Run the unit, more than once where it is long. Raises Unavailable."""
        return await self._readers.read(unit, snapshot=snapshot)

    async def empty_log(self) -> bool:
        """Empty the `-wal` file. Raises Unavailable."""
        try:
            return await asyncio.to_thread(empty_log, self._path)
        except sqlite3.Error as exc:
            raise self._outages.unavailable(exc) from exc

    async def _poll_events(self, connection: sqlite3.Connection) -> None:
        """Notify the listeners of events that other processes write to the same file."""
        seen: tuple[int, int] | None = None  # the file's data_version, and the position of the newest event
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            with suppress(sqlite3.Error):  # not migrated yet, or locked for a moment: the next poll reads it
                seen = self._read_new_events(connection, seen)

    def _read_new_events(self, connection: sqlite3.Connection, seen: tuple[int, int] | None) -> tuple[int, int]:
        # Reference: sqlite.org/pragma.html: data_version changes when another connection commits.
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if seen is None:
            return version, connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0]
        if version == seen[0]:
            return seen
        rows = connection.execute(TIMELINES_AFTER, {"seq": seen[1]}).fetchall()
        sessions = {row["session_id"] or "" for row in rows} | {row["also_of"] for row in rows if row["also_of"]}
        for listener in self._event_listeners if rows else ():
            listener(sessions)
        return version, rows[-1]["seq"] if rows else seen[1]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,  # the driver adds no BEGIN or COMMIT to ours
            check_same_thread=False,  # `close` closes it from another thread
            cached_statements=_CACHED_STATEMENTS,
            uri=self._path.startswith("file:"),
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        # In WAL mode only FULL syncs at each commit. Reference: sqlite.org/pragma.html, synchronous.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # Nothing that was deleted or overwritten is left in the file: an erased user. Reference: the same page.
        connection.execute("PRAGMA secure_delete=ON")
        self._connections.append(connection)
        return connection

    def _write_forever(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            write = self._queue.get()
            if write is None:
                return
            group = [write, *self._take_queued()]
            try:
                connection = connection or self._connect()
                self._commit(connection, group)
            except sqlite3.Error as exc:
                if _is_busy(exc):
                    # Fail the queued writes too: each would wait as long for the same lock.
                    group += self._take_all_queued()
                _fail(group, exc, self._outages.unavailable(exc).detail)
                connection = _roll_back(connection)
            self._resolve(group)

    def _take_queued(self) -> list[_PendingWrite[Any]]:
        group: list[_PendingWrite[Any]] = []
        while len(group) < _GROUP:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:  # `close` was called: put its mark back, so that the thread ends after this group
                self._queue.put(None)
                break
            group.append(write)
        return group

    def _take_all_queued(self) -> list[_PendingWrite[Any]]:
        taken: list[_PendingWrite[Any]] = []
        while more := self._take_queued():
            taken += more
        return taken

    def _commit(self, connection: sqlite3.Connection, group: list[_PendingWrite[Any]]) -> None:
        # SQLite would go on in a file that no name leads to: all that is written would be gone at the next start.
        if identity(self._path) != self._file:
            raise sqlite3.OperationalError("its file was deleted or replaced while this process runs")
        # IMMEDIATE takes the write lock now: a deferred lock could fail after some units have already run.
        connection.execute("BEGIN IMMEDIATE")
        if not self._run_all(connection, group):
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            for write in group:
                self._run_in_savepoint(connection, write)
        connection.execute("COMMIT")
        if not any(isinstance(write.error, Unavailable) for write in group):
            self._outages.works()

    def _run_all(self, connection: sqlite3.Connection, group: list[_PendingWrite[Any]]) -> bool:
        """Run the units without savepoints, which would be a fifth of the statements; False where one raised."""
        try:
            for write in group:
                self._run(connection, write)
                _require_transaction(connection)
        except Exception as exc:  # noqa: BLE001 - in its savepoint the same unit raises it again, and is answered
            _require_transaction(connection, exc)
            return False
        return True

    def _run_in_savepoint(self, connection: sqlite3.Connection, write: _PendingWrite[Any]) -> None:
        connection.execute("SAVEPOINT unit")
        try:
            self._run(connection, write)
        except Exception as exc:  # noqa: BLE001 - it is raised where the unit's result is awaited
            _require_transaction(connection, exc)
            write.error = self._outages.unavailable(exc) if isinstance(exc, sqlite3.OperationalError) else exc
            connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")

    def _run(self, connection: sqlite3.Connection, write: _PendingWrite[Any]) -> None:
        tx = Transaction(connection.cursor(DictCursor), self._dialect)
        write.result = write.unit(tx)
        write.notified, write.jobs_due = tx.notified, tx.jobs_due

    def _resolve(self, group: list[_PendingWrite[Any]]) -> None:
        # Called in the writer thread; a future may be resolved only in its own event loop.
        for loop in {write.loop for write in group}:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._resolve_in_loop, [write for write in group if write.loop is loop])

    def _resolve_in_loop(self, group: list[_PendingWrite[Any]]) -> None:
        for write in group:
            if write.future.done():  # its caller was cancelled; the write is still committed
                continue
            if write.error is None:
                write.future.set_result(write.result)
            else:
                write.future.set_exception(write.error)
        self._notify_listeners([write for write in group if write.error is None])

    def _notify_listeners(self, committed: list[_PendingWrite[Any]]) -> None:
        notified: set[str] = set().union(*(write.notified for write in committed))
        for listen_to_events in self._event_listeners if notified else ():
            listen_to_events(notified)
        for listen_to_jobs in self._job_listeners if any(write.jobs_due for write in committed) else ():
            listen_to_jobs()


def _require_transaction(connection: sqlite3.Connection, exc: Exception | None = None) -> None:
    if not connection.in_transaction:
        raise sqlite3.OperationalError("the transaction ended under its group") from exc


def _is_busy(exc: sqlite3.Error) -> bool:
    return getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _fail(group: list[_PendingWrite[Any]], cause: sqlite3.Error, detail: str) -> None:
    for write in group:
        write.error = Unavailable(detail)
        write.error.__cause__ = cause


def _roll_back(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """Roll back the failed group; return None where the connection failed too and must be replaced."""
    if connection is None:
        return None
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        connection.close()  # an open connection could keep the write lock
        return None
    return connection
