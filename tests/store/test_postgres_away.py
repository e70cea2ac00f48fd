"""A server that is not there or silent, or that the engine has not connected to: each read and write is refused."""

import asyncio
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pytest

from service.errors import Unavailable
from service.store.postgres import PostgresEngine
from tests.support.postgres import end_others

SOCKET = ".s.PGSQL.5432"
DEAD_END = "postgresql://postgres@/nothing?host=/nowhere"
PATIENCE_SECONDS = 10.0


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    engine = PostgresEngine(DEAD_END)
    with pytest.raises(Unavailable):
        await engine.open()
    await engine.close()


async def test_a_hundred_that_ask_a_silent_server_wait_hardly_longer_than_the_first(migrated_postgres_url: str) -> None:
    """Something accepts connections and never answers, as a network that fails."""
    address, _, home = migrated_postgres_url.partition("?host=")
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as silent:
        transport = Path(folder) / SOCKET
        transport.symlink_to(Path(home) / SOCKET)
        engine = PostgresEngine(f"{address}?host={folder}")
        await engine.open()
        transport.unlink()
        silent.bind(str(transport))
        silent.listen(200)
        end_others(migrated_postgres_url)
        began = perf_counter()
        waiting = [engine.read(lambda tx: tx.one("SELECT 1")) for _ in range(100)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        took = perf_counter() - began
        await engine.close()
    assert {type(one) for one in outcomes} == {Unavailable}
    assert took < PATIENCE_SECONDS


async def test_before_it_is_open_and_after_it_is_closed_it_is_unavailable(migrated_postgres_url: str) -> None:
    engine = PostgresEngine(migrated_postgres_url)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await engine.read(lambda tx: tx.one("SELECT 1"))
        with pytest.raises(Unavailable):
            await engine.write(lambda tx: tx.one("SELECT 1"))
        await engine.open()
        await engine.close()


async def test_closing_does_not_wait_for_the_next_notification(migrated_postgres_url: str) -> None:
    took: list[float] = []
    for _ in range(3):  # a busy machine may be slow once
        engine = PostgresEngine(migrated_postgres_url)
        await engine.open()
        began = perf_counter()
        await engine.close()
        took.append(perf_counter() - began)
    assert min(took) < 0.5
