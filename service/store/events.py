"""Reads the event log. Positions only grow: no event ever appears at or before a position that a reader has seen.

Events are written by `service.store.changes`, in the transaction that changes the state they report.
"""

import json
from collections.abc import Collection, Sequence

from service.domain.event_types import hidden_from_pages
from service.domain.events import Event
from service.domain.model import EventId, SessionId, Tenant, UserRef
from service.store.engine import Engine, Row, Transaction
from service.store.rows import event_of, users_in
from service.store.users import user_ids

# A session's timeline: the events that name it, and those of connections that concern it too. Each has its own index,
# which one query for both could not use.
_OWN = "events e WHERE e.session_id = :session"
_SHARED = "event_sessions x JOIN events e ON e.id = x.event_id WHERE x.session_id = :session"
# A session has few events that its pages must not see, so this skips few rows of an index.
_ON_PAGES = f" AND e.type NOT IN ({', '.join(repr(name) for name in hidden_from_pages())})"
# The types whose data refers to users.
_WITH_USERS = {"connection.reassigned", "session.verify_failed"}


class EventLog:
    """Reads events by position (`seq`). An event without a position yet is not visible."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def after(
        self, seq: int, limit: int, tenant: Tenant | None = None, session_id: SessionId | None = None
    ) -> Sequence[Event]:
        """Return up to `limit` events after `seq`, oldest first; of one tenant, one session, or all."""
        return await self._engine.read(lambda tx: _after(tx, seq, limit, tenant, session_id))

    async def on_pages_after(self, seq: int, limit: int, session_id: SessionId) -> Sequence[Event]:
        """Return up to `limit` events of the session after `seq` that its pages may have, oldest first."""
        return await self._engine.read(lambda tx: _of_session(tx, seq, limit, session_id, _ON_PAGES))

    async def position(self, event_id: str, session_id: SessionId | None = None) -> int | None:
        """Return the event's position; None where it is unknown, has none yet, or belongs to another session."""
        return await self._engine.read(lambda tx: _position(tx, event_id, session_id))


def _after(
    tx: Transaction, seq: int, limit: int, tenant: Tenant | None, session_id: SessionId | None
) -> Sequence[Event]:
    # A session's events are its tenant's, so of both filters one is enough: with two, SQLite may choose the index that
    # reads all of the tenant's events.
    if session_id is not None:
        found = _of_session(tx, seq, limit, session_id, "")
        return [event for event in found if tenant in {None, event.tenant}]
    where, values = (" AND e.tenant = :tenant", {"tenant": str(tenant)}) if tenant is not None else ("", {})
    sql = f"SELECT e.* FROM events e WHERE e.seq > :seq{where} ORDER BY e.seq LIMIT :limit"
    return events_of(tx, tx.all(sql, seq=seq, limit=limit, **values))


def _of_session(tx: Transaction, seq: int, limit: int, session_id: SessionId, where: str) -> list[Event]:
    rows = [
        row
        for source in (_OWN, _SHARED)
        for row in tx.all(
            f"SELECT e.* FROM {source} AND e.seq > :seq{where} ORDER BY e.seq LIMIT :limit",
            session=session_id,
            seq=seq,
            limit=limit,
        )
    ]
    return events_of(tx, sorted(rows, key=lambda row: int(row["seq"]))[:limit])


def events_of(tx: Transaction, rows: Sequence[Row], of: UserRef | None = None) -> list[Event]:
    """Return the events in rows of `events`, with the user ids that are stored now; with `of`, only that user's."""
    refs = {row["user_ref"] for row in rows if row["user_ref"] is not None}
    for row in rows:
        if row["type"] in _WITH_USERS:
            refs |= {part[name] for part, name in users_in(json.loads(row["data"])) if part[name] is not None}
    ids = user_ids(tx, refs if of is None else refs & {of})
    return [event_of(row, ids) for row in rows]


def events_by_id(tx: Transaction, ids: Collection[EventId]) -> dict[EventId, Event | None]:
    """Return these events by id; None for one without a position yet. One that was deleted is not in it."""
    rows = tx.among("SELECT e.* FROM events e WHERE e.id IN (:among)", ids)
    found = {event.id: event for event in events_of(tx, [row for row in rows if row["seq"] is not None])}
    return {EventId(row["id"]): found.get(EventId(row["id"])) for row in rows}


def _position(tx: Transaction, event_id: str, session_id: SessionId | None) -> int | None:
    row = tx.one("SELECT seq, session_id FROM events WHERE id = :id", id=event_id)
    if row is None or row["seq"] is None:
        return None
    shared = "SELECT 1 AS found FROM event_sessions WHERE session_id = :session AND event_id = :id"
    if session_id not in {None, row["session_id"]} and not tx.one(shared, session=session_id, id=event_id):
        return None
    return int(row["seq"])


def last_event(tx: Transaction, session_id: SessionId) -> tuple[EventId | None, int]:
    """Return id and position of the newest event that the session's pages can see; None and 0 before any."""
    rows = [
        row
        for source in (_OWN, _SHARED)
        for row in tx.all(
            f"SELECT e.id, e.seq FROM {source} AND e.seq IS NOT NULL{_ON_PAGES} ORDER BY e.seq DESC LIMIT 1",
            session=session_id,
        )
    ]
    newest = max(rows, key=lambda row: int(row["seq"]), default=None)
    return (EventId(newest["id"]), int(newest["seq"])) if newest is not None else (None, 0)
