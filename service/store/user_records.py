"""Exports what is stored about a user, and erases it. The functions for the user's own row are in `users`."""

import json
from collections.abc import Collection, Mapping, Sequence

from service.domain import events
from service.domain.changes import Job, JobKind
from service.domain.model import Connection, SessionId, Tenant, UserId, UserRef
from service.domain.user_records import StoredAnswer, UserRecords
from service.errors import NotFound
from service.store.attached import connections_of
from service.store.changes import WriteContext, add_event
from service.store.delivery_rows import attempts_without_answers
from service.store.engine import Engine, Row, Transaction
from service.store.events import events_of
from service.store.jobs import enqueue
from service.store.rows import ACCOUNT, connection_of
from service.store.session_rows import SESSION_COLUMNS, SESSION_TABLES, encrypted_email
from service.store.sessions import SessionStore
from service.store.users import find_user, ref_of_user, user_ids

_BATCH = 500
_SHOWN = 100  # connections of one user at once
# Deliveries to an address that a session of the user named for its own events: the address may contain the user's name.
_OWN_DELIVERIES = (
    "DELETE FROM deliveries WHERE url IS NOT NULL AND event_id IN (SELECT e.id FROM users u "
    "JOIN sessions s ON s.tenant = u.tenant AND s.user_ref = u.ref JOIN events e ON e.session_id = s.id "
    "WHERE u.ref = :ref)"
)
# The others hold the beginning of what the receiver answered, which may name the user.
_OTHER_DELIVERIES = (
    "SELECT d.id, d.attempts FROM users u JOIN sessions s ON s.tenant = u.tenant AND s.user_ref = u.ref "
    "JOIN {events} JOIN deliveries d ON d.event_id = {event_id} WHERE u.ref = :ref AND d.attempts <> '[]'"
)
_DELIVERIES_OF_SESSIONS = _OTHER_DELIVERIES.format(events="events e ON e.session_id = s.id", event_id="e.id")
_DELIVERIES_OF_CANDIDATES = _OTHER_DELIVERIES.format(
    events="event_sessions x ON x.session_id = s.id", event_id="x.event_id"
)


