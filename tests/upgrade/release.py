"""`python -m tests.upgrade.release`: keeps what this version writes, for every later one to be tested on.

Run once, before a version is released; what is kept never changes afterwards. `database.sql` has the rows, without a
schema: that is what the migrations of that version made. `provider.sql` is the sandbox's world, and `held.json` what
people outside hold: addresses, keys, answers. A line that starts with `--postgresql` is for that database alone.
"""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from service import __version__
from tests.support.clock import Clock
from tests.support.services import RunningServices
from tests.upgrade.contents import live

RELEASED = Path(__file__).parent / "released"
MIGRATIONS = files("service.store") / "migrations"
_VERSIONS = "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL);"
# SQLite draws no numbers for events; on PostgreSQL the same version would have drawn these.
_DRAWN = (
    "--postgresql UPDATE events SET drawn = seq;",
    "--postgresql SELECT setval('event_draws', (SELECT MAX(seq) FROM events));",
)


def migrations() -> list[str]:
    """Those of this version, in order."""
    return sorted(item.name for item in MIGRATIONS.iterdir() if item.name.endswith(".sql"))


def digest_of(name: str) -> str:
    return sha256((MIGRATIONS / name).read_bytes()).hexdigest()


class Release:
    """What one version left behind."""

    def __init__(self, name: str) -> None:
        self._folder = RELEASED / name
        self.held: dict[str, Any] = json.loads(self._read("held.json"))

    def restore(self, url: str) -> None:
        """That version's schema and rows, in an empty database."""
        schema = [(MIGRATIONS / name).read_text("utf-8") for name in self.held["migrations"]]
        texts = [_VERSIONS, *schema, self._read("database.sql")]
        if url.startswith("sqlite:///"):
            _run(Path(url.removeprefix("sqlite:///")), "".join(["BEGIN;", *texts, "COMMIT;"]))
            return
        with psycopg.connect(url) as connection:
            connection.execute("".join(texts).replace("--postgresql ", "").encode())

    def restore_provider(self, folder: Path) -> None:
        """The sandbox's world, for one that is opened in this folder."""
        _run(folder / "sandbox.db", self._read("provider.sql"))

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text("utf-8")


def _run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(script)


async def _live(folder: Path) -> dict[str, Any]:
    services = RunningServices(Clock(), f"sqlite:///{folder}/magiclink.db", sandbox={"data_dir": folder})
    await services.open()
    held = await live(services)
    await services.close()
    return held


def _rows(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as file:
        for (table,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
            names = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
            values = " || ', ' || ".join(f"quote({name})" for name in names)
            for (row,) in file.execute(f"SELECT {values} FROM {table}"):  # noqa: S608 - our own names
                yield f"INSERT INTO {table} ({', '.join(names)}) VALUES ({row});"  # noqa: S608


def _sandbox_rows(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as file:
        yield from file.iterdump()


def main() -> None:
    target = RELEASED / __version__
    with TemporaryDirectory() as name:
        folder = Path(name)
        held = asyncio.run(_live(folder))
        rows, sandbox_rows = list(_rows(folder / "magiclink.db")), list(_sandbox_rows(folder / "sandbox.db"))
    held["migrations"] = {name: digest_of(name) for name in migrations()}
    target.mkdir(parents=True)  # what was released stays as it is
    (target / "database.sql").write_text("\n".join([*rows, *_DRAWN, ""]), "utf-8")
    (target / "provider.sql").write_text("\n".join([*sandbox_rows, ""]), "utf-8")
    (target / "held.json").write_text(json.dumps(held, indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{len(rows)} rows in {target}\n")


if __name__ == "__main__":
    main()
