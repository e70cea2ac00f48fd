"""A migration of a large database reads each table once, and not once for each row of another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upgrade.older import OlderDatabase
from tests.upgrade.release import Release, migrations


def repeated_scans(older: OlderDatabase, statement: str) -> Iterator[str]:
    """What SQLite would read whole in a subquery that it runs for each row."""
    inside: set[int] = set()
    for number, parent, _, detail in older.rows(f"EXPLAIN QUERY PLAN {statement}"):
        if parent in inside or "CORRELATED" in detail:
            inside.add(number)
            if detail.startswith("SCAN ") and "VIRTUAL TABLE" not in detail:  # json_each is a row's own list
                yield f"{detail}: {statement}"


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_no_table_is_read_whole_for_each_row(version: str, tmp_path: Path) -> None:
    release = Release(version)
    older = OlderDatabase(f"sqlite:///{tmp_path / 'magiclink.db'}")
    release.restore(older.url)
    found: list[str] = []
    for name in [name for name in migrations() if name not in release.held["migrations"]]:
        for statement in older.statements(name):
            if statement.startswith(("UPDATE", "INSERT", "DELETE")):
                found += repeated_scans(older, statement)
            older.run(statement)
    assert found == []
