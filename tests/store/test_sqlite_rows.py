"""Rows of SQLite are dicts by the names of their columns."""

import sqlite3

from service.store.sqlite_rows import DictCursor


def test_each_row_is_a_dict_of_its_columns() -> None:
    cursor = sqlite3.connect(":memory:").cursor(DictCursor)
    cursor.execute("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1")
    assert cursor.fetchall() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_a_statement_without_rows_has_none() -> None:
    cursor = sqlite3.connect(":memory:").cursor(DictCursor)
    cursor.execute("CREATE TABLE t (a)")
    assert cursor.fetchall() == []
    cursor.execute("SELECT a FROM t")
    assert cursor.fetchall() == []