class UserStore:
    """Reads, exports and erases users. `SessionStore.create` inserts their rows."""

    def __init__(self, engine: Engine, context: WriteContext, sessions: SessionStore) -> None:
        self._engine = engine
        self._context = context
        self._sessions = sessions

    async def ids(self, refs: Collection[UserRef]) -> Mapping[UserRef, UserId]:
        """Return the user ids of these rows, without those of erased users."""
        return await self._engine.read(lambda tx: _present(user_ids(tx, refs))) if refs else {}

    async def status(self, tenant: Tenant, user_id: UserId) -> tuple[UserRef, Sequence[Connection]]:
        """Return a user's row and newest connections, as `connections_of` does.

        Raises NotFound, also for a user without a session.
        """
        return await self._engine.read(lambda tx: _status(tx, tenant, user_id))

    async def connections_of(self, tenant: Tenant, user: UserRef) -> Sequence[Connection]:
        """Return up to 100 connections of a user, newest first, without those that the provider removed.

        Raises NotFound for an erased user, and for one of another tenant.
        """
        return await self._engine.read(lambda tx: _newest_connections(tx, tenant, user))

    async def export(self, tenant: Tenant, user_id: UserId, by: str) -> UserRecords:
        """Read a user's records and emit the event of that, in one transaction; `by` is the id of the API key.

        Raises NotFound for an unknown or erased user.
        """
        return await self._engine.write(lambda tx: self._export(tx, tenant, user_id, by))

    async def begin_erasure(self, tenant: Tenant, user_id: UserId, by: str) -> UserRef:
        """Empty the user's row, emit its event and enqueue the job that erases the rest, in one transaction.

        From here on the user's sessions are closed, nothing shows the user's id, and a session that is created with it
        is another user's. `by` is the id of the API key. Raises NotFound for an unknown or erased user.
        """
        return await self._engine.write(lambda tx: self._begin_erasure(tx, tenant, user_id, by))

    async def sessions(self, user: UserRef) -> Sequence[SessionId]:
        """Return the ids of all sessions of a user, who may be erased."""
        sql = (
            "SELECT s.id FROM users u JOIN sessions s ON s.tenant = u.tenant AND s.user_ref = u.ref "
            "WHERE u.ref = :ref ORDER BY s.created_at, s.id"
        )
        return await self._engine.read(
            lambda tx: [SessionId(row["id"]) for row in tx.all(sql, ref=user)], snapshot=False
        )

    async def complete_erasure(self, user: UserRef) -> None:
        """Delete the stored answers about an erased user, and note that nothing is left to erase."""
        await self._engine.write(lambda tx: self._complete_erasure(tx, user))

    async def is_erased(self, user: UserRef) -> bool:
        """Whether everything about the user has been erased."""
        sql = "SELECT 1 AS found FROM users WHERE ref = :ref AND erased_at IS NULL"
        return await self._engine.read(lambda tx: tx.one(sql, ref=user) is None, snapshot=False)

    async def encrypt_emails(self, after: SessionId) -> SessionId | None:
        """Encrypt the e-mail addresses that version 0.2.0 stored as they are, in up to 500 sessions after this id.

        Returns the id of the last one; None where there is none left.
        """
        return await self._engine.write(lambda tx: self._encrypt_emails(tx, after))

    def _export(self, tx: Transaction, tenant: Tenant, user_id: UserId, by: str) -> UserRecords:
        user = find_user(tx, tenant, user_id)
        if user is None:
            raise NotFound
        add_event(tx, self._context, events.user_exported(user, by), tenant)
        return _records(tx, self._sessions, user)

    def _begin_erasure(self, tx: Transaction, tenant: Tenant, user_id: UserId, by: str) -> UserRef:
        # The lock waits for sessions of this user that are being created (`adopt_user`): they are erased too. One that
        # is created afterwards finds no row with this id.
        sql = f"SELECT ref FROM users WHERE tenant = :tenant AND user_id = :user{tx.dialect.lock}"
        row = tx.one(sql, tenant=tenant, user=user_id)
        if row is None:
            raise NotFound
        user = UserRef(row["ref"])
        tx.run("UPDATE users SET user_id = NULL WHERE ref = :ref", ref=user)
        add_event(tx, self._context, events.user_erased(user, by), tenant)
        # If this process dies now, another one runs the job.
        enqueue(tx, Job(JobKind.ERASE, user))
        return user

    def _complete_erasure(self, tx: Transaction, user: UserRef) -> None:
        tx.run(_OWN_DELIVERIES, ref=user)
        _erase_answers(tx, user)
        tx.run("DELETE FROM idempotency WHERE user_ref = :ref", ref=user)
        sql = "UPDATE users SET erased_at = :now WHERE ref = :ref AND user_id IS NULL AND erased_at IS NULL"
        tx.run(sql, now=self._context.clock(), ref=user)

    def _encrypt_emails(self, tx: Transaction, after: SessionId) -> SessionId | None:
        rows = tx.all(
            "SELECT id, user_email FROM sessions WHERE id > :after ORDER BY id LIMIT :limit", after=after, limit=_BATCH
        )
        for row in rows:
            if "@" not in (row["user_email"] or ""):
                continue
            # `user_email = :plain`: an erasure since then must not be undone.
            tx.run(
                "UPDATE sessions SET user_email = :encrypted WHERE id = :id AND user_email = :plain",
                encrypted=encrypted_email(row, self._context.cipher),
                id=row["id"],
                plain=row["user_email"],
            )
        return SessionId(rows[-1]["id"]) if rows else None


def _erase_answers(tx: Transaction, user: UserRef) -> None:
    """Erase what receivers answered to events of the user; an attempt since the erasure is stored without."""
    # `attempts = :before`: such an attempt may be stored meanwhile, and must not be lost.
    sql = "UPDATE deliveries SET attempts = :kept WHERE id = :id AND attempts = :before"
    for query in (_DELIVERIES_OF_SESSIONS, _DELIVERIES_OF_CANDIDATES):
        for row in tx.all(query, ref=user):
            tx.run(sql, id=row["id"], before=row["attempts"], kept=attempts_without_answers(row["attempts"]))


def _status(tx: Transaction, tenant: Tenant, user_id: UserId) -> tuple[UserRef, Sequence[Connection]]:
    user = UserRef(ref_of_user(tx, tenant, user_id))
    connections = _newest_connections(tx, tenant, user)
    # A user for whom only the result of another's session was presented has a row and no session.
    sql = "SELECT 1 AS found FROM sessions WHERE tenant = :tenant AND user_ref = :ref LIMIT 1"
    if not connections and tx.one(sql, tenant=tenant, ref=user) is None:
        raise NotFound
    return user, connections


