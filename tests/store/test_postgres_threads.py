"""The threads and connections of PostgreSQL's engine outlive what fails in them, and an engine may be opened again."""

import asyncio
import errno
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from service.errors import NotFound, Unavailable
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.postgres_connections import PostgresConnections, WatchedConnection
from tests.support.patience import PATIENCE_SECONDS

EVENT = (
    "INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, data) VALUES "
    "(gen_random_uuid()::text, NULL, nextval('event_draws'), 'default', 'x', 0, :session_id, '{}')"
)


def add_event(tx: Transaction, session_id: str) -> None:
    tx.run(EVENT, session_id=session_id)
    tx.notify(session_id)


async def notified_of(engine: PostgresEngine, session_id: str) -> None:
    """Wait until a listener hears of an event that is written meanwhile."""
    notified: set[str] = set()
    engine.on_events(notified.update)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while session_id not in notified:
            await engine.write(lambda tx: add_event(tx, session_id))
            await asyncio.sleep(0.05)


class WithoutHandles(PostgresEngine):
    """An engine for whose listener no file handle is left at first."""

    refusals = 1

    def _wait_for_notify(self, connection: psycopg.Connection[Any]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        super()._wait_for_notify(connection)


async def test_a_listener_that_found_no_file_handle_listens_again(migrated_postgres_url: str) -> None:
    engine = WithoutHandles(migrated_postgres_url)
    await engine.open()
    await notified_of(engine, "ses_1")
    await engine.close()
    assert not engine.refusals


async def test_a_connection_for_which_no_file_handle_is_left_is_unavailable(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_handles(*_: object, **__: object) -> WatchedConnection:
        raise OSError(errno.EMFILE, "Too many open files")

    engine = PostgresEngine(migrated_postgres_url)
    monkeypatch.setattr(WatchedConnection, "connect", without_handles)
    with pytest.raises(Unavailable):
        await engine.open()
    await engine.close()


async def test_an_engine_that_is_opened_again_notifies_its_listeners(migrated_postgres_url: str) -> None:
    engine = PostgresEngine(migrated_postgres_url)
    for session_id in ("ses_1", "ses_2"):
        await engine.open()
        await notified_of(engine, session_id)
        await engine.close()


async def test_connections_that_the_server_ended_are_forgotten(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PostgresEngine(migrated_postgres_url, threads=1)  # the next unit runs where the last one did
    await engine.open()

    def ended(tx: Transaction) -> None:
        with suppress(psycopg.Error):
            tx.one("SELECT pg_terminate_backend(pg_backend_pid())")
        raise NotFound

    forgotten: list[WatchedConnection] = []
    monkeypatch.setattr(PostgresConnections, "close", lambda _, connection: forgotten.append(connection))
    for _ in range(3):
        with pytest.raises(NotFound):
            await engine.write(ended)
    await engine.read(lambda tx: tx.one("SELECT 1"), snapshot=False)
    assert len(forgotten) == 3
    monkeypatch.undo()
    await engine.close()
