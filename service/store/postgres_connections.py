"""The connections of one process to PostgreSQL, and the watch that cuts those to a server that stands still.

A server whose processes stand still (a frozen machine, a disk that does not answer, a commit that waits for a lost
replica) answers nothing, while its kernel acknowledges every packet: no timeout of TCP ends, and those of the server
do not run. A slow statement looks the same from here. So where an answer is late, the watch asks the server to commit
something on a connection of its own, and cuts the late connections only where that is not answered either.
"""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from os import dup
from time import perf_counter
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import dict_row

R = TypeVar("R")

_AWAY_SECONDS = 0.5
_WATCH_SECONDS = 0.25
# A network that drops every packet looks like a slow server: a server that is silent for seven seconds is unavailable.
_CONNECT = {"tcp_user_timeout": 7000, "keepalives_idle": 3, "keepalives_interval": 2, "keepalives_count": 2}
_TIMEOUTS = "-c lock_timeout=10000 -c statement_timeout=30000"
# It writes to the server's log of transactions and waits until that is on disk, and changes no table.
_COMMIT_SOMETHING = b"SELECT pg_logical_emit_message(true, 'magiclink', '')"


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """When an answer is `late`, how long the server then has to `connect` and to commit, and what `close` waits for.

    Late answers are cut after about seven seconds. libpq knows no time to connect below two.
    """

    late_seconds: float = 3.5
    connect_seconds: int = 3
    close_seconds: float = 2.0


class WatchedConnection(psycopg.Connection[Any]):
    """A connection of which another thread can see how long it has waited for an answer, and end that wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting_since: float | None = None
        self._waiting = threading.Lock()

    def wait(self, gen: PQGen[R], *args: Any, **kwargs: Any) -> R:
        """Wait for an answer of the server; the driver calls this for every one."""
        with self._waiting:
            self._waiting_since = perf_counter()
        try:
            return super().wait(gen, *args, **kwargs)
        finally:
            with self._waiting:
                self._waiting_since = None

    def waits_since(self, moment: float) -> bool:
        """Whether it waits for an answer, and has since then."""
        since = self._waiting_since
        return since is not None and since <= moment

    def cut(self, moment: float) -> None:
        """End its wait with an error, if it waits since then."""
        # Under the lock the thread that waits cannot close the connection, whose number another socket could then have.
        with self._waiting:
            if self.waits_since(moment):
                # Both errors mean that the connection has ended already: there is no wait left to cut.
                with suppress(OSError, psycopg.Error), socket.socket(fileno=dup(self.fileno())) as shared:
                    shared.shutdown(socket.SHUT_RDWR)


class PostgresConnections:
    """Opens, keeps, watches and closes them.

    A process that stands still within a transaction is cut off by the server after `idle_seconds`: others wait for its
    locks.
    """

    def __init__(self, url: str, idle_seconds: float, limits: WaitLimits) -> None:
        self._url = url
        self._limits = limits
        idle = f"-c idle_in_transaction_session_timeout={idle_seconds * 1000:.0f}"
        self._options: dict[str, Any] = _CONNECT | {
            "connect_timeout": limits.connect_seconds,
            "options": f"{_TIMEOUTS} {idle}",
        }
        self._open: set[WatchedConnection] = set()
        self._changing = threading.Lock()
        self._away_until = 0.0
        self._over = threading.Event()

    def begin(self) -> None:
        """Allow connections, also after `close_all`."""
        self._over.clear()

    def connect(self) -> WatchedConnection:
        """Return a new connection. Raises psycopg.Error."""
        # While the server is away, fail at once: a hundred queued units would otherwise time out eight at a time.
        if self._over.is_set() or perf_counter() < self._away_until:
            raise psycopg.OperationalError("the server did not answer a moment ago")
        try:
            connection = WatchedConnection.connect(self._url, autocommit=True, row_factory=dict_row, **self._options)
        except psycopg.OperationalError:
            self._away_until = perf_counter() + _AWAY_SECONDS
            raise
        except OSError as exc:  # no file handle is left to wait with: the driver passes this on as it is
            raise psycopg.OperationalError(str(exc)) from exc
        with self._changing:
            if not self._over.is_set():
                self._open.add(connection)
                return connection
        connection.close()  # nothing would close it later
        raise psycopg.OperationalError("the connections were closed meanwhile")

    @contextmanager
    def one(self) -> Iterator[WatchedConnection]:
        """Open one for the block. Raises psycopg.Error."""
        connection = self.connect()
        try:
            yield connection
        finally:
            self.close(connection)

    def close(self, connection: WatchedConnection) -> None:
        """Close one of them."""
        with self._changing:
            self._open.discard(connection)
        connection.close()

    def close_all(self) -> None:
        """Close all of them, of which no thread may use one any more, and open none from now on."""
        self._end()
        for connection in self._all():
            self.close(connection)

    def cut_all(self) -> None:
        """End every wait for an answer, and open no connection any more."""
        self._end()
        for connection in self._all():
            connection.cut(perf_counter())

    def _end(self) -> None:
        with self._changing:
            self._over.set()

    def watch(self, ended: threading.Event) -> None:
        """Until `ended`, cut the connections whose answers are late while the server commits nothing."""
        answered_at = 0.0
        while not ended.wait(_WATCH_SECONDS):
            began = perf_counter()
            if began - answered_at < self._limits.late_seconds or not self._any_late(began):
                continue
            if self._commits_something():
                answered_at = perf_counter()
                continue
            self._away_until = perf_counter() + _AWAY_SECONDS
            for connection in self._all():
                connection.cut(began)

    def _any_late(self, now: float) -> bool:
        return any(connection.waits_since(now - self._limits.late_seconds) for connection in self._all())

    def _commits_something(self) -> bool:
        """Whether the server answers a commit in time; a refusal is an answer too."""
        try:
            with closing(WatchedConnection.connect(self._url, autocommit=True, **self._options)) as asked:
                asked.pgconn.send_query(_COMMIT_SOMETHING)
                with selectors.DefaultSelector() as selector:
                    selector.register(asked, selectors.EVENT_READ)
                    return bool(selector.select(self._limits.connect_seconds))
        except psycopg.errors.ConnectionTimeout:
            return False
        except (psycopg.Error, OSError):  # OSError: without a file handle nothing can be said of the server
            return True

    def _all(self) -> list[WatchedConnection]:
        with self._changing:
            return list(self._open)
