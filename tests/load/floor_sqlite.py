"""The floor's rows on SQLite: a writer thread that groups commits, `synchronous=FULL`, and reads on the event loop."""

import asyncio
import json
import queue
import sqlite3
import threading
from pathlib import Path
from time import time  # noqa: TID251 - a composition root of its own
from typing import Any

from tests.load.floor_rows import CONNECTIONS, COPIED, LIST, OWN_TABLE, SESSION, SITES, CopiedRows, Row

GROUP = 256
_AMONG = "IN (SELECT value FROM json_each(?))"
# What a write gives its rows: a name, and a body where it is a row of the floor's own table.
Write = tuple[tuple[str, str | None], "asyncio.Future[None]", asyncio.AbstractEventLoop]


class SqliteFloorRows:
    """Reads and writes one file."""

    def __init__(self, path: Path, first_seq: int) -> None:
        self._path = path
        self._first_seq = first_seq
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._reader = sqlite3.connect(path, isolation_level=None)
        self._reader.row_factory = _as_dict
        self._session = ""
        self._writer = threading.Thread(target=self._write_forever, daemon=True)

    async def open(self) -> None:
        self._session = self._reader.execute("SELECT id FROM sessions LIMIT 1").fetchone()["id"]
        self._writer.start()

    async def close(self) -> None:
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)

    async def row(self) -> Row:
        row: Row = self._reader.execute(SESSION.format(one="?"), (self._session,)).fetchone()
        return row

    async def session(self) -> tuple[Row, list[Row], list[Row]]:
        row = await self.row()
        sites = self._all(SITES, json.loads(row["site_refs"]))
        return row, sites, self._all(CONNECTIONS, [self._session])

    async def newest(self) -> tuple[list[Row], list[Row], list[Row]]:
        rows = self._reader.execute(LIST).fetchall()
        refs = sorted({ref for row in rows for ref in json.loads(row["site_refs"])})
        return rows, self._all(SITES, refs), self._all(CONNECTIONS, [row["id"] for row in rows])

    async def insert_session(self, name: str) -> None:
        await self._write(name, None)

    async def insert_row(self, name: str, body: str) -> None:
        await self._write(name, body)

    def _all(self, sql: str, values: list[str]) -> list[Row]:
        return self._reader.execute(sql.format(among=_AMONG), (json.dumps(values),)).fetchall()

    async def _write(self, name: str, body: str | None) -> None:
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._writes.put(((name, body), written, loop))
        await written

    def _write_forever(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(OWN_TABLE)
        copied = [self._copied(connection, table) for table in COPIED]
        while (write := self._writes.get()) is not None:
            group = [write]
            while len(group) < GROUP and not self._writes.empty() and (more := self._writes.get()) is not None:
                group.append(more)
            connection.execute("BEGIN IMMEDIATE")
            single = [(name, body, time()) for (name, body), _, _ in group if body is not None]
            connection.executemany("INSERT INTO floor VALUES (?, ?, ?)", single)
            names = [name for (name, body), _, _ in group if body is None]
            for each in copied:
                connection.executemany(each.insert([", ".join(f":{name}" for name in each.columns)]), each.named(names))
            connection.execute("COMMIT")
            write[2].call_soon_threadsafe(_tell, [future for _, future, _ in group])
        connection.close()

    def _copied(self, connection: sqlite3.Connection, table: str) -> CopiedRows:
        cursor = connection.cursor()
        cursor.row_factory = _as_dict
        rows = cursor.execute(COPIED[table].format(one="?"), (self._session,)).fetchall()
        return CopiedRows(table, rows, self._first_seq)


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip([column[0] for column in cursor.description], row, strict=True))


def _tell(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
