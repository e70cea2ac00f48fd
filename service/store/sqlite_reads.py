"""Reads on SQLite: a short one runs in the event loop, a long one in a thread.

Handing a read to a thread and back takes longer than reading a few rows by their index, and with every statement the
thread waits for the interpreter's lock. So each read begins in the event loop, where SQLite interrupts it after a fixed
number of its instructions; one that was interrupted starts again in a thread. So no read keeps the event loop for long,
however large the tables are.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from service.errors import Unavailable
from service.store.dialects import SqliteDialect
from service.store.engine import T, Transaction, Unit
from service.store.outages import Outages
from service.store.sqlite_rows import DictCursor

_THREADS = 2
# About a millisecond of SQLite's work: the largest list page, a hundred sessions with their connections, takes 11,000.
# In a thread, after the interrupted try, such a page took nearly twice as long.
_INSTRUCTIONS = 20_000
_BETWEEN_CHECKS = 500


class SqliteReaders:
    """Runs reads, each on one snapshot of the database where it asks for that."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], dialect: SqliteDialect, outages: Outages | None = None
    ) -> None:
        self._connect = connect
        self._outages = outages or Outages()
        self._dialect = dialect
        self._loop_connection: sqlite3.Connection | None = None
        self._checks_left = 0
        self._threads: ThreadPoolExecutor | None = None
        self._thread_local = threading.local()

    def open(self) -> sqlite3.Connection:
        """Open the event loop's connection and start the threads; return that connection."""
        self._loop_connection = self._connect()
        # It waits for no lock: whatever is locked is read in a thread, which can wait.
        self._loop_connection.execute("PRAGMA busy_timeout=0")
        self._threads = ThreadPoolExecutor(_THREADS, "store-read")
        return self._loop_connection

    async def close(self) -> None:
        """Finish the reads in the threads. The engine closes the connections."""
        threads, self._threads = self._threads, None
        self._loop_connection = None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    async def read(self, unit: Unit[T], *, snapshot: bool) -> T:
        """Run the unit, a second time in a thread where it is long. Raises Unavailable."""
        if self._threads is None or self._loop_connection is None:
            raise Unavailable
        await asyncio.sleep(0)  # a caller that reads in a loop gives other tasks their turns
        try:
            return self._read_in_loop(self._loop_connection, unit, snapshot=snapshot)
        except sqlite3.DatabaseError:  # interrupted or locked; of any other error the thread decides what it means
            read: Callable[[], T] = partial(self._read_in_thread, unit, snapshot=snapshot)
            return await asyncio.get_running_loop().run_in_executor(self._threads, read)

    def _read_in_loop(self, connection: sqlite3.Connection, unit: Unit[T], *, snapshot: bool) -> T:
        cursor = connection.cursor(DictCursor)
        if snapshot:
            cursor.execute("BEGIN")
        # Only while the unit runs: an interrupted ROLLBACK would leave the snapshot open.
        self._checks_left = _INSTRUCTIONS // _BETWEEN_CHECKS
        connection.set_progress_handler(self._is_spent, _BETWEEN_CHECKS)
        try:
            return unit(Transaction(cursor, self._dialect))
        finally:
            connection.set_progress_handler(None, 0)
            if snapshot:
                cursor.execute("ROLLBACK")

    def _is_spent(self) -> bool:
        self._checks_left -= 1
        return self._checks_left < 0

    def _read_in_thread(self, unit: Unit[T], *, snapshot: bool) -> T:
        try:
            return self._read_on(self._connection_of_thread(), unit, snapshot=snapshot)
        except sqlite3.OperationalError as exc:
            raise self._outages.unavailable(exc) from exc
        except sqlite3.DatabaseError as exc:
            # A damaged file raises DatabaseError itself; its subclasses are errors in our SQL.
            if type(exc) is not sqlite3.DatabaseError:
                raise
            raise self._outages.unavailable(exc) from exc

    def _read_on(self, connection: sqlite3.Connection, unit: Unit[T], *, snapshot: bool) -> T:
        if snapshot:
            connection.execute("BEGIN")
        try:
            return unit(Transaction(connection.cursor(DictCursor), self._dialect))
        finally:
            if snapshot:
                connection.execute("ROLLBACK")

    def _connection_of_thread(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._thread_local, "connection", None)
        if connection is None:
            connection = self._thread_local.connection = self._connect()
        return connection
