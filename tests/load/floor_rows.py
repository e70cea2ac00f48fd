"""What the floors of both databases share: the statements of their reads, and the copies of a session's rows."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

# The rows that one new session is: one of its own, its first event and two jobs. `{one}` is the session.
COPIED = {
    "sessions": "SELECT * FROM sessions WHERE id = {one}",
    "events": "SELECT * FROM events WHERE session_id = {one} ORDER BY drawn LIMIT 1",
    "work": "SELECT * FROM work WHERE ref = {one} AND kind IN ('expire', 'prepare')",
}
# The columns that must differ between two.
_DIFFERENT = {"sessions": ("id",), "events": ("id", "seq"), "work": ("ref",)}
OWN_TABLE = "CREATE TABLE IF NOT EXISTS floor (id TEXT PRIMARY KEY, body TEXT, at DOUBLE PRECISION)"
SESSION = (
    "SELECT s.*, u.user_id, c.* FROM sessions s JOIN companies c ON c.ref = s.company_ref "
    "JOIN users u ON u.ref = s.user_ref WHERE s.id = {one}"
)
SITES = "SELECT * FROM sites WHERE ref {among}"
LIST = (
    "SELECT s.*, u.user_id, c.* FROM sessions s JOIN companies c ON c.ref = s.company_ref JOIN users u "
    "ON u.ref = s.user_ref WHERE s.tenant = 'default' ORDER BY s.created_at DESC, s.id DESC LIMIT 25"
)
CONNECTIONS = (
    "SELECT n.* FROM session_connections j CROSS JOIN connections n WHERE j.session_id {among} "
    "AND n.account = 'default' AND n.id = j.connection_id"
)
Row = Mapping[str, Any]


class CopiedRows:
    """Copies of the rows that the one session has in a table; their positions start at `first_seq`."""

    def __init__(self, table: str, rows: Sequence[Row], first_seq: int) -> None:
        self._table = table
        self._rows = rows
        self._numbers = count(first_seq)
        self.columns = tuple(rows[0])
        self.number = len(rows)

    def insert(self, marks: Sequence[str]) -> str:
        """The statement that inserts as many rows as `marks` has; each is the parameters of a row."""
        values = ", ".join(f"({each})" for each in marks)
        return f"INSERT INTO {self._table} ({', '.join(self.columns)}) VALUES {values}"  # noqa: S608 - our own words

    def named(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The parameters of the copies for these new sessions."""
        return [
            {**row, **{column: self._new(column, name, at) for column in _DIFFERENT[self._table]}}
            for name in names
            for at, row in enumerate(self._rows)
        ]

    def _new(self, column: str, name: str, at: int) -> str | int:
        return next(self._numbers) if column == "seq" else f"{name}{at}"
