"""PostgreSQL's own ways to fail: lost races are run again, lost connections are replaced, and nothing is half done."""

import asyncio
import threading
from collections.abc import AsyncIterator
from time import perf_counter, sleep

import psycopg
import pytest

from service.domain.timing import IDLE_TRANSACTION_SECONDS
from service.errors import NotFound, Unavailable
from service.store.engine import Transaction, Unit
from service.store.postgres import PostgresEngine
from tests.support.postgres import end_others

PATIENCE_SECONDS = 10.0


@pytest.fixture
async def engine(migrated_postgres_url: str) -> AsyncIterator[PostgresEngine]:
    found = PostgresEngine(migrated_postgres_url)
    await found.open()
    await found.write(lambda tx: tx.run("DROP TABLE IF EXISTS t"))
    await found.write(lambda tx: tx.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
    await found.write(lambda tx: tx.run("INSERT INTO t VALUES (1, 0), (2, 0)"))
    yield found
    await found.close()


def add(tx: Transaction, row: int) -> None:
    tx.run("UPDATE t SET n = n + 1 WHERE id = :id", id=row)


async def values(engine: PostgresEngine) -> list[int]:
    return [row["n"] for row in await engine.read(lambda tx: tx.all("SELECT n FROM t ORDER BY id"))]


async def test_a_unit_that_raises_leaves_nothing(engine: PostgresEngine) -> None:
    def fail(tx: Transaction) -> None:
        add(tx, 1)
        raise NotFound

    with pytest.raises(NotFound):
        await engine.write(fail)
    assert await values(engine) == [0, 0]


async def test_a_unique_violation_is_a_lost_race_that_is_run_again_and_then_given_up(engine: PostgresEngine) -> None:
    tried: list[int] = []

    def twice(tx: Transaction) -> None:
        tried.append(1)
        add(tx, 1)
        tx.run("INSERT INTO t VALUES (2, 5)")

    with pytest.raises(Unavailable):
        await engine.write(twice)
    assert len(tried) > 1
    assert await values(engine) == [0, 0]


async def test_a_transaction_whose_process_stands_still_is_ended_and_its_locks_are_free(
    migrated_postgres_url: str, engine: PostgresEngine
) -> None:
    limit = await engine.read(lambda tx: tx.one("SHOW idle_in_transaction_session_timeout"))
    assert limit == {"idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS:.0f}s"}
    stopped, reached = PostgresEngine(migrated_postgres_url, idle_seconds=0.2), threading.Event()
    await stopped.open()

    def stands_still(tx: Transaction) -> None:
        add(tx, 1)
        reached.set()
        sleep(1)
        add(tx, 2)

    standing = asyncio.create_task(stopped.write(stands_still))
    await asyncio.to_thread(reached.wait, PATIENCE_SECONDS)
    began = perf_counter()
    await engine.write(lambda tx: add(tx, 1))
    assert perf_counter() - began < 0.9
    with pytest.raises(Unavailable):
        await standing
    assert await values(engine) == [1, 0]
    await stopped.write(lambda tx: add(tx, 2))  # on a new connection
    assert await values(stopped) == [1, 1]
    await stopped.close()


@pytest.mark.parametrize("table", ["events", "work", "sessions"])
async def test_a_table_whose_rows_change_often_is_vacuumed_early(engine: PostgresEngine, table: str) -> None:
    row = await engine.read(lambda tx: tx.one("SELECT reloptions FROM pg_class WHERE relname = :table", table=table))
    assert row is not None
    assert "autovacuum_vacuum_scale_factor=0.02" in row["reloptions"]


async def test_two_units_that_wait_for_each_other_are_both_done(engine: PostgresEngine) -> None:
    met = threading.Barrier(2)

    def cross(first: int, second: int) -> Unit[None]:
        tried: list[int] = []

        def unit(tx: Transaction) -> None:
            tried.append(1)
            add(tx, first)
            if len(tried) == 1:
                met.wait(PATIENCE_SECONDS)
            add(tx, second)

        return unit

    await asyncio.gather(engine.write(cross(1, 2)), engine.write(cross(2, 1)))
    assert await values(engine) == [2, 2]


def losing(times: int) -> Unit[None]:
    """A unit that loses so many races before it wins."""
    left = [times]

    def lose(tx: Transaction) -> None:
        add(tx, 1)
        left[0] -= 1
        if left[0] >= 0:
            raise psycopg.errors.SerializationFailure

    return lose


async def test_a_transaction_that_loses_a_race_is_run_again(engine: PostgresEngine) -> None:
    await engine.write(losing(3))
    assert await values(engine) == [1, 0]


async def test_a_transaction_that_loses_every_race_is_given_up(engine: PostgresEngine) -> None:
    with pytest.raises(Unavailable):
        await engine.write(losing(4))
    assert await values(engine) == [0, 0]


async def test_a_table_that_a_newer_version_changes_meanwhile_disturbs_nobody(engine: PostgresEngine) -> None:
    for _ in range(40):  # often enough to be prepared on every connection
        await engine.read(lambda tx: tx.all("SELECT * FROM t"))
    await engine.write(lambda tx: tx.run("ALTER TABLE t ADD COLUMN more TEXT"))
    for _ in range(40):
        assert len(await engine.read(lambda tx: tx.all("SELECT * FROM t"))) == 2


async def test_what_the_database_never_supports_is_given_up(engine: PostgresEngine) -> None:
    def never(_: Transaction) -> None:
        raise psycopg.errors.FeatureNotSupported

    with pytest.raises(Unavailable):
        await engine.read(never)


async def test_a_connection_that_ends_in_the_middle_leaves_nothing_and_is_replaced(engine: PostgresEngine) -> None:
    def end(tx: Transaction) -> None:
        add(tx, 1)
        tx.run("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Unavailable):
        await engine.write(end)
    await engine.write(lambda tx: add(tx, 2))
    assert await values(engine) == [0, 1]


async def test_connections_that_were_ended_while_they_lay_idle_are_replaced_unseen(
    engine: PostgresEngine, migrated_postgres_url: str
) -> None:
    await asyncio.gather(*(engine.write(lambda tx: add(tx, 1)) for _ in range(20)))
    end_others(migrated_postgres_url)
    await asyncio.gather(*(engine.write(lambda tx: add(tx, 2)) for _ in range(20)))
    assert await values(engine) == [20, 20]


@pytest.mark.parametrize("statements", ["on one snapshot", "each by itself"])
async def test_a_read_whose_connection_ends_in_the_middle_is_run_again(engine: PostgresEngine, statements: str) -> None:
    attempts: list[int] = []

    def end_once(tx: Transaction) -> int:
        attempts.append(tx.all("SELECT n FROM t WHERE id = 1")[0]["n"])
        if len(attempts) == 1:
            tx.all("SELECT pg_terminate_backend(pg_backend_pid())")
        return len(attempts)

    assert await engine.read(end_once, snapshot=statements == "on one snapshot") == 2
    assert attempts == [0, 0]


async def test_a_read_that_takes_too_long_is_not_run_again(engine: PostgresEngine) -> None:
    attempts: list[int] = []

    def too_long(tx: Transaction) -> None:
        attempts.append(1)
        tx.run("SET statement_timeout = 10")
        tx.all("SELECT pg_sleep(60)")

    with pytest.raises(Unavailable):
        await engine.read(too_long, snapshot=False)
    assert attempts == [1]


async def test_a_database_that_only_reads_is_unavailable_for_writes(engine: PostgresEngine) -> None:
    def only_read(tx: Transaction) -> None:
        tx.run("SET TRANSACTION READ ONLY")
        add(tx, 1)

    with pytest.raises(Unavailable):
        await engine.write(only_read)
    assert await values(engine) == [0, 0]


async def test_the_clock_is_the_servers(engine: PostgresEngine) -> None:
    def both(tx: Transaction) -> tuple[float, float]:
        row = tx.one("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS at")
        return (row["at"] if row else 0.0), tx.now()

    reported, now = await engine.read(both)
    assert reported <= now < reported + PATIENCE_SECONDS


def telling(session_id: str) -> Unit[None]:
    def unit(tx: Transaction) -> None:
        tx.run(
            "INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, data) VALUES "
            "(gen_random_uuid()::text, NULL, nextval('event_draws'), 'default', 'x', 0, :session_id, '{}')",
            session_id=session_id,
        )
        tx.notify(session_id)

    return unit


async def test_events_of_the_moment_without_a_listener_are_notified_once_there_is_one(
    engine: PostgresEngine, migrated_postgres_url: str
) -> None:
    notified: set[str] = set()
    engine.on_events(notified.update)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not notified:  # listening begins at the position it first reads, so the event is repeated
            await engine.write(telling("ses_1"))
            await asyncio.sleep(0.05)
        end_others(migrated_postgres_url)
        await engine.write(telling("ses_2"))
        await engine.number()  # before the listener is back, a second later
        while "ses_2" not in notified:  # noqa: ASYNC110 - the listener is another thread
            await asyncio.sleep(0.05)
