"""Reads on SQLite: short ones in the event loop, long ones in a thread, none that keeps the event loop for long."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from service.errors import Unavailable
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.grouped_commits import ids, insert, opened

# A recursive query of `last` rows needs no table and takes about ten instructions a row.
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :last) SELECT COUNT(*) AS n FROM n"


class Reads:
    """Counts up to `last`, and notes in which thread each try ran."""

    def __init__(self, last: int) -> None:
        self.threads: list[str] = []
        self._last = last

    def __call__(self, tx: Transaction) -> int:
        self.threads.append(threading.current_thread().name)
        return int(tx.all(NUMBERS, last=self._last)[0]["n"])


async def test_a_short_read_runs_in_the_event_loop(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        reads = Reads(100)
        assert await engine.read(reads) == 100
        assert reads.threads == [threading.current_thread().name]


async def test_a_long_read_is_interrupted_there_and_runs_in_a_thread(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        reads = Reads(1_000_000)
        assert await engine.read(reads) == 1_000_000
        here, thread = reads.threads
        assert here == threading.current_thread().name
        assert thread.startswith("store-read")


async def test_many_short_statements_of_one_read_count_together(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        threads: list[str] = []

        def unit(tx: Transaction) -> None:
            for _ in range(1000):
                tx.all(NUMBERS, last=20)
            threads.append(threading.current_thread().name)

        await engine.read(unit)
        assert [name.partition("_")[0] for name in threads] == ["store-read"]


async def test_each_read_has_the_whole_limit(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        reads = Reads(200)
        for _ in range(50):
            await engine.read(reads)
        assert set(reads.threads) == {threading.current_thread().name}


async def test_after_an_interrupted_read_the_next_sees_what_was_written(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.read(Reads(1_000_000))
        await engine.write(insert(1))
        assert await ids(engine) == [1]


async def test_other_tasks_get_their_turns_while_one_reads_again_and_again(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        writing = asyncio.create_task(engine.write(insert(1)))
        while not await ids(engine):
            pass
        await writing


async def test_what_is_locked_is_read_in_a_thread(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        threads: list[str] = []

        def unit(_: Transaction) -> int:
            threads.append(threading.current_thread().name)
            if len(threads) == 1:
                raise sqlite3.OperationalError("database is locked")
            return 7

        assert await engine.read(unit) == 7
        assert threads[1].startswith("store-read")


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), sqlite3.DatabaseError("malformed")])
async def test_an_error_that_the_thread_sees_too_is_unavailable(tmp_path: Path, clock: Clock, error: Any) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:

        def unit(_: Transaction) -> None:
            raise error

        with pytest.raises(Unavailable):
            await engine.read(unit)


async def test_an_error_of_the_caller_is_raised_at_once_and_leaves_no_snapshot_open(
    tmp_path: Path, clock: Clock
) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        tries = 0

        def unit(_: Transaction) -> None:
            nonlocal tries
            tries += 1
            raise LookupError

        with pytest.raises(LookupError):
            await engine.read(unit)
        assert tries == 1
        await engine.write(insert(1))
        assert await ids(engine) == [1]
