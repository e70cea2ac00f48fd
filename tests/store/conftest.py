"""The store on a database of the test's own: each test of a store runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest

from service.store import Store
from service.store.engine import Engine
from service.store.postgres import PostgresEngine
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.store_cases import KEYS


@pytest.fixture(params=["sqlite", "postgresql"])
def new_engine(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, migrated_sqlite_file: Path
) -> Callable[[], Engine]:
    """Engines of the test's database, not opened yet; its tables are there. Leases follow the test's clock on both."""
    if request.param == "sqlite":
        path = str(shutil.copy(migrated_sqlite_file, tmp_path / "store.db"))
        return lambda: SqliteEngine(path, clock.now)
    url = request.getfixturevalue("migrated_postgres_url")
    return lambda: PostgresEngine(url, clock.now)


@pytest.fixture
def engine(new_engine: Callable[[], Engine]) -> Engine:
    """The engine that the test uses itself."""
    return new_engine()


@pytest.fixture
def new_id() -> Callable[[str], str]:
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers):08}"


@pytest.fixture
async def store(engine: Engine, clock: Clock, new_id: Callable[[str], str]) -> AsyncIterator[Store]:
    """Open and migrated."""
    found = Store(engine, clock=clock.now, new_id=new_id, keys=KEYS)
    await found.open()
    yield found
    await found.close()
