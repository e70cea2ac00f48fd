"""Who can read the database's files."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import Unavailable
from tests.support.clock import Clock
from tests.support.grouped_commits import insert, opened


@pytest.mark.parametrize("modes_before", [None, 0o644])
async def test_no_other_user_can_read_the_database_or_the_files_beside_it(
    tmp_path: Path, clock: Clock, modes_before: int | None
) -> None:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path if modes_before else ":memory:", isolation_level=None)) as earlier:
        earlier.executescript("PRAGMA journal_mode=WAL; CREATE TABLE old (id)")  # as earlier versions made it
        _change_modes(tmp_path, modes_before)
        async with opened(path, clock) as engine:
            await engine.write(insert(1))
            assert _modes(tmp_path) == dict.fromkeys(("t.db", "t.db-wal", "t.db-shm", "t.db.lock"), 0o600)


def _change_modes(folder: Path, mode: int | None) -> None:
    for one in folder.iterdir():
        one.chmod(mode or 0)


def _modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_nothing_is_written_to_a_file_that_was_deleted_or_replaced(
    tmp_path: Path, clock: Clock, *, is_replaced: bool
) -> None:
    path, aside = tmp_path / "t.db", tmp_path / "aside.db"
    async with opened(path, clock) as engine:
        path.rename(aside)
        if is_replaced:
            path.touch()
        with pytest.raises(Unavailable):
            await engine.write(insert(1))
        aside.replace(path)
        assert await engine.write(insert(2)) == 1
