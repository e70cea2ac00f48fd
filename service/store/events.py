"""Reads the event log. Positions only grow: no event ever appears at or before a position that a reader has seen.

Events are written by `service.store.changes`, in the transaction that changes the state they report.
"""

from collections.abc import Sequence

from service.domain.model import Event, EventId, SessionId, Tenant
from service.store.engine import Engine, Transaction
from service.store.rows import event_of


class EventLog:
    """Reads events by position (`seq`). An event without a position yet is not visible."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def after(
        self, seq: int, limit: int, tenant: Tenant | None = None, session_id: SessionId | None = None
    ) -> Sequence[Event]:
        """Return up to `limit` events after `seq`, oldest first; of one tenant, one session, or all."""
        return await self._engine.read(lambda tx: _after(tx, seq, limit, tenant, session_id))

    async def position(self, event_id: str, session_id: SessionId | None = None) -> int | None:
        """Return the event's position; None where it is unknown, has none yet, or belongs to another session."""
        return await self._engine.read(lambda tx: _position(tx, event_id, session_id))


def _after(
    tx: Transaction, seq: int, limit: int, tenant: Tenant | None, session_id: SessionId | None
) -> Sequence[Event]:
    where, values = ["seq > :seq"], {}
    # A session's events are its tenant's, so of both filters one is enough: with two, SQLite may choose the index that
    # reads all of the tenant's events.
    if session_id is not None:
        where.append("session_id = :session")
        values["session"] = str(session_id)
    elif tenant is not None:
        where.append("tenant = :tenant")
        values["tenant"] = str(tenant)
    sql = f"SELECT * FROM events WHERE {' AND '.join(where)} ORDER BY seq LIMIT :limit"
    found = [event_of(row) for row in tx.all(sql, seq=seq, limit=limit, **values)]
    return [event for event in found if tenant in {None, event.tenant}]


def _position(tx: Transaction, event_id: str, session_id: SessionId | None) -> int | None:
    row = tx.one("SELECT seq, session_id FROM events WHERE id = :id", id=event_id)
    if row is None or row["seq"] is None or session_id not in {None, row["session_id"]}:
        return None
    return int(row["seq"])


def last_event(tx: Transaction, session_id: SessionId) -> tuple[EventId | None, int]:
    """Return id and position of the session's newest event that readers can see; None and 0 before any."""
    row = tx.one(
        "SELECT id, seq FROM events WHERE session_id = :session AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1",
        session=session_id,
    )
    return (EventId(row["id"]), int(row["seq"])) if row is not None else (None, 0)
