"""One open transaction, and what an engine must offer. SQL is written once, with `:name` marks, for both dialects."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

_MOST_VALUES = 1024

T = TypeVar("T")
Row = Mapping[str, Any]
Unit = Callable[["Transaction"], T]


class Cursor(Protocol):
    """The part of DB-API that both drivers share."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement touched."""

    def execute(self, sql: Any, parameters: Any, /) -> Any:
        """Run one statement."""

    def fetchall(self) -> Sequence[Any]:
        """All rows of it."""


class Transaction:
    """A transaction: runs statements, knows the database's clock, remembers whom to wake after the commit."""

    def __init__(self, cursor: Cursor, dialect: "Dialect") -> None:
        self._cursor = cursor
        self._dialect = dialect
        self.notified: set[str] = set()
        self.jobs_due = False

    @property
    def dialect(self) -> "Dialect":
        """What differs between the two databases."""
        return self._dialect

    def run(self, sql: str, **parameters: Any) -> int:
        """Execute, and answer how many rows were touched."""
        self._cursor.execute(self._dialect.translate(sql), parameters)
        return self._cursor.rowcount

    def all(self, sql: str, **parameters: Any) -> Sequence[Row]:
        """Every row."""
        self._cursor.execute(self._dialect.translate(sql), parameters)
        return self._cursor.fetchall()

    def one(self, sql: str, **parameters: Any) -> Row | None:
        """The first row, if any."""
        rows = self.all(sql, **parameters)
        return rows[0] if rows else None

    def among(self, sql: str, names: Iterable[str], **parameters: Any) -> Sequence[Row]:
        """Run a query whose `:among` stands for a list of values; no values, no rows.

        Ordered within each thousand: a statement can carry only so many values. Their number is rounded up by repeating
        the last one, so that there are few statements for a driver to know.
        """
        rows: list[Row] = []
        ordered = sorted(names)
        for first in range(0, len(ordered), _MOST_VALUES):
            some = ordered[first : first + _MOST_VALUES]
            some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
            values = {f"among{i}": name for i, name in enumerate(some)}
            marks = ", ".join(f":{key}" for key in values)
            rows += self.all(sql.replace(":among", marks), **values, **parameters)
        return rows

    def now(self) -> float:
        """The database's clock: leases and due times of all processes compare with this one."""
        return self._dialect.now(self)

    def notify(self, session_id: str | None) -> None:
        """After the commit, tell listeners that this session (or a company-wide matter) has news."""
        self.notified.add(session_id or "")


class Dialect(Protocol):
    """What differs between SQLite and PostgreSQL."""

    name: str
    lock: str  # ends a SELECT that must keep its row until the commit
    skip_locked: str  # ends a SELECT that claims rows which nobody else is claiming
    next_seq: str  # SQL for an event's position, or NULL where one sequencer gives it after the commit
    drawn: str  # SQL for the order in which events were written

    def translate(self, sql: str) -> str:
        """Turn `:name` into the driver's own mark."""

    def now(self, tx: Transaction) -> float:
        """Seconds since the epoch by the database's clock."""


class Engine(Protocol):
    """Runs units of work, each in a transaction of its own, and answers only after it is durable."""

    @property
    def dialect(self) -> Dialect:
        """What differs."""

    async def write(self, unit: "Unit[T]") -> T:
        """Commit the unit's writes, or none of them. Raises Unavailable when the database does not take them."""

    async def read(self, unit: "Unit[T]") -> T:
        """Run a unit that only reads."""

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` in the event loop, after commits that wrote events, with the sessions they are about."""

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """Call `listener` in the event loop after commits that asked for work."""

    @property
    def is_alone(self) -> bool:
        """Whether this process certainly was the only one on the database when it opened it."""

    async def open(self) -> None:
        """Connect. Raises Unavailable."""

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""


_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@lru_cache(maxsize=1024)
def percent_style(sql: str) -> str:
    """`:name` as psycopg writes it."""
    return _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))
