"""The commands of docs/operating.md that copy an SQLite database and put the copy back."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.store import Store
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.store_cases import KEYS, create, fresh

GUIDE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
BACKUP, RESTORE = re.findall(r"```sh\n(.*?)```", GUIDE.partition("## Backup and restore")[2], re.DOTALL)
FILE = "magiclink.db"


def run(commands: str, folder: Path) -> None:
    """As a shell does; `sqlite3 FILE SQL` with the library, since not every machine has the program."""
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        if program == "sqlite3":
            with closing(sqlite3.connect(folder / arguments[0], isolation_level=None)) as connection:
                connection.execute(arguments[1].replace("backup.db", str(folder / "backup.db")))
        else:
            subprocess.run(["/bin/sh", "-c", line], cwd=folder, check=True)


def opened(folder: Path, clock: Clock, new_id: Callable[[str], str]) -> Store:
    return Store(SqliteEngine(str(folder / FILE), clock.now), clock=clock.now, new_id=new_id, keys=KEYS)


@pytest.mark.parametrize("removes_wal", [True, False])
async def test_a_restored_backup_has_what_was_committed_before_it_alone(
    tmp_path: Path, clock: Clock, new_id: Callable[[str], str], *, removes_wal: bool
) -> None:
    service, killed = tmp_path / "service", tmp_path / "killed"
    service.mkdir()
    store = opened(service, clock, new_id)
    await store.open()
    await create(store, fresh())
    run(BACKUP, service)  # while the service runs, and its tables are in `-wal` still
    await create(store, fresh("bob"))
    shutil.copytree(service, killed)  # what a killed process leaves, with the later session in `-wal`
    await store.close()
    run(RESTORE if removes_wal else RESTORE.partition("\n")[2], killed)
    restored = opened(killed, clock, new_id)
    await restored.open()
    rows = await restored.engine.read(lambda tx: tx.all("SELECT id FROM sessions ORDER BY id"))
    await restored.close()
    # Without the first command SQLite replays what was in `-wal`: that is why it is there.
    assert [row["id"] for row in rows] == ([fresh().id] if removes_wal else sorted([fresh().id, fresh("bob").id]))


def test_a_copy_of_the_file_alone_is_not_a_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as service:
        service.execute("PRAGMA journal_mode=WAL")
        service.execute("CREATE TABLE sessions (id)")
        shutil.copy(tmp_path / FILE, tmp_path / "copy.db")
        run(BACKUP, tmp_path)
        for name, is_whole in (("copy.db", False), ("backup.db", True)):
            with closing(sqlite3.connect(tmp_path / name)) as copy:
                assert bool(copy.execute("SELECT name FROM sqlite_master").fetchall()) is is_whole
