"""The files of an SQLite database have nothing of an erased user: neither the database nor its write-ahead log."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.marked_user import WORDS, ZOE, erased, lived
from tests.support.services import RunningServices


def words_in(folder: Path) -> list[str]:
    content = b"".join(path.read_bytes() for path in folder.glob("magiclink.db*"))
    return [word for word in WORDS if word.encode() in content]


async def test_an_erased_user_is_in_no_file_while_the_service_goes_on(
    services: RunningServices, tmp_path: Path
) -> None:
    await lived(services)
    assert words_in(tmp_path)
    await erased(services, ZOE)
    assert words_in(tmp_path) == []
    await services.later(60)
    assert words_in(tmp_path) == []


async def test_a_log_that_was_being_read_is_emptied_a_minute_later(services: RunningServices, tmp_path: Path) -> None:
    await lived(services)
    with closing(sqlite3.connect(tmp_path / "magiclink.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM users").fetchall()
        await erased(services, ZOE)
        assert words_in(tmp_path)
    await services.later(61)
    assert words_in(tmp_path) == []
