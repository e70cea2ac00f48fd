"""Deletes old events, removed connections, ended sessions and changes of endpoints, and users to whom nothing refers.

`before` is the time before which something must have ended. A session that a verdict may need is not deleted: one that
owns a connection or could own one, and one whose magic link was shown, since such a link never ends. Such a session is
kept without personal data.
"""

from collections.abc import Collection
from dataclasses import dataclass

from service.domain.erasure import without_personal_data
from service.domain.model import Session, SessionId, UserRef
from service.store.changes import WriteContext, save_session
from service.store.engine import Engine, Row, Transaction
from service.store.rows import ACCOUNT
from service.store.session_rows import SESSION_COLUMNS, SESSION_TABLES
from service.store.sessions import SessionStore

# Rows per transaction: few enough that other transactions do not wait for long.
_BATCH = 200

# Exactly the expression of the index `sessions_by_review`.
_OVER_FOR_LONG = (
    "SELECT id FROM sessions WHERE COALESCE(reviewed_at, expires_at) < :before "
    "ORDER BY COALESCE(reviewed_at, expires_at) LIMIT :limit"
)
_OURS = f"n.account = '{ACCOUNT}'"
# A verdict needs the session if it owns a connection or could own one, if its magic link was shown and may still be
# used, or if a fact connects it with a recorded connection.
_NEEDED = (
    "SELECT 1 AS found FROM connections WHERE session_id = :id",
    "SELECT 1 AS found FROM connection_candidates WHERE session_id = :id",
    "SELECT 1 AS found FROM facts WHERE session_id = :id AND kind = 'revealed' AND connection_id IS NULL",
    f"SELECT 1 AS found FROM facts f, connections n WHERE f.session_id = :id AND n.id = f.connection_id AND {_OURS}",
)
# What belongs to a session. Facts of the kind 'named' stay: other connections depend on which invitations are used up.
_OF_SESSION = (
    "DELETE FROM invitations WHERE session_id = :id",
    "DELETE FROM session_connections WHERE session_id = :id",
    "DELETE FROM event_sessions WHERE session_id = :id",
    "DELETE FROM refused_results WHERE session_id = :id",
    "DELETE FROM facts WHERE session_id = :id AND kind <> 'named'",
    "DELETE FROM sessions WHERE id = :id",
)
# What belongs to a removed connection. Facts of the kinds 'prior' and 'named' stay.
_OF_CONNECTION = (
    "DELETE FROM session_connections WHERE connection_id = :id",
    "DELETE FROM connection_candidates WHERE connection_id = :id",
    "DELETE FROM reminders WHERE connection_id = :id",
    (
        "DELETE FROM documents WHERE connection_id = :id AND company_ref = "
        f"(SELECT company_ref FROM connections WHERE account = '{ACCOUNT}' AND id = :id)"
    ),
    "DELETE FROM facts WHERE connection_id = :id AND kind NOT IN ('named', 'prior')",
    f"DELETE FROM connections WHERE account = '{ACCOUNT}' AND id = :id",
)
# The users for whom results of these sessions were presented.
_REFUSED = (
    "SELECT s.tenant, r.user_ref FROM refused_results r JOIN sessions s ON s.id = r.session_id "
    "WHERE r.session_id IN (:among)"
)
_REFERS_TO_USER = (
    "SELECT 1 AS found FROM sessions WHERE tenant = :tenant AND user_ref = :ref",
    "SELECT 1 AS found FROM connections WHERE tenant = :tenant AND user_ref = :ref",
    "SELECT 1 AS found FROM connection_candidates WHERE user_ref = :ref",
    "SELECT 1 AS found FROM refused_results WHERE user_ref = :ref",
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one batch did: rows deleted, sessions of which a part was kept, and whether there may be more."""

    rows: int = 0
    kept: int = 0
    more: bool = False


class RetentionStore:
    """Each method is one batch in one transaction; repeat it while there is more."""

    def __init__(self, engine: Engine, context: WriteContext, sessions: SessionStore) -> None:
        self._engine = engine
        self._context = context
        self._sessions = sessions

    async def delete_events(self, before: float) -> Deleted:
        """Delete the oldest events of the log, but never its last one: the next position follows from it."""
        return await self._engine.write(lambda tx: _delete_events(tx, before))

    async def delete_connections(self, before: float) -> Deleted:
        """Delete connections that the provider removed."""
        return await self._engine.write(lambda tx: _delete_connections(tx, before))

    async def delete_endpoint_changes(self, before: float) -> Deleted:
        """Delete the records of who changed an endpoint."""
        return await self._engine.write(lambda tx: _delete_endpoint_changes(tx, before))

    async def delete_sessions(self, before: float) -> Deleted:
        """Delete sessions whose time is over; of those that a verdict needs, delete what it does not need."""
        return await self._engine.write(lambda tx: self._delete_sessions(tx, before))

    def _delete_sessions(self, tx: Transaction, before: float) -> Deleted:
        found = tx.all(_OVER_FOR_LONG, before=before, limit=_BATCH)
        # Locked first and read afterwards, as every change of a session: one that was renewed meanwhile stays.
        sql = f"SELECT {SESSION_COLUMNS} FROM {SESSION_TABLES} WHERE s.id IN (:among) ORDER BY s.id"
        rows = tx.among(f"{sql}{tx.dialect.lock and ' FOR UPDATE OF s'}", [row["id"] for row in found])
        refused = tx.among(_REFUSED, [row["id"] for row in rows])
        kept = sum(self._delete_or_keep(tx, session, before) for session in self._sessions.from_rows(tx, rows))
        _delete_users(tx, [*rows, *refused])
        return Deleted(len(rows) - kept, kept, more=len(found) == _BATCH)

    def _delete_or_keep(self, tx: Transaction, session: Session, before: float) -> bool:
        """Return whether the session was kept."""
        if session.expires_at < before and _is_over(session) and not _is_needed(tx, session.id):
            for sql in _OF_SESSION:
                tx.run(sql, id=session.id)
            return False
        if session.expires_at < before and _is_over(session):
            save_session(tx, self._context, without_personal_data(session))
        tx.run("UPDATE sessions SET reviewed_at = :now WHERE id = :id", now=self._context.clock(), id=session.id)
        return True


def _is_over(session: Session) -> bool:
    return session.closed or session.over_at is not None


def _is_needed(tx: Transaction, session_id: SessionId) -> bool:
    return any(tx.one(f"{sql} LIMIT 1", id=session_id) for sql in _NEEDED)


def _delete_events(tx: Transaction, before: float) -> Deleted:
    # Read in the order of positions, which is the order of times except for the difference between two clocks. The last
    # event stays: on both databases the next position is one more than the highest.
    rows = tx.all(
        "SELECT id, seq, at FROM events WHERE seq IS NOT NULL AND seq < (SELECT MAX(seq) FROM events) "
        "ORDER BY seq LIMIT :limit",
        limit=_BATCH,
    )
    old = [row["id"] for row in rows if row["at"] < before]
    tx.among("DELETE FROM event_sessions WHERE event_id IN (:among) RETURNING event_id", old)
    tx.among("DELETE FROM events WHERE id IN (:among) RETURNING id", old)
    # Some of a full batch may have been dated while a clock was ahead: what follows must not wait until they are old.
    return Deleted(len(old), more=len(rows) == _BATCH and bool(old))


def _delete_connections(tx: Transaction, before: float) -> Deleted:
    rows = tx.all(
        "SELECT id, tenant, user_ref FROM connections WHERE removed_at < :before ORDER BY removed_at LIMIT :limit",
        before=before,
        limit=_BATCH,
    )
    for row in rows:
        for sql in _OF_CONNECTION:
            tx.run(sql, id=row["id"])
    _delete_users(tx, rows)
    return Deleted(len(rows), more=len(rows) == _BATCH)


def _delete_endpoint_changes(tx: Transaction, before: float) -> Deleted:
    oldest = "SELECT id FROM endpoint_audit WHERE at < :before ORDER BY at LIMIT :limit"
    deleted = tx.run(f"DELETE FROM endpoint_audit WHERE id IN ({oldest})", before=before, limit=_BATCH)
    return Deleted(deleted, more=deleted == _BATCH)


def _delete_users(tx: Transaction, rows: Collection[Row]) -> None:
    """Delete the users of these rows to whom nothing refers any more."""
    tenants = {UserRef(row["user_ref"]): row["tenant"] for row in rows if row["user_ref"]}
    for ref, tenant in sorted(tenants.items()):
        # A statement of its own: it waits for a session that is being created for this user, which the next ones see.
        tx.one(f"SELECT ref FROM users WHERE ref = :ref{tx.dialect.lock}", ref=ref)
        if not any(tx.one(f"{sql} LIMIT 1", ref=ref, tenant=tenant) for sql in _REFERS_TO_USER):
            tx.run("DELETE FROM idempotency WHERE user_ref = :ref", ref=ref)
            tx.run("DELETE FROM users WHERE ref = :ref", ref=ref)
