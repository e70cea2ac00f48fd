"""The cause of an outage: at the start in the message, later in the log, once; never with a part of the password."""

import logging
from collections.abc import Callable

import psycopg
import pytest

from service.errors import Unavailable
from service.store.engine import Engine, Transaction
from service.store.outages import Outages
from service.store.postgres import PostgresEngine
from service.store.sqlite import SqliteEngine

ADDRESSES = [
    "postgresql://ada:pa:ss@wo/rd@127.0.0.1:1/x",
    "postgresql://ada:pass?wo%zzrd@127.0.0.1:1/x",
    'postgresql://ada:pa"ss wo"rd@127.0.0.1:1/x',
    "postgresql://ada:pa%word@127.0.0.1:1/x",
    "postgresql://ada:word@[127.0.0.1:1/x",
    "postgresql://ada@127.0.0.1:1/x?password=word%zz&odd=1",
    "postgresql://ada:word@127.0.0.1:1/x?odd=wo",
    "postgresql://ada:word@127.0.0.1:word/x",
]


@pytest.mark.parametrize("url", ADDRESSES)
async def test_no_part_of_the_password_is_in_the_message_or_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = PostgresEngine(url)
    with pytest.raises(Unavailable) as refused:
        await engine.open()
    await engine.close()
    said = refused.value.detail + caplog.text
    assert [part for part in ("pa:", "ss@", "word", "wo%", "rd@", '"pa', "ss wo") if part in said] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("/test_", "/absent_"), 'database "absent_'),
        (("postgres@", "mallory@"), 'role "mallory" does not exist'),
        (("?host=", "?port=99999&host="), "port"),
        (("?host=", "?odd=1&host="), 'invalid URI query parameter: "odd"'),
    ],
)
async def test_at_the_start_the_message_says_what_the_server_or_the_driver_says(
    migrated_postgres_url: str, change: tuple[str, str], said: str
) -> None:
    engine = PostgresEngine(migrated_postgres_url.replace(*change))
    with pytest.raises(Unavailable) as refused:
        await engine.open()
    await engine.close()
    assert refused.value.detail.startswith("The database cannot be used: ")
    assert said in refused.value.detail


def fill(tx: Transaction) -> None:
    tx.run("UPDATE schema_version SET applied_at = -applied_at")


def refuse(engine: Engine) -> Callable[[Transaction], None]:
    """A write that the database refuses, on either of them."""

    def unit(tx: Transaction) -> None:
        if isinstance(engine, SqliteEngine):
            tx.run("PRAGMA query_only = ON")
            try:
                fill(tx)
            finally:
                tx.run("PRAGMA query_only = OFF")
        tx.run("SET LOCAL statement_timeout = 1")
        tx.all("SELECT pg_sleep(1)")

    return unit


async def test_a_refused_write_names_the_cause_until_one_has_succeeded_and_is_logged_once_per_outage(
    new_engine: Callable[[], Engine], caplog: pytest.LogCaptureFixture
) -> None:
    engine = new_engine()
    cause = "attempt to write a readonly" if isinstance(engine, SqliteEngine) else "canceling statement"
    await engine.open()
    with caplog.at_level(logging.INFO, "service.store.outages"):
        with pytest.raises(Unavailable, match=cause):
            await engine.write(refuse(engine))
        await engine.write(fill)
        for _ in range(3):
            with pytest.raises(Unavailable) as refused:
                await engine.write(refuse(engine))
            assert refused.value.detail == Unavailable.title
        await engine.write(fill)
    await engine.close()
    kinds = [message.partition(":")[0] for message in caplog.messages]
    assert kinds == ["the database fails", "the database works again"]
    assert cause in caplog.messages[0]


def test_a_full_disk_is_called_full(caplog: pytest.LogCaptureFixture) -> None:
    outages = Outages()
    outages.works()
    outages.unavailable(OSError("database or disk is full\nmore"))
    assert caplog.messages == ["the database fails: database or disk is full"]


async def test_why_a_migration_fails_is_in_the_message_also_after_the_sequencers_commit(
    migrated_postgres_url: str,
) -> None:
    engine = PostgresEngine(migrated_postgres_url)
    await engine.open()
    await engine.number()
    with psycopg.connect(migrated_postgres_url) as other:
        other.execute("SELECT COUNT(*) FROM sessions")
        with pytest.raises(Unavailable, match="cannot be used: could not obtain lock on relation"):
            await engine.write(lambda tx: tx.run("LOCK TABLE sessions NOWAIT"))
    await engine.close()
