"""A role of PostgreSQL that uses the tables and may create none, with the rights that docs/operating.md lists."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.errors import BadSettings
from service.store import Store, check_writes, migrate, pending
from service.store.postgres import PostgresEngine
from tests.support.clock import Clock
from tests.support.postgres import limited_role
from tests.support.store_cases import KEYS, create, fresh

GUIDE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
(SQL,) = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
GRANTS = [line.removesuffix(";").replace("TO magiclink", "TO {role}") for line in SQL.splitlines()]
UNUSED = "REVOKE ALL ON SCHEMA public FROM PUBLIC"


@asynccontextmanager
async def opened(url: str, clock: Clock) -> AsyncIterator[PostgresEngine]:
    engine = PostgresEngine(url, clock.now)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def test_a_role_that_may_create_nothing_starts_on_a_migrated_database(
    migrated_postgres_url: str, clock: Clock
) -> None:
    with limited_role(migrated_postgres_url, *GRANTS) as url:
        store = Store(PostgresEngine(url, clock.now), clock=clock.now, new_id=lambda kind: f"{kind}_1", keys=KEYS)
        await store.open()
        assert await pending(store.engine) == []
        await store.check()
        await create(store, fresh())
        assert (await store.sessions.get(fresh().id)).user_id == "ada"
        await store.close()


@pytest.mark.parametrize("grants", [[], GRANTS[:1], [UNUSED]])
async def test_a_role_that_may_create_nothing_is_told_who_migrates(
    empty_postgres_url: str, clock: Clock, grants: list[str]
) -> None:
    with limited_role(empty_postgres_url, *grants) as url:
        async with opened(url, clock) as engine:
            assert (await pending(engine))[0].startswith("0001")
            with pytest.raises(BadSettings, match="run magiclink migrate as the owner of the schema"):
                await migrate(engine)


async def test_a_role_without_a_right_to_read_is_told_so(migrated_postgres_url: str, clock: Clock) -> None:
    with limited_role(migrated_postgres_url, GRANTS[0]) as url:
        async with opened(url, clock) as engine:
            for use in (migrate, pending):
                with pytest.raises(BadSettings, match="permission denied for table schema_version"):
                    await use(engine)


async def test_a_role_that_may_write_nothing_is_not_well(migrated_postgres_url: str, clock: Clock) -> None:
    reads = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    with limited_role(migrated_postgres_url, GRANTS[0], reads) as url:
        async with opened(url, clock) as engine:
            assert await pending(engine) == []
            with pytest.raises(BadSettings, match="permission denied for table schema_version"):
                await check_writes(engine)
