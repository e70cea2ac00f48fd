"""The floor's rows on PostgreSQL by the raw driver: eight threads with one connection each, one statement for a write.

psycopg's own asyncio connections answered fewer reads a second than its blocking ones in threads.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import time  # noqa: TID251 - a composition root of its own
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from tests.load.floor_rows import CONNECTIONS, COPIED, LIST, OWN_TABLE, SESSION, SITES, CopiedRows, Row

_THREADS = 8  # as many as one process of ours has
_AMONG = "= ANY(%s)"
_OWN_TABLE_LOCK = 7246003  # several processes may start at once
T = TypeVar("T")
_Connection = psycopg.Connection[dict[str, Any]]


class PostgresFloorRows:
    """Reads and writes one database."""

    def __init__(self, url: str, first_seq: int) -> None:
        self._url = url
        self._first_seq = first_seq
        self._pool = ThreadPoolExecutor(_THREADS)
        self._local = threading.local()
        self._copied: dict[str, CopiedRows] = {}
        self._insert = ""
        self._session = ""

    async def open(self) -> None:
        await self._run(self._prepare)

    async def close(self) -> None:
        self._pool.shutdown()  # its connections end with the process

    async def row(self) -> Row:
        return await self._run(self._row)

    async def session(self) -> tuple[Row, list[Row], list[Row]]:
        return await self._run(self._session_rows)

    async def newest(self) -> tuple[list[Row], list[Row], list[Row]]:
        return await self._run(self._newest)

    async def insert_session(self, name: str) -> None:
        values = {
            _mark(table, at, column): value
            for table, copied in self._copied.items()
            for at, row in enumerate(copied.named([name]))
            for column, value in row.items()
        }
        await self._run(lambda connection: connection.execute(self._insert, values))

    async def insert_row(self, name: str, body: str) -> None:
        values = name, body, time()
        await self._run(lambda connection: connection.execute("INSERT INTO floor VALUES (%s, %s, %s)", values))

    async def _run(self, unit: Callable[[_Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._on_connection, unit)

    def _on_connection(self, unit: Callable[[_Connection], T]) -> T:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row)
            self._local.connection = connection
        return unit(connection)

    def _prepare(self, connection: _Connection) -> None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OWN_TABLE_LOCK,))
            connection.execute(OWN_TABLE)
        (first,) = _rows(connection, "SELECT id FROM sessions LIMIT 1")
        self._session = first["id"]
        for table, sql in COPIED.items():
            rows = _rows(connection, sql.format(one="%s"), self._session)
            self._copied[table] = CopiedRows(table, rows, self._first_seq)
        self._insert = _one_statement(self._copied)

    def _row(self, connection: _Connection) -> Row:
        (row,) = _rows(connection, SESSION.format(one="%s"), self._session)
        return row

    def _session_rows(self, connection: _Connection) -> tuple[Row, list[Row], list[Row]]:
        row = self._row(connection)
        sites = _rows(connection, SITES.format(among=_AMONG), json.loads(row["site_refs"]))
        return row, sites, _rows(connection, CONNECTIONS.format(among=_AMONG), [self._session])

    def _newest(self, connection: _Connection) -> tuple[list[Row], list[Row], list[Row]]:
        rows = _rows(connection, LIST)
        refs = sorted({ref for row in rows for ref in json.loads(row["site_refs"])})
        sites = _rows(connection, SITES.format(among=_AMONG), refs)
        return rows, sites, _rows(connection, CONNECTIONS.format(among=_AMONG), [row["id"] for row in rows])


def _rows(connection: _Connection, sql: str, *values: Any) -> list[Row]:
    return [*connection.execute(sql, values)]


def _one_statement(copied: dict[str, CopiedRows]) -> str:
    """One statement, thus one transaction and one round trip, that inserts all rows of a session."""
    inserts = [
        rows.insert([", ".join(f"%({_mark(table, at, name)})s" for name in rows.columns) for at in range(rows.number)])
        for table, rows in copied.items()
    ]
    named = ", ".join(f"insert_{at} AS ({sql})" for at, sql in enumerate(inserts[:-1]))
    return f"WITH {named} {inserts[-1]}"


def _mark(table: str, at: int, column: str) -> str:
    return f"{table}_{at}_{column}"
