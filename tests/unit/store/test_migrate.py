from pathlib import Path

import pytest

from service.errors import Unavailable
from service.store import Store, migrate, pending
from service.store.sqlite import SqliteEngine
from service.store.tx import Engine
from tests.clock import Clock
from tests.unit.store.rooms import create, fresh

FIRST = "0001_first.sql"


async def test_a_new_database_gets_every_migration_in_order(engine: Engine) -> None:
    await engine.open()
    before = await pending(engine)
    assert before[0] == FIRST
    assert before == sorted(before)
    assert await migrate(engine) == before
    assert await pending(engine) == []
    await engine.close()


async def test_migrating_twice_changes_nothing_the_second_time(store: Store) -> None:
    await create(store, fresh())
    assert await migrate(store.engine) == []
    assert (await store.sessions.get(fresh().id)).user_id == "ada"


async def test_each_migration_is_noted_once_with_its_time(store: Store) -> None:
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
