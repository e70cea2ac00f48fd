"""Grouped commits keep units of work whole: what fails leaves nothing, the end of the transaction fails all."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from service.errors import NotFound, Unavailable
from service.store.engine import Transaction
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.grouped_commits import (
    ended_beneath,
    files_no_larger_than,
    ids,
    in_one_group,
    insert,
    opened,
)
from tests.support.patience import PATIENCE_SECONDS

PAGES = 4096 * 40


def failing(tx: Transaction) -> None:
    insert(99)(tx)
    raise NotFound


async def test_units_that_wait_together_are_committed_together(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        assert await in_one_group(engine, insert(1), insert(2), insert(3)) == [1, 1, 1]
        assert await ids(engine) == [1, 2, 3]


async def test_a_unit_that_raises_leaves_nothing_while_the_rest_commits(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        first, middle, last = await in_one_group(engine, insert(1), failing, insert(2))
        assert (first, type(middle), last) == (1, NotFound, 1)
        assert await ids(engine) == [1, 2]


async def test_the_units_of_a_group_run_a_second_time_only_where_one_of_them_raises(
    tmp_path: Path, clock: Clock
) -> None:
    runs: list[int] = []

    def counted(number: int) -> Any:
        def unit(tx: Transaction) -> int:
            runs.append(number)
            return int(insert(number)(tx))

        return unit

    async with opened(tmp_path / "t.db", clock) as engine:
        assert await in_one_group(engine, counted(1), counted(2)) == [1, 1]
        assert runs == [1, 2]
        runs.clear()
        first, _, last = await in_one_group(engine, counted(3), failing, counted(4))
        assert (first, last) == (1, 1)
        assert runs == [3, 3, 4]
        assert await ids(engine) == [1, 2, 3, 4]


async def test_a_unique_violation_leaves_nothing_while_the_rest_commits(tmp_path: Path, clock: Clock) -> None:
    def twice(tx: Transaction) -> None:
        insert(7)(tx)
        insert(1)(tx)

    async with opened(tmp_path / "t.db", clock) as engine:
        outcomes = await in_one_group(engine, insert(1), twice, insert(2))
        assert isinstance(outcomes[1], sqlite3.IntegrityError)
        assert await ids(engine) == [1, 2]


async def test_a_statement_the_database_refuses_fails_its_unit_alone(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        outcomes = await in_one_group(engine, insert(1), lambda tx: tx.run("SELECT * FROM nowhere"), insert(2))
        assert isinstance(outcomes[1], Unavailable)
        assert await ids(engine) == [1, 2]


async def test_when_the_transaction_ends_under_a_group_the_whole_group_fails(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        outcomes = await in_one_group(engine, insert(1), ended_beneath, insert(2))
        assert [type(one) for one in outcomes] == [Unavailable] * 3
        assert await ids(engine) == []
        assert await engine.write(insert(3)) == 1
        assert await ids(engine) == [3]


async def test_a_transaction_that_ends_unnoticed_by_its_unit_fails_the_group(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        outcomes = await in_one_group(engine, insert(1), lambda tx: tx.run("ROLLBACK"), insert(2))
        assert [type(one) for one in outcomes] == [Unavailable] * 3
        assert await ids(engine) == []


async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, clock: Clock) -> None:
    def fill(tx: Transaction) -> None:
        insert(7)(tx)
        insert(8, size=PAGES * 10)(tx)

    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.write(lambda tx: tx.run("PRAGMA max_page_count = 60"))
        outcomes = await in_one_group(engine, insert(1), fill, insert(2))
        assert isinstance(outcomes[1], Unavailable)
        reported = [number for number, outcome in ((1, outcomes[0]), (2, outcomes[2])) if outcome == 1]
        assert await ids(engine) == reported
        await engine.write(lambda tx: tx.run("PRAGMA max_page_count = 100000"))
        await engine.write(fill)
        assert await ids(engine) == sorted([*reported, 7, 8])


async def test_an_io_error_at_the_commit_fails_the_whole_group_and_later_work_succeeds(
    tmp_path: Path, clock: Clock
) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        with files_no_larger_than(PAGES):
            outcomes = await in_one_group(engine, insert(1), insert(2, size=PAGES * 2), insert(3))
        assert [type(one) for one in outcomes] == [Unavailable] * 3
        assert await ids(engine) == []
        assert await engine.write(insert(4)) == 1
        assert await ids(engine) == [4]


async def test_an_io_error_in_the_middle_of_a_group_fails_the_whole_group(tmp_path: Path, clock: Clock) -> None:
    def spill(tx: Transaction) -> None:
        tx.run("PRAGMA cache_size = 5")
        for number in range(10, 40):
            insert(number, size=PAGES // 4)(tx)

    async with opened(tmp_path / "t.db", clock) as engine:
        with files_no_larger_than(PAGES):
            outcomes = await in_one_group(engine, insert(1), spill, insert(2))
        assert Unavailable in map(type, outcomes)
        reported = [number for number, outcome in ((1, outcomes[0]), (2, outcomes[2])) if outcome == 1]
        assert await ids(engine) == reported
        assert await engine.write(insert(4)) == 1
        assert await ids(engine) == [*reported, 4]


async def test_a_commit_that_fails_fails_the_whole_group_and_later_work_succeeds(tmp_path: Path, clock: Clock) -> None:
    def orphan(tx: Transaction) -> None:
        tx.run("INSERT INTO child (parent) VALUES (999)")

    async with opened(tmp_path / "t.db", clock) as engine:
        reference = "REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED"
        await engine.write(lambda tx: tx.run(f"CREATE TABLE child (parent INTEGER {reference})"))
        outcomes = await in_one_group(engine, insert(1), orphan, insert(2))
        assert [type(one) for one in outcomes] == [Unavailable] * 3
        assert await ids(engine) == []
        assert await engine.write(insert(3)) == 1


async def test_a_failed_group_says_why_to_the_log_and_not_to_strangers(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        (outcome,) = await in_one_group(engine, ended_beneath)
        assert isinstance(outcome.__cause__, sqlite3.OperationalError)
        assert "transaction" not in outcome.detail


async def test_while_another_process_holds_the_file_nothing_is_half_done(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.write(lambda tx: tx.run("PRAGMA busy_timeout = 1"))
        other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await engine.write(insert(1))
        other.execute("ROLLBACK")
        other.close()
        assert await engine.write(insert(2)) == 1
        assert await ids(engine) == [2]


async def test_a_later_job_waits_for_the_file_of_another_process_no_longer_than_the_first(
    tmp_path: Path, clock: Clock
) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.write(lambda tx: tx.run("PRAGMA busy_timeout = 1500"))
        with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = perf_counter()
            waiting = [engine.write(insert(number)) for number in range(600)]  # more than two groups
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            took = perf_counter() - began
            other.execute("ROLLBACK")
        assert {type(one) for one in outcomes} == {Unavailable}
        assert took < 3.5  # each of the groups by itself would wait 1.5 s
        assert await ids(engine) == []


async def test_a_result_is_durable_before_it_is_given(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.write(insert(1))
        other = sqlite3.connect(tmp_path / "t.db")
        assert other.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)
        other.close()
        modes = await engine.write(lambda tx: (tx.one("PRAGMA synchronous"), tx.one("PRAGMA journal_mode")))
        assert [next(iter(dict(mode or {}).values())) for mode in modes] == [2, "wal"]


async def test_a_cancelled_caller_does_not_fail_the_others_of_its_group(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        gone = asyncio.create_task(engine.write(insert(1)))
        await asyncio.sleep(0)
        gone.cancel()
        assert await engine.write(insert(2)) == 1
        assert await ids(engine) == [1, 2]


async def test_many_more_units_than_a_group_holds_are_all_committed(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await in_one_group(engine, *(insert(number) for number in range(600)))
        assert len(await ids(engine)) == 600


async def test_closing_finishes_what_was_accepted(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        accepted = [asyncio.ensure_future(engine.write(insert(number))) for number in range(20)]
        await asyncio.sleep(0)
        await engine.close()
        await asyncio.gather(*accepted)
    async with opened(tmp_path / "t.db", clock) as engine:
        assert len(await ids(engine)) == 20


async def test_a_folder_that_is_not_there_raises_unavailable(tmp_path: Path, clock: Clock) -> None:
    engine = SqliteEngine(str(tmp_path / "nowhere" / "t.db"), clock.now)
    with pytest.raises(Unavailable):
        await engine.open()
    await engine.close()


async def test_before_it_is_open_and_after_it_is_closed_it_is_unavailable(tmp_path: Path, clock: Clock) -> None:
    engine = SqliteEngine(str(tmp_path / "t.db"), clock.now)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await engine.read(lambda tx: tx.one("SELECT 1"))
        with pytest.raises(Unavailable):
            await asyncio.wait_for(engine.write(lambda tx: tx.one("SELECT 1")), PATIENCE_SECONDS)
        await engine.open()
        await engine.close()


async def test_a_read_that_the_database_refuses_is_unavailable(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        with pytest.raises(Unavailable):
            await engine.read(lambda tx: tx.all("SELECT * FROM nowhere"))


async def test_a_damaged_file_is_unavailable(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "t.db").write_bytes(b"no database at all" * 1000)
    engine = SqliteEngine(str(tmp_path / "t.db"), clock.now)
    with pytest.raises(Unavailable):
        await engine.open()
    await engine.close()
    async with opened(tmp_path / "other.db", clock) as other:

        def damaged(_: Transaction) -> None:
            raise sqlite3.DatabaseError("database disk image is malformed")

        with pytest.raises(Unavailable):
            await other.read(damaged)


async def test_a_read_writes_nothing(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path / "t.db", clock) as engine:
        await engine.read(insert(1))
        assert await ids(engine) == []
