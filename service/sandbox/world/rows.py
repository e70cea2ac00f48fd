"""Storage of the sandbox's records: JSON rows in memory, and in one SQLite file when there is a data directory.

Every record is held in memory and written through: a read never waits for the disk, and a write is durable before the
request is answered.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from service.sandbox.wire.errors import UnusableData

FILE_NAME = "sandbox.db"
SCHEMA = """
create table if not exists rows (
    place integer primary key autoincrement, kind text not null, id text not null, body text not null, unique (kind, id)
);
create table if not exists files (id text primary key, content blob not null);
"""


@dataclass(frozen=True)
class SandboxRecord:
    """Anything that the sandbox stores, by its id."""

    id: str


T = TypeVar("T", bound=SandboxRecord)


class SandboxDatabase:
    """The SQLite file of one data directory; without a directory it is in memory and lost at the end.

    Raises `UnusableData` where the file is no such file, or may not be written.
    """

    def __init__(self, directory: Path | None = None) -> None:
        if directory:
            # For this user only, and so are SQLite's further files: they hold what users type into the pages.
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (directory / FILE_NAME).touch(mode=0o600)
        path = directory / FILE_NAME if directory else ":memory:"
        try:
            # One thread uses it, but the garbage collector may close it from another.
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._file.execute("pragma journal_mode = wal")
            # Full, so that what was answered survives a power failure too.
            self._file.execute("pragma synchronous = full")
            self._file.executescript(SCHEMA)
        except sqlite3.Error as exc:
            raise UnusableData(str(exc)) from exc
        weakref.finalize(self, self._file.close)  # an app that is built and never run has no shutdown that closes it

    def read(self, kind: str) -> list[dict[str, Any]]:
        """Return all rows of a kind, in the order in which they were created. Raises `UnusableData`."""
        try:
            found = self._file.execute("select body from rows where kind = ? order by place", (kind,))
            return [json.loads(body) for (body,) in found]
        except (sqlite3.Error, ValueError) as exc:
            raise UnusableData(str(exc)) from exc

    def write(self, kind: str, row: dict[str, Any]) -> None:
        """Insert the row, or replace the one with its id."""
        # An update keeps `place`, so that lists stay in the order of creation.
        self._file.execute(
            "insert into rows (kind, id, body) values (?, ?, ?)"
            " on conflict (kind, id) do update set body = excluded.body",
            (kind, row["id"], json.dumps(row)),
        )

    def erase(self, kind: str, row_id: str) -> None:
        """Delete one row with its file, if it has one; an unknown id changes nothing."""
        self._file.execute("delete from rows where kind = ? and id = ?", (kind, row_id))
        self._file.execute("delete from files where id = ?", (row_id,))

    def write_file(self, file_id: str, content: bytes) -> None:
        """Store the file of the row with this id; unlike rows, files are not held in memory."""
        self._file.execute("insert or replace into files (id, content) values (?, ?)", (file_id, content))

    def read_file(self, file_id: str) -> bytes | None:
        """Return a file's content, if there is one."""
        row = self._file.execute("select content from files where id = ?", (file_id,)).fetchone()
        return row[0] if row else None

    def clear(self) -> None:
        """Delete every row and every file."""
        with self.transaction():
            self._file.execute("delete from rows")
            self._file.execute("delete from files")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run all writes inside as one transaction; a nested use joins the outer one."""
        if self._file.in_transaction:
            yield
            return
        self._file.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._file.execute("rollback")
            raise
        self._file.execute("commit")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SandboxTable(Generic[T]):
    """All records of one kind, in the order in which they were created.

    `stored_as` maps a field to its name in the file: a field may be renamed, the data of a release may not.
    """

    def __init__(
        self, database: SandboxDatabase, kind: str, record: type[T], stored_as: Mapping[str, str] | None = None
    ) -> None:
        self._database = database
        self._kind = kind
        self._stored_as = stored_as or {}
        self._records: dict[str, T] = {}
        self._by_company: dict[str | None, dict[str, T]] = {}
        names = {stored: name for name, stored in self._stored_as.items()}
        for row in database.read(kind):
            try:
                kept = record(**{names.get(name, name): _immutable(value) for name, value in row.items()})
            except (TypeError, AttributeError) as exc:
                raise UnusableData(f"it has a {kind} that this version cannot read") from exc
            self._keep(kept)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def get(self, record_id: str) -> T | None:
        """Return the record with that id, if there is one."""
        return self._records.get(record_id)

    def of(self, company_id: str) -> list[T]:
        """Return the records of one company, oldest first."""
        return list(self._by_company.get(company_id, {}).values())

    def put(self, record: T) -> T:
        """Insert or replace a record, durably."""
        row = asdict(record)
        self._database.write(self._kind, {self._stored_as.get(name, name): value for name, value in row.items()})
        self._keep(record)
        return record

    def remove(self, record_id: str) -> None:
        """Delete a record; an unknown id changes nothing."""
        self._database.erase(self._kind, record_id)
        removed = self._records.pop(record_id, None)
        if removed:
            del self._by_company[_company_of(removed)][record_id]

    def forget(self) -> None:
        """Drop the records from memory; the caller clears the database."""
        self._records.clear()
        self._by_company.clear()

    def _keep(self, record: T) -> None:
        self._records[record.id] = record
        self._by_company.setdefault(_company_of(record), {})[record.id] = record


def _company_of(record: SandboxRecord) -> str | None:
    """Return the company that a record belongs to, which never changes; None where it belongs to none."""
    company_id: str | None = getattr(record, "company_id", None)
    return company_id


def _immutable(value: Any) -> Any:
    """Turn a JSON list back into the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value
