"""A database as a released version left it, which a test changes before this version opens it, or reads afterwards."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg

from tests.upgrade.release import MIGRATIONS


class OlderDatabase:
    """Runs SQL on either kind of database, without the service."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, sql: str) -> None:
        if self.url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file, file:
                file.execute(sql)
        else:
            with psycopg.connect(self.url) as connection:
                connection.execute(sql.encode())

    def rows(self, sql: str) -> Sequence[Any]:
        if self.url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file:
                return file.execute(sql).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def apply(self, *names: str) -> None:
        """Run these migrations, as the service would on its way to a later one."""
        for name in names:
            for statement in self.statements(name):
                self.run(statement)
            self.run(f"INSERT INTO schema_version (version, applied_at) VALUES ({int(name[:4])}, 1)")  # noqa: S608

    def statements(self, name: str) -> list[str]:
        """Those of a migration, at the time 1."""
        marker = "--sqlite " if self.url.startswith("sqlite:///") else "--postgresql "
        lines = [line.removeprefix(marker) for line in (MIGRATIONS / name).read_text("utf-8").splitlines()]
        code = "\n".join(line for line in lines if not line.startswith("--")).replace(":now", "1")
        return [part.strip() for part in code.split(";") if part.strip()]

    def one(self, sql: str) -> Any:
        """The first column of the first row."""
        return self.rows(sql)[0][0]
