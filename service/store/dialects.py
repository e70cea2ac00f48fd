"""What differs between the SQL of the two databases: parameters, locks, positions of events, and the clock."""

from functools import lru_cache
from typing import Any

from service.domain.model import Clock
from service.store.engine import Transaction, percent_style

_TIME = ":database_now"
# Not now(), which is the start of the transaction: waiting for a row lock may have taken seconds since then.
_SERVER_TIME = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


class SqliteDialect:
    """SQLite's SQL. Its clock is the machine's, since the database is embedded in the process."""

    name = "sqlite"
    # BEGIN IMMEDIATE locks the whole file, so no row needs a lock of its own.
    lock = ""
    skip_locked = ""
    # There is one writer at a time, so an event gets its position when it is inserted.
    next_seq = "(SELECT COALESCE(MAX(seq), 0) + 1 FROM events)"
    drawn = "0"
    last_draw = "(SELECT MAX(seq) FROM events)"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def translate(self, sql: str) -> str:
        """Return `sql` as it is: SQLite reads `:name` itself."""
        return sql

    def with_time(self, sql: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters, with the machine's time where the statement has `:database_now`."""
        return parameters | {"database_now": self._clock()} if _TIME in sql else parameters

    def now(self, _tx: Transaction) -> float:
        """Return seconds since the epoch."""
        return self._clock()


class PostgresDialect:
    """PostgreSQL's SQL. Its clock is the server's, the same for every process."""

    name = "postgresql"
    lock = " FOR UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"
    next_seq = "NULL"
    drawn = "nextval('event_draws')"
    last_draw = drawn

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock

    def translate(self, sql: str) -> str:
        """Return `sql` with its `:name` parameters as psycopg reads them."""
        return percent_style(sql) if self._clock is not None else _on_the_server(sql)

    def with_time(self, sql: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters; they need no time unless the clock is not the server's."""
        return parameters | {"database_now": self._clock()} if self._clock is not None and _TIME in sql else parameters

    def now(self, tx: Transaction) -> float:
        """Return seconds since the epoch."""
        if self._clock is not None:
            return self._clock()
        row = tx.one("SELECT :database_now AS now")
        return float(row["now"]) if row is not None else 0.0


@lru_cache(maxsize=1024)
def _on_the_server(sql: str) -> str:
    # A subquery is evaluated once a statement, so an index can be read up to it.
    return percent_style(sql.replace(_TIME, f"(SELECT {_SERVER_TIME})"))