def _newest_connections(tx: Transaction, tenant: Tenant, user: UserRef) -> list[Connection]:
    # An erased user's row has no `user_id`: the address of a status page ends with the erasure.
    sql = "SELECT 1 AS found FROM users WHERE ref = :ref AND tenant = :tenant AND user_id IS NOT NULL"
    if tx.one(sql, ref=user, tenant=tenant) is None:
        raise NotFound
    newest = f"{_OWNED} AND n.removed_at IS NULL ORDER BY n.recorded_at DESC, n.id DESC LIMIT :limit"
    return [connection_of(row) for row in tx.all(newest, tenant=tenant, ref=user, limit=_SHOWN)]


def _records(tx: Transaction, sessions: SessionStore, user: UserRef) -> UserRecords:
    """Return the user's records, oldest first. Other users are not named in them."""
    (row,) = tx.all("SELECT * FROM users WHERE ref = :ref", ref=user)
    own = sessions.from_rows(
        tx,
        tx.all(
            f"SELECT {SESSION_COLUMNS} FROM {SESSION_TABLES} WHERE s.tenant = :tenant AND s.user_ref = :ref "
            "ORDER BY s.created_at, s.id",
            tenant=row["tenant"],
            ref=user,
        ),
    )
    attached = connections_of(tx, [session.id for session in own])
    return UserRecords(
        user=user,
        user_id=row["user_id"],
        created_at=row["created_at"],
        sessions=[(session, attached[session.id]) for session in own],
        connections=_connections(tx, row),
        events=events_of(tx, _events(tx, user, [session.id for session in own]), of=user),
        answers=[_answer(stored) for stored in tx.all(_ANSWERS, ref=user)],
    )


_ANSWERS = "SELECT * FROM idempotency WHERE user_ref = :ref AND answer IS NOT NULL ORDER BY created_at, route, key"
# Those that belong to the user, and those without an owner that a session of the user could have made.
_OWNED = "SELECT n.* FROM connections n WHERE n.tenant = :tenant AND n.user_ref = :ref"
_UNDECIDED = (
    "SELECT n.* FROM connection_candidates c CROSS JOIN connections n WHERE c.tenant = :tenant AND c.user_ref = :ref "
    f"AND n.account = '{ACCOUNT}' AND n.id = c.connection_id"
)


def _connections(tx: Transaction, user: Row) -> list[Connection]:
    rows = [row for sql in (_OWNED, _UNDECIDED) for row in tx.all(sql, tenant=user["tenant"], ref=user["ref"])]
    unique = {row["id"]: row for row in sorted(rows, key=lambda row: (row["recorded_at"], row["id"]))}
    return [connection_of(row) for row in unique.values()]


def _events(tx: Transaction, user: UserRef, sessions: Sequence[SessionId]) -> list[Row]:
    # The timelines of the user's sessions: those that name the session, and those of connections that concern it too.
    queries = (
        "SELECT e.* FROM events e WHERE e.session_id IN (:among)",
        "SELECT e.* FROM event_sessions x JOIN events e ON e.id = x.event_id WHERE x.session_id IN (:among)",
    )
    rows = {row["id"]: row for sql in queries for row in tx.among(sql, sessions)}
    # And where the result of another's session was presented for this user.
    refused = "SELECT e.* FROM refused_results r JOIN events e ON e.session_id = r.session_id WHERE r.user_ref = :ref"
    for row in tx.all(refused, ref=user):
        if json.loads(row["data"]).get("presentedFor") == user:
            rows[row["id"]] = row
    # An event without a position yet is not visible anywhere.
    return sorted((row for row in rows.values() if row["seq"] is not None), key=lambda row: int(row["seq"]))


def _answer(row: Row) -> StoredAnswer:
    answer = {name: value for name, value in json.loads(row["answer"]).items() if not name.startswith("_")}
    return StoredAnswer(row["route"], row["key"], row["created_at"], answer)


def _present(ids: Mapping[UserRef, UserId | None]) -> dict[UserRef, UserId]:
    return {ref: user_id for ref, user_id in ids.items() if user_id is not None}
