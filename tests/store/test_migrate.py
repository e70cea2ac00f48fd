import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.errors import Unavailable
from service.store import NewerDatabase, Store, migrate, pending
from service.store.engine import Engine, Transaction
from service.store.postgres import PostgresEngine
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.grouped_commits import files_no_larger_than
from tests.support.store_cases import create, fresh

FIRST = "0001_first.sql"


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_engine(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Engine]:
    """Open, on an empty database."""
    on_sqlite = request.param == "sqlite"
    found = SqliteEngine(str(tmp_path / "store.db"), clock.now) if on_sqlite else _postgres(request, clock)
    await found.open()
    yield found
    await found.close()


def _postgres(request: pytest.FixtureRequest, clock: Clock) -> PostgresEngine:
    return PostgresEngine(request.getfixturevalue("empty_postgres_url"), clock.now)


async def test_a_new_database_gets_every_migration_in_order(empty_engine: Engine) -> None:
    before = await pending(empty_engine)
    assert before[0] == FIRST
    assert before == sorted(before)
    assert await migrate(empty_engine) == before
    assert await pending(empty_engine) == []


async def test_migrating_twice_changes_nothing_the_second_time(store: Store) -> None:
    await create(store, fresh())
    assert await migrate(store.engine) == []
    assert (await store.sessions.get(fresh().id)).user_id == "ada"


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> list[Engine]:
    """The engines of several processes on one empty database; none is open."""
    if request.param == "sqlite":
        return [SqliteEngine(str(tmp_path / "store.db"), clock.now) for _ in range(5)]
    return [_postgres(request, clock) for _ in range(5)]


async def test_of_several_that_migrate_at_once_one_does(engines: list[Engine]) -> None:
    async def begin(engine: Engine) -> list[str]:
        await engine.open()
        return await migrate(engine)

    applied = await asyncio.gather(*(begin(engine) for engine in engines))
    assert sorted(map(bool, applied)) == [False] * 4 + [True]
    assert await pending(engines[0]) == []
    for engine in engines:
        await engine.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_engine: Engine) -> None:
    await migrate(empty_engine)

    def upgrade(tx: Transaction) -> None:
        tx.run("INSERT INTO schema_version (version, applied_at) VALUES (9999, 1)")

    await empty_engine.write(upgrade)
    for use in (migrate, pending):
        with pytest.raises(NewerDatabase, match="at schema 9999, of a newer magiclink"):
            await use(empty_engine)
    rows = await empty_engine.read(lambda tx: tx.all("SELECT version FROM schema_version"))
    assert 9999 in [row["version"] for row in rows]


async def test_each_migration_is_recorded_once_with_its_time(store: Store) -> None:
    rows = await store.engine.read(lambda tx: tx.all("SELECT * FROM schema_version ORDER BY version"))
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["applied_at"] > 0 for row in rows)


async def test_times_keep_their_microseconds_and_years(store: Store) -> None:
    moment = 4_102_444_800.123457
    made = await create(store, fresh(created_at=moment, expires_at=moment + 2_592_000))
    found = await store.sessions.get(made.id)
    assert (found.created_at, found.expires_at) == (moment, moment + 2_592_000)


async def test_a_database_that_takes_writes_is_well(store: Store) -> None:
    sql = "SELECT * FROM schema_version ORDER BY version"
    before = await store.engine.read(lambda tx: [dict(row) for row in tx.all(sql)])
    await store.check()
    assert await store.engine.read(lambda tx: [dict(row) for row in tx.all(sql)]) == before


async def test_a_database_that_only_reads_is_not_well(tmp_path: Path, clock: Clock) -> None:
    found = Store(SqliteEngine(str(tmp_path / "t.db"), clock.now), clock=clock.now, new_id=str, keys=("k" * 32,))
    await found.open()
    await found.engine.write(lambda tx: tx.run("PRAGMA query_only = 1"))
    with pytest.raises(Unavailable):
        await found.check()
    await found.close()


async def test_a_full_disk_is_not_well_and_is_well_again_when_there_is_room(tmp_path: Path, clock: Clock) -> None:
    found = Store(SqliteEngine(str(tmp_path / "t.db"), clock.now), clock=clock.now, new_id=str, keys=("k" * 32,))
    await found.open()
    with files_no_larger_than(0), pytest.raises(Unavailable):
        await found.check()
    await found.check()
    await found.close()
