import sqlite3

import pytest

from service.store.dialects import PostgresDialect, SqliteDialect
from service.store.engine import Transaction, percent_style


@pytest.fixture
def tx() -> Transaction:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    found = Transaction(connection.cursor(), SqliteDialect(lambda: 42.0))
    found.run("CREATE TABLE t (id TEXT, number INTEGER)")
    for number, name in enumerate("abc"):
        found.run("INSERT INTO t VALUES (:id, :number)", id=name, number=number)
    return found


def test_marks_become_the_drivers_own() -> None:
    assert percent_style("SELECT * FROM t WHERE id = :id AND n > :n_2") == (
        "SELECT * FROM t WHERE id = %(id)s AND n > %(n_2)s"
    )


def test_casts_and_percent_signs_are_left_as_they_are_meant() -> None:
    assert percent_style("SELECT now()::date, 5 % 2, a LIKE 'x%'") == "SELECT now()::date, 5 %% 2, a LIKE 'x%%'"
    assert PostgresDialect().translate(":a") == "%(a)s"
    assert SqliteDialect(lambda: 0.0).translate(":a") == ":a"


def test_a_statement_returns_how_many_rows_it_changed(tx: Transaction) -> None:
    assert tx.run("UPDATE t SET number = 9 WHERE number > :least", least=0) == 2


def test_one_is_the_first_row_or_none(tx: Transaction) -> None:
    row = tx.one("SELECT * FROM t ORDER BY id")
    assert row is not None
    assert row["id"] == "a"
    assert tx.one("SELECT * FROM t WHERE id = 'z'") is None


def test_among_stands_for_a_list_and_an_empty_list_for_no_rows(tx: Transaction) -> None:
    sql = "SELECT id FROM t WHERE id IN (:among) AND number < :most ORDER BY id"
    assert [row["id"] for row in tx.among(sql, ["a", "c", "z"], most=9)] == ["a", "c"]
    assert [row["id"] for row in tx.among(sql, {"a", "c"}, most=1)] == ["a"]
    assert tx.among(sql, [], most=9) == []


def test_among_stands_for_more_values_than_a_statement_can_carry(tx: Transaction) -> None:
    names = [f"n{number:05}" for number in range(40_000)]
    for name in (names[0], names[1023], names[1024], names[-1]):
        tx.run("INSERT INTO t VALUES (:id, 0)", id=name)
    found = tx.among("SELECT id FROM t WHERE id IN (:among)", reversed(names))
    assert [row["id"] for row in found] == [names[0], names[1023], names[1024], names[-1]]


def test_values_are_never_read_as_sql(tx: Transaction) -> None:
    hostile = "'); DROP TABLE t; --"
    tx.run("INSERT INTO t VALUES (:id, 0)", id=hostile)
    assert [row["id"] for row in tx.among("SELECT id FROM t WHERE id IN (:among)", [hostile])] == [hostile]


def test_readers_are_woken_by_their_session_and_all_of_them_by_an_event_of_the_company(tx: Transaction) -> None:
    assert tx.notified == set()
    tx.notify("ses_1")
    tx.notify(None)
    assert tx.notified == {"ses_1", ""}


def test_the_time_is_the_databases(tx: Transaction) -> None:
    assert tx.now() == 42.0
    assert tx.dialect.name == "sqlite"


def test_the_databases_time_is_sqlites_own_clock(tx: Transaction) -> None:
    (row,) = tx.all("SELECT :database_now - :seconds AS at", seconds=2)
    assert row["at"] == 40.0
    tx.many("INSERT INTO t VALUES (:id, :database_now)", [{"id": "d"}, {"id": "e"}])
    assert [row["number"] for row in tx.all("SELECT number FROM t WHERE id > 'c'")] == [42, 42]


def test_the_databases_time_is_asked_of_the_server_unless_a_clock_replaces_it() -> None:
    sql = "UPDATE t SET at = :database_now + :seconds"
    own, replaced = PostgresDialect(), PostgresDialect(lambda: 42.0)
    assert "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp())" in own.translate(sql)
    assert own.with_time(sql, {"seconds": 1}) == {"seconds": 1}
    assert replaced.translate(sql) == "UPDATE t SET at = %(database_now)s + %(seconds)s"
    assert replaced.with_time(sql, {"seconds": 1}) == {"seconds": 1, "database_now": 42.0}
    assert replaced.with_time("SELECT 1", {}) == {}
