"""Which connections are attached to sessions, and which a session may have made."""

from collections.abc import Sequence

from service.domain.model import Connection, ConnectionId, SessionId
from service.domain.session_status import Progress
from service.store.engine import Transaction
from service.store.rows import ACCOUNT, connection_of


def connections_of(tx: Transaction, session_ids: Sequence[SessionId]) -> dict[SessionId, list[Connection]]:
    """Return the connections that are attached to these sessions, the newest last."""
    # ORDER BY j.at: the newest comes last, as `main_connection` expects. CROSS JOIN: SQLite then reads the tables in
    # this order; by its own choice it read every connection. Reference: sqlite.org/optoverview.html, CROSS JOIN.
    rows = tx.among(
        "SELECT j.session_id AS attached_session, n.* FROM session_connections j CROSS JOIN connections n "
        "WHERE j.session_id IN (:among) AND n.account = :account AND n.id = j.connection_id ORDER BY j.at, n.id",
        session_ids,
        account=ACCOUNT,
    )
    found: dict[SessionId, list[Connection]] = {session_id: [] for session_id in session_ids}
    for row in rows:
        found[SessionId(row["attached_session"])].append(connection_of(row))
    return found


def undecided_of(tx: Transaction, session_id: SessionId) -> list[Connection]:
    """Return the connections without an owner that the session may have made, oldest first."""
    rows = tx.all(
        "SELECT n.* FROM connection_candidates c CROSS JOIN connections n WHERE c.session_id = :id "
        "AND n.account = :account AND n.id = c.connection_id AND n.removed_at IS NULL ORDER BY n.recorded_at, n.id",
        account=ACCOUNT,
        id=session_id,
    )
    return [connection_of(row) for row in rows]


def attached_connections(
    tx: Transaction, session_ids: Sequence[SessionId]
) -> dict[tuple[SessionId, ConnectionId], Progress]:
    """Return how far each connection has brought the session that it is attached to, of these sessions."""
    rows = tx.among(
        "SELECT session_id, connection_id, progress FROM session_connections WHERE session_id IN (:among)", session_ids
    )
    return {
        (SessionId(row["session_id"]), ConnectionId(row["connection_id"])): Progress(row["progress"]) for row in rows
    }


def count_attached(tx: Transaction, session_id: SessionId) -> int:
    """Return how many connections are attached to the session."""
    row = tx.one("SELECT COUNT(*) AS found FROM session_connections WHERE session_id = :id", id=session_id)
    return int(row["found"]) if row is not None else 0
