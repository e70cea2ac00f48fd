"""A server that stands still while its kernel answers: what waits is refused, and all goes on when it moves again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter

import psycopg
import pytest
from psycopg import sql

from service.errors import Unavailable
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.postgres_connections import WaitLimits
from tests.support.postgres import Postgres, running_postgres

LIMITS = WaitLimits(late_seconds=0.3, connect_seconds=2, close_seconds=0.3)
REFUSED_SECONDS = 6.0  # the late time, two to connect, and as much on a busy machine
CLOSED_SECONDS = 3.0
PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that may be stopped: no other test uses it."""
    with running_postgres() as found:
        yield found


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    with server.migrated_database() as found:
        yield found


@pytest.fixture
async def engine(url: str) -> AsyncIterator[PostgresEngine]:
    found = PostgresEngine(url, limits=LIMITS)
    await found.open()
    await found.write(lambda tx: tx.run("CREATE TABLE t (n INTEGER NOT NULL)"))
    yield found
    await found.close()


def add(tx: Transaction) -> None:
    tx.run("INSERT INTO t VALUES (1)")


@contextmanager
def commits_that_wait(server: Postgres) -> Iterator[None]:
    """As when the only replica is lost, or the disk of the log: it answers reads, and commits nothing."""
    names, reload = sql.SQL("ALTER SYSTEM {} synchronous_standby_names"), sql.SQL("SELECT pg_reload_conf()")
    server.administer(names.format(sql.SQL("SET")) + sql.SQL(" = 'lost'"), reload)
    wait_for(server, "lost")
    try:
        yield
    finally:
        server.administer(names.format(sql.SQL("RESET")), reload)


def wait_for(server: Postgres, names: str) -> None:
    """Until new connections have this setting."""
    began = perf_counter()
    while perf_counter() - began < PATIENCE_SECONDS:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            if connection.execute("SHOW synchronous_standby_names").fetchone() == (names,):
                return
    raise AssertionError("the server does not take its setting")


def stalled(how: str, server: Postgres) -> AbstractContextManager[None]:
    return server.frozen() if how == "frozen" else commits_that_wait(server)


@pytest.mark.parametrize("how", ["frozen", "commits nothing"])
async def test_what_waits_for_a_server_that_stands_still_is_refused_and_the_next_is_answered(
    server: Postgres, engine: PostgresEngine, how: str
) -> None:
    with stalled(how, server):
        began = perf_counter()
        waiting = [asyncio.create_task(engine.write(add)) for _ in range(20)]
        done, late = await asyncio.wait(waiting, timeout=PATIENCE_SECONDS)
        took = perf_counter() - began
    assert not late
    assert {type(one.exception()) for one in done} == {Unavailable}
    assert took < (2 * REFUSED_SECONDS if how == "commits nothing" else REFUSED_SECONDS)
    await until_it_answers(engine)


async def until_it_answers(engine: PostgresEngine) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await engine.write(add)
            except Unavailable:
                continue
            return


async def test_reads_are_refused_too(server: Postgres, engine: PostgresEngine) -> None:
    with server.frozen():
        async with asyncio.timeout(PATIENCE_SECONDS):
            for snapshot in (True, False):
                with pytest.raises(Unavailable):
                    await engine.read(lambda tx: tx.all("SELECT n FROM t"), snapshot=snapshot)


async def test_a_statement_that_is_slow_on_a_server_that_works_is_left_alone(engine: PostgresEngine) -> None:
    assert await engine.read(lambda tx: tx.one("SELECT 1 AS one, pg_sleep(1.5)")) == {"one": 1, "pg_sleep": ""}


async def test_closing_ends_though_the_server_stands_still(server: Postgres, url: str) -> None:
    engine = PostgresEngine(url, limits=WaitLimits(late_seconds=PATIENCE_SECONDS, close_seconds=0.3))
    await engine.open()
    with server.frozen():
        waiting = asyncio.create_task(engine.write(lambda tx: tx.one("SELECT 1")))
        await asyncio.sleep(0)  # until it is accepted
        began = perf_counter()
        await engine.close()
        took = perf_counter() - began
        with pytest.raises(Unavailable):
            await waiting
    assert took < CLOSED_SECONDS
