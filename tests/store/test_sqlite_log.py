"""Emptying SQLite's `-wal` file: what was deleted is in no file afterwards, and a read that needs it is left alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import Unavailable
from service.store.engine import Transaction
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.grouped_commits import opened

ADA = b"ada@example.com"


async def write_and_delete(engine: SqliteEngine) -> None:
    await engine.write(lambda tx: tx.run("INSERT INTO t (id, body) VALUES (1, :body)", body=ADA))
    await engine.write(delete)


def delete(tx: Transaction) -> None:
    tx.run("DELETE FROM t WHERE id = 1")


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_what_was_deleted_is_in_no_file_afterwards(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await write_and_delete(engine)
        assert ADA in on_disk(tmp_path)
        assert await engine.empty_log()
        assert ADA not in on_disk(tmp_path)


async def test_a_read_that_needs_the_log_keeps_it_until_it_ends(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.write(lambda tx: tx.run("INSERT INTO t (id, body) VALUES (1, :body)", body=ADA))
        with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT body FROM t").fetchall() == [(ADA,)]
            await engine.write(delete)
            assert not await engine.empty_log()
            assert reader.execute("SELECT body FROM t").fetchall() == [(ADA,)]
        assert await engine.empty_log()
        assert ADA not in on_disk(tmp_path)


async def test_a_database_in_memory_has_no_log(clock: Clock) -> None:
    async with opened("file:emptied?mode=memory&cache=shared", clock) as engine:
        assert await engine.empty_log()


async def test_a_file_that_was_deleted_is_not_created_again(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        (tmp_path / "t.db").unlink()
        with pytest.raises(Unavailable):
            await engine.empty_log()
        assert not (tmp_path / "t.db").exists()
