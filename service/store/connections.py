"""Recorded connections, and the company's records by which a decision judges them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.domain.changes import (
    Changes,
    CompanyActivity,
    CompanyRecords,
    LeasedJob,
    SessionUnread,
    StoredFact,
)
from service.domain.invitation_logs import UnreadLog
from service.domain.model import CompanyRef, Connection, ConnectionId, InvitationId, Session, SessionId, Tenant
from service.domain.requests import KeptAnswer
from service.domain.statuses import REMOVED_STATUS, ConnectionState, canonical_status
from service.errors import NotFound
from service.store.activity import read_activity, unread_logs
from service.store.attached import attached_connections
from service.store.changes import WriteContext, apply
from service.store.companies import newest_of_companies
from service.store.company_facts import facts_about
from service.store.engine import Engine, Row, Transaction
from service.store.idempotency import keep_with
from service.store.own_invitations import by_invitation, may_be_cleared, unlisted
from service.store.queue import require_lease
from service.store.rows import ACCOUNT, company_of, connection_of
from service.store.session_rows import SESSION_COLUMNS, SESSION_TABLES
from service.store.sessions import SessionStore
from service.store.users import ref_of_user


class ConnectionStore:
    """Reads connections, and changes them by decisions that see the company's records under its row lock."""

    def __init__(self, engine: Engine, context: WriteContext, sessions: SessionStore) -> None:
        self._engine = engine
        self._context = context
        self._sessions = sessions

    async def change(
        self,
        company: CompanyRef,
        connections: Iterable[ConnectionId],
        invitations: Iterable[InvitationId],
        decide: Callable[[CompanyRecords], Changes],
        *,
        job: LeasedJob | None = None,
    ) -> Changes:
        """Lock the company, read its records, call `decide`, write the changes it returns: one transaction.

        The records have these connections and those whose verdict is waiting; what these invitations named; and the
        sessions that any of them names. `decide` may run more than once, and may raise, which writes nothing. Raises
        NotFound for an unknown company; with `job`, LeaseLost where its lease has ended.
        """
        wanted = frozenset(connections), frozenset(invitations), frozenset[SessionId]()

        def unit(tx: Transaction) -> Changes:
            changes = self._change(tx, company, wanted, decide)
            require_lease(tx, job)
            return changes

        return await self._engine.write(unit)

    async def change_and_keep(
        self,
        company: CompanyRef,
        connections: Iterable[ConnectionId],
        sessions: Iterable[SessionId],
        decide: Callable[[CompanyRecords], Changes],
        kept: KeptAnswer | None,
    ) -> None:
        """Like `change`, and store an answer for equal calls in the same transaction. Raises LeaseLost."""
        wanted = frozenset(connections), frozenset[InvitationId](), frozenset(sessions)

        def unit(tx: Transaction) -> None:
            self._change(tx, company, wanted, decide)
            keep_with(tx, kept)

        await self._engine.write(unit)

    async def get(self, connection_id: ConnectionId, tenant: Tenant | None = None) -> Connection:
        """Return one connection. Raises NotFound, also for one of another than `tenant`."""
        return await self._engine.read(lambda tx: _get(tx, connection_id, tenant), snapshot=False)

    async def list_page(
        self, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
    ) -> Sequence[Connection]:
        """Return up to `limit` connections, newest first, after the `(recorded_at, id)` of the page before.

        `filters`: user_id, company (its id here or at the provider), status (in any spelling), state, and attributed
        (bool); with `attributed` False, `user_id` is a candidate's. Raises KeyError for any other.
        """
        return await self._engine.read(lambda tx: _list_page(tx, tenant, filters, after, limit))

    async def after_poll(
        self, company: CompanyRef, listed: Collection[ConnectionId]
    ) -> tuple[Sequence[Connection], CompanyActivity, Sequence[UnreadLog]]:
        """Return the recorded connections that a poll did not list, and the activity that decides the next poll.

        Removed connections are left out. The third part are the logs of invitations that may have new entries.
        """

        def unit(tx: Transaction) -> tuple[Sequence[Connection], CompanyActivity, Sequence[UnreadLog]]:
            now = self._context.clock()
            return _not_listed(tx, company, listed), read_activity(tx, company, now), unread_logs(tx, company, now)

        return await self._engine.read(unit)

    async def of_company(self, company: CompanyRef) -> Sequence[Connection]:
        """Return every recorded connection of a company, ordered by id, without removed ones."""
        return await self._engine.read(lambda tx: _of_company(tx, company), snapshot=False)

    def _change(
        self,
        tx: Transaction,
        company: CompanyRef,
        wanted: tuple[frozenset[ConnectionId], frozenset[InvitationId], frozenset[SessionId]],
        decide: Callable[[CompanyRecords], Changes],
    ) -> Changes:
        records = self._records(tx, company, *wanted)
        while True:
            try:
                changes = decide(records)
                break
            except SessionUnread as exc:
                records = self._with_session(tx, records, exc.session_id)
        apply(tx, self._context, changes, records.company.tenant, company, before=records.sessions)
        return changes

    def _with_session(self, tx: Transaction, records: CompanyRecords, session_id: SessionId) -> CompanyRecords:
        read = self._sessions.from_rows(tx, _session_rows(tx, "s.id IN (:among)", [session_id]))
        return replace(
            records,
            sessions={**records.sessions, **{session.id: session for session in read}},
            attached={**records.attached, **attached_connections(tx, [session_id])},
            unread=records.unread - {session_id},
        )

    def _records(
        self,
        tx: Transaction,
        ref: CompanyRef,
        wanted: frozenset[ConnectionId],
        invitations: frozenset[InvitationId],
        sessions: frozenset[SessionId],
    ) -> CompanyRecords:
        # The lock makes decisions on one company follow each other: each sees the facts and verdicts of the one before.
        row = tx.one(f"SELECT * FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
        if row is None:
            raise NotFound
        # A waiting verdict is judged again at every poll, whether or not the snapshot lists its connection.
        waiting = tx.all("SELECT id FROM connections WHERE company_ref = :ref AND waiting = 1", ref=ref)
        ids = wanted | {ConnectionId(row["id"]) for row in waiting}
        recorded = {ConnectionId(r["id"]): connection_of(r) for r in _connection_rows(tx, ids)}
        facts = facts_about(tx, ref, ids, invitations)
        named = self._named_sessions(tx, facts, recorded.values(), invitations, ids)
        named += self._sessions.from_rows(
            tx, _session_rows(tx, "s.id IN (:among)", sessions - {session.id for session in named})
        )
        return CompanyRecords(
            company=company_of(row),
            facts=facts,
            connections=recorded,
            sessions={session.id: session for session in named},
            by_invitation=by_invitation(tx, invitations),
            attached=attached_connections(tx, [session.id for session in named]),
            unlisted=unlisted(tx, ref, invitations) if may_be_cleared(ids, facts, recorded) else (),
            unread=frozenset({row.fact.session_id for row in facts if row.fact.session_id}) - {one.id for one in named},
        )

    def _named_sessions(
        self,
        tx: Transaction,
        facts: Sequence[StoredFact],
        recorded: Iterable[Connection],
        invitations: frozenset[InvitationId],
        connections: frozenset[ConnectionId],
    ) -> list[Session]:
        """Return the sessions that facts about these connections name, those of these invitations, and reconnects.

        Those that had a magic link are left out: almost every poll changes none of them, and there may be thousands.
        """
        ids = {row.fact.session_id for row in facts if row.fact.session_id and row.fact.connection_id in connections}
        ids |= {connection.verdict.owner.session_id for connection in recorded if connection.verdict.owner}
        found = _session_rows(tx, "s.id IN (:among)", ids)
        ours = tx.among("SELECT session_id FROM invitations WHERE id IN (:among)", invitations)
        found += _session_rows(tx, "s.id IN (:among)", {row["session_id"] for row in ours})
        found += _session_rows(tx, "s.mode = 'reconnect' AND s.connection_id IN (:among)", connections)
        unique = {row["id"]: row for row in found}
        return self._sessions.from_rows(tx, list(unique.values()))


def _of_company(tx: Transaction, company: CompanyRef) -> list[Connection]:
    sql = "SELECT * FROM connections WHERE company_ref = :ref AND removed_at IS NULL ORDER BY id"
    return [connection_of(row) for row in tx.all(sql, ref=company)]


def _not_listed(tx: Transaction, company: CompanyRef, listed: Collection[ConnectionId]) -> list[Connection]:
    # By their ids alone, which an index holds: almost all of them were just listed.
    rows = tx.all("SELECT id FROM connections WHERE company_ref = :ref AND removed_at IS NULL", ref=company)
    ids = {ConnectionId(row["id"]) for row in rows} - set(listed)
    return [connection_of(row) for row in _connection_rows(tx, ids)]


def _session_rows(tx: Transaction, where: str, values: Iterable[str]) -> list[Row]:
    """Return session rows for `where`, which has `:among`, joined with their companies and locked."""
    # A decision is about the session as it was read: unlocked, it could undo what a host or a page does meanwhile.
    # ORDER BY makes transactions lock sessions in one order; the engine retries where a deadlock still happens.
    sql = f"SELECT {SESSION_COLUMNS} FROM {SESSION_TABLES} WHERE {where}"
    return list(tx.among(f"{sql} ORDER BY s.id{tx.dialect.lock and ' FOR UPDATE OF s'}", values))


def _connection_rows(tx: Transaction, ids: Iterable[ConnectionId]) -> Sequence[Row]:
    return tx.among("SELECT * FROM connections WHERE account = :account AND id IN (:among)", ids, account=ACCOUNT)


def _get(tx: Transaction, connection_id: ConnectionId, tenant: Tenant | None) -> Connection:
    rows = _connection_rows(tx, [connection_id])
    if not rows or tenant not in {None, rows[0]["tenant"]}:
        raise NotFound
    return connection_of(rows[0])


# The only text that filters add to the SQL; a filter's value is always a parameter.
_CLAUSES = {
    "user_id": "n.user_ref = :user_ref",
    # In version 0.2.0 the row of a removed connection kept the provider's last status.
    "status": "n.status = :status AND n.removed_at IS NULL",
    # By the state, whose index has the list's order; such rows are few.
    "removed": f"n.state = '{ConnectionState.INACTIVE.value}' AND n.removed_at IS NOT NULL",
    "state": "n.state = :state",
    "company": "n.company_ref = :company",
}

# A connection without an owner is in the lists of the users whose sessions could have made it.
_CANDIDATE = (
    f"n.account = '{ACCOUNT}' AND n.id IN "
    "(SELECT c.connection_id FROM connection_candidates c WHERE c.user_ref = :user_ref)"
)


def _list_page(
    tx: Transaction, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
) -> Sequence[Connection]:
    where, values = _conditions(filters)
    if "user_id" in filters:
        values["user_ref"] = ref_of_user(tx, tenant, filters["user_id"])
    if after is not None:
        # Keyset pagination: (recorded_at, id) is unique, so a page neither repeats nor skips a row while others come.
        # The index starts where the page before ended.
        where.append("(n.recorded_at, n.id) < (:at, :id)")
        values |= {"at": after[0], "id": after[1]}
    sql = (
        f"SELECT n.* FROM connections n WHERE {' AND '.join(['n.tenant = :tenant', *where])} "
        "ORDER BY n.recorded_at DESC, n.id DESC LIMIT :limit"
    )
    rows = newest_of_companies(tx, sql, "recorded_at", values | {"tenant": tenant, "limit": limit})
    return [connection_of(row) for row in rows]


def _conditions(filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the SQL conditions of the filters, and their parameters."""
    values = {name: value for name, value in filters.items() if name != "attributed"}
    if "status" in values:
        values["status"] = canonical_status(values["status"])
    is_removed = values.get("status") == REMOVED_STATUS
    where = [_CLAUSES["removed" if name == "status" and is_removed else name] for name in values]
    if "attributed" in filters:
        where.append("n.session_id IS NOT NULL" if filters["attributed"] else "n.session_id IS NULL")
    if filters.get("attributed") is False and "user_id" in filters:
        where[where.index(_CLAUSES["user_id"])] = _CANDIDATE
    return where, values
