"""Where the world is kept: JSON rows by noun, in memory, and in one SQLite file when there is a data directory.

Everything is held in memory and written through: reading never waits for the disk, and a write is durable before it is
answered.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

FILE_NAME = "sandbox.db"
SCHEMA = """
create table if not exists rows (
    place integer primary key autoincrement, kind text not null, id text not null, body text not null, unique (kind, id)
)
"""


@dataclass(frozen=True)
class Noun:
    """Anything the world remembers."""

    id: str


T = TypeVar("T", bound=Noun)


class Rows:
    """The durable half; without a directory it only forgets."""

    def __init__(self, directory: Path | None = None) -> None:
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        place = directory / FILE_NAME if directory else ":memory:"
        # Used by one thread, but closed by whichever one collects the garbage.
        self._file = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self._file.execute("pragma journal_mode = wal")
        self._file.execute("pragma synchronous = full")
        self._file.execute(SCHEMA)
        weakref.finalize(self, self._file.close)  # an app that is built and never run leaves nothing open

    def read(self, kind: str) -> list[dict[str, Any]]:
        """All rows of a kind, in order of first writing."""
        found = self._file.execute("select body from rows where kind = ? order by place", (kind,))
        return [json.loads(body) for (body,) in found]

    def write(self, kind: str, row: dict[str, Any]) -> None:
        """Adds the row or replaces the one with its id, which keeps its place."""
        self._file.execute(
            "insert into rows (kind, id, body) values (?, ?, ?)"
            " on conflict (kind, id) do update set body = excluded.body",
            (kind, row["id"], json.dumps(row)),
        )

    def erase(self, kind: str, row_id: str) -> None:
        """Forgets one row; unknown ids are nothing."""
        self._file.execute("delete from rows where kind = ? and id = ?", (kind, row_id))

    def clear(self) -> None:
        """Forgets everything."""
        self._file.execute("delete from rows")

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction for all writes inside; a nested use joins the outer one."""
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
        """Gives the file back."""
        self._file.close()


class Shelf(Generic[T]):
    """All things of one noun, in order of creation."""

    def __init__(self, rows: Rows, noun: type[T]) -> None:
        self._rows = rows
        self._kind = noun.__name__
        self._things: dict[str, T] = {}
        self._owned: dict[str | None, dict[str, T]] = {}
        for row in rows.read(self._kind):
            self._keep(noun(**_tuples(row)))

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._things.values()))

    def __len__(self) -> int:
        return len(self._things)

    def get(self, thing_id: str) -> T | None:
        """The thing of that id, if there is one."""
        return self._things.get(thing_id)

    def of(self, company_id: str) -> list[T]:
        """The things of one company, in order of creation."""
        return list(self._owned.get(company_id, {}).values())

    def put(self, thing: T) -> T:
        """Adds or replaces, durably."""
        self._rows.write(self._kind, asdict(thing))
        self._keep(thing)
        return thing

    def remove(self, thing_id: str) -> None:
        """Forgets it; unknown ids are nothing."""
        self._rows.erase(self._kind, thing_id)
        gone = self._things.pop(thing_id, None)
        if gone:
            del self._owned[_owner(gone)][thing_id]

    def forget(self) -> None:
        """Empties the shelf in memory; the rows are cleared by their owner."""
        self._things.clear()
        self._owned.clear()

    def _keep(self, thing: T) -> None:
        self._things[thing.id] = thing
        self._owned.setdefault(_owner(thing), {})[thing.id] = thing


def _owner(thing: Noun) -> str | None:
    """The company it belongs to, which never changes; None where it belongs to none."""
    owner: str | None = getattr(thing, "company_id", None)
    return owner


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
