"""What differs between the SQL of the two databases: parameters, locks, positions of events, and the clock."""

from service.domain.model import Clock
from service.store.engine import Transaction, percent_style


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
        return percent_style(sql)

    def now(self, tx: Transaction) -> float:
        """Return seconds since the epoch."""
        if self._clock is not None:
            return self._clock()
        # Not now(), which is the start of the transaction: waiting for a row lock may have taken seconds since then.
        row = tx.one("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS now")
        return float(row["now"]) if row is not None else 0.0
