"""What every database engine offers, and the transaction that its callers get.

SQL is written once for both databases, with `:name` parameters; what differs is in `Dialect`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

# Values in one `IN (…)`. Reference: sqlite.org/limits.html: a statement has at most 32,766 parameters.
_MOST_VALUES = 1024

# After a commit of another process: whose timelines have new events. The limit counts events, not their timelines.
TIMELINES_AFTER = (
    "SELECT e.seq, e.session_id, x.session_id AS also_of FROM (SELECT id, seq, session_id FROM events WHERE seq > :seq "
    "ORDER BY seq LIMIT 5000) e LEFT JOIN event_sessions x ON x.event_id = e.id ORDER BY e.seq"
)

T = TypeVar("T")
Row = Mapping[str, Any]
# A unit of work: a function that runs its statements on one transaction. An engine may run it again after a lost race.
Unit = Callable[["Transaction"], T]


class Cursor(Protocol):
    """The part of the DB-API cursor that both drivers share. Reference: PEP 249."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement wrote."""

    def execute(self, sql: Any, parameters: Any, /) -> Any:
        """Run one statement."""

    def executemany(self, sql: Any, rows: Any, /) -> Any:
        """Run one statement once for each row of parameters."""

    def fetchall(self) -> Sequence[Any]:
        """Return all rows of the last statement."""


class Transaction:
    """An open transaction: runs statements, and collects what the listeners must be notified of after the commit.

    In a statement `:database_now` is the database's time when the statement begins; it needs no round trip of its own.
    """

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
        """Run a statement and return how many rows it wrote."""
        self._cursor.execute(self._dialect.translate(sql), self._dialect.with_time(sql, parameters))
        return self._cursor.rowcount

    def run_both(self, first: str, second: str, **parameters: Any) -> None:
        """Run two writes that share parameters; PostgreSQL runs both in one statement, on one snapshot.

        So on PostgreSQL the second does not see what the first wrote; on SQLite it does.
        """
        if self._dialect.name == "postgresql":
            self.run(f"WITH first AS ({first}) {second}", **parameters)
            return
        self.run(first, **parameters)
        self.run(second, **parameters)

    def many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run a statement once for each row of parameters; PostgreSQL gets them all at once."""
        if len(rows) == 1:  # psycopg begins a pipeline for several, which costs as much as two statements
            self.run(sql, **rows[0])
        elif rows:
            self._cursor.executemany(self._dialect.translate(sql), [self._dialect.with_time(sql, row) for row in rows])

    def all(self, sql: str, **parameters: Any) -> Sequence[Row]:
        """Return every row of a query."""
        self._cursor.execute(self._dialect.translate(sql), self._dialect.with_time(sql, parameters))
        return self._cursor.fetchall()

    def one(self, sql: str, **parameters: Any) -> Row | None:
        """Return the first row of a query, or None."""
        rows = self.all(sql, **parameters)
        return rows[0] if rows else None

    def among(self, sql: str, names: Iterable[str], **parameters: Any) -> Sequence[Row]:
        """Run a query whose `:among` stands for a list of values; return [] for an empty list.

        The values are sorted and sent 1024 at a time, so an ORDER BY of the query holds only within each 1024.
        """
        rows: list[Row] = []
        ordered = sorted(names)
        for first in range(0, len(ordered), _MOST_VALUES):
            some = ordered[first : first + _MOST_VALUES]
            # Repeat the last value up to a power of two: eleven statements in all, which the driver keeps prepared.
            some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
            marked, keys = _marked(sql, len(some))
            rows += self.all(marked, **dict(zip(keys, some, strict=True)), **parameters)
        return rows

    def now(self) -> float:
        """Return the database's time: the one clock with which all processes compare leases and due times.

        Needed instead of `:database_now` where a statement before may have waited for a row's lock.
        """
        return self._dialect.now(self)

    def notify(self, session_id: str | None) -> None:
        """After the commit, notify the event listeners of this session, or of an event that has no session."""
        self.notified.add(session_id or "")


@lru_cache(maxsize=512)  # a hundred queries, of which each has a few lengths in use
def _marked(sql: str, number: int) -> tuple[str, list[str]]:
    """Return the query with as many parameters for `:among`, and their names."""
    keys = [f"among{i}" for i in range(number)]
    return sql.replace(":among", ", ".join(f":{key}" for key in keys)), keys


class Dialect(Protocol):
    """What differs between SQLite and PostgreSQL."""

    name: str
    lock: str  # ends a SELECT whose row must not change before the commit
    skip_locked: str  # ends a SELECT that leases rows, and leaves out those that another process is leasing
    next_seq: str  # an event's position, or NULL where the sequencer assigns it after the commit
    last_draw: str  # of an event that was just inserted, or a later one
    drawn: str  # the order in which events were written, by which the sequencer assigns positions

    def translate(self, sql: str) -> str:
        """Return `sql` with its `:name` parameters as the driver writes them."""

    def with_time(self, sql: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters, with `database_now` where the statement has it and the database cannot tell it."""

    def now(self, tx: Transaction) -> float:
        """Return seconds since the epoch by the database's clock."""


class Engine(Protocol):
    """Runs each unit in a transaction of its own. `write` returns only after the commit is durable."""

    async def write(self, unit: "Unit[T]") -> T:
        """Commit all writes of the unit, or none. Raises Unavailable, and whatever the unit raises."""

    async def read(self, unit: "Unit[T]", *, snapshot: bool = True) -> T:
        """Run a unit that only reads. Raises Unavailable, and whatever the unit raises.

        All its statements see the database as of one moment. With `snapshot` False each sees it as of its own, which
        saves the two round trips of a transaction: for one statement, or for rows that need not be of one moment.
        """

    def on_events(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` in the event loop after commits that wrote events, with the ids of their sessions.

        The id is "" for an event without a session.
        """

    def on_jobs(self, listener: Callable[[], None]) -> None:
        """Call `listener` in the event loop after commits that enqueued a job that is due."""

    @property
    def is_alone(self) -> bool:
        """Whether this process certainly was the only one on the database when it opened it."""

    async def empty_log(self) -> bool:
        """Remove what was deleted from the database's own log too; False where it has to be tried again.

        Raises Unavailable.
        """

    async def open(self) -> None:
        """Connect. Raises Unavailable."""

    async def close(self) -> None:
        """Finish the units that were accepted, then disconnect."""


PURGED_AT_ONCE = 5000  # rows in one transaction


async def purge(engine: Engine, unit: Unit[int]) -> int:
    """Run the unit, which deletes some rows and returns how many, until none is left; return how many in all.

    In one long transaction it would hold up every other writer on SQLite, for longer than a lease.
    """
    deleted = 0
    while some := await engine.write(unit):
        deleted += some
    return deleted


# A colon after a colon or a word is no parameter: `x::text`, `12:30`.
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@lru_cache(maxsize=1024)
def percent_style(sql: str) -> str:
    """Return `sql` with `:name` as `%(name)s`, which is what psycopg reads."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
