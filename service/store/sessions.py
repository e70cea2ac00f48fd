"""Sessions: created once, read with their connections, and changed by decisions that see the locked row."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from service.domain.changes import Changes, LeasedJob
from service.domain.model import (
    Connection,
    InvitationId,
    Session,
    SessionId,
    Site,
    Tenant,
    UserId,
    UserRef,
)
from service.domain.page_view import PageSnapshot
from service.domain.requests import KeptAnswer, KeyLease
from service.errors import NotFound
from service.store import idempotency
from service.store.attached import connections_of, count_attached, undecided_of
from service.store.changes import WriteContext, apply
from service.store.companies import adopt_sites, adopt_user_and_company
from service.store.engine import Engine, Row, Transaction
from service.store.events import last_event
from service.store.mended_accounts import account_to_mend
from service.store.presence import Heartbeat, KeptAlive, keep_alive, marks_of
from service.store.queue import require_lease
from service.store.rows import site_of
from service.store.session_rows import (
    SESSION_COLUMNS,
    SESSION_TABLES,
    session_values,
    sessions_of,
    site_refs_of,
)
from service.store.session_summaries import Shown, read_one, read_page
from service.store.users import adopt_user, find_user

_ONE = f"SELECT {SESSION_COLUMNS} FROM {SESSION_TABLES} WHERE s.id = :id"


class SessionStore:
    """Creates, reads and changes sessions. A change is written in the transaction that reads the session."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def create(
        self,
        draft: Session,
        decide: Callable[[Session], Changes],
        key: KeyLease | None = None,
        render: Callable[[Session], Mapping[str, Any]] | None = None,
    ) -> Session | Mapping[str, Any]:
        """Find or insert the draft's user, company and sites, call `decide`, write what it returns: one transaction.

        Returns the session as written. An equal earlier call changes that, and nothing is created: its stored answer is
        returned, or, where its process died before it answered, the session that it made. With `render`, its answer is
        stored for equal calls; without it the caller stores one later. Raises IdempotencyKeyReused,
        IdempotencyInProgress; NotFound for a company or site that the tenant may not name.
        """
        return await self._engine.write(lambda tx: self._create(tx, draft, decide, key, render))

    async def earlier(self, key: KeyLease) -> Session | Mapping[str, Any] | None:
        """Return what `create` returns for an equal earlier call, and take its key over where it died; None otherwise.

        Raises IdempotencyKeyReused, IdempotencyInProgress.
        """
        # Most keys are new. To learn that, a read suffices, which waits for no other write.
        now = self._context.clock()
        if not await self._engine.read(lambda tx: idempotency.is_known(tx, key, now), snapshot=False):
            return None
        return await self._engine.write(lambda tx: self._earlier(tx, key))

    async def get(self, session_id: SessionId, tenant: Tenant | None = None) -> Session:
        """Return one session. Raises NotFound, also for one of another than `tenant`."""
        # Its sites are read a moment after it. They are never deleted, and which ones it has does not change.
        return await self._engine.read(lambda tx: self._get(tx, session_id, tenant), snapshot=False)

    async def summary(self, session_id: SessionId, tenant: Tenant) -> Shown:
        """Return what is shown of a session of this tenant, and its recorded connections. Raises NotFound."""
        return await self._engine.read(lambda tx: read_one(tx, session_id, tenant))

    async def page_snapshot(self, session_id: SessionId, *, marked: bool = False) -> PageSnapshot:
        """Return one session, its connections and the position of its newest event. Raises NotFound.

        All are read in one transaction; with `marked` the mark too, with which `keep_alive` tells whether it changed.
        """
        return await self._engine.read(lambda tx: self._page_snapshot(tx, session_id, marked=marked))

    async def keep_alive(self, heartbeats: Collection[Heartbeat], now: float) -> KeptAlive:
        """Record the presence of many pages in one transaction, and return the marks of their sessions.

        Where a heartbeat changes more than a time, or another transaction holds the session, it is left undecided.
        """
        return await self._engine.write(lambda tx: keep_alive(tx, heartbeats, now))

    async def list_page(
        self, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
    ) -> list[Shown]:
        """Return what is shown of up to `limit` sessions, newest first, after the `(created_at, id)` of the last page.

        Each comes with its connections. `filters`: user_id, status, company (its id here or at the provider). Raises
        KeyError for any other.
        """
        return await self._engine.read(lambda tx: read_page(tx, tenant, filters, after, limit))

    async def change(
        self,
        session_id: SessionId,
        decide: Callable[[Session], Changes | None],
        tenant: Tenant | None = None,
        *,
        job: LeasedJob | None = None,
        key: KeyLease | None = None,
    ) -> Session:
        """Lock the row, call `decide`, write what it returns: one transaction. Returns the session afterwards.

        `decide` may run more than once, and may raise, which writes nothing. Raises NotFound, also for a session of
        another than `tenant`; LeaseLost where the lease of `job` has ended or an equal call took `key` over.
        """

        def unit(tx: Transaction) -> Session:
            changed = self._change(tx, session_id, decide, tenant)
            require_lease(tx, job)
            idempotency.require_key(tx, key)
            return changed

        return await self._engine.write(unit)

    async def change_and_keep(
        self,
        session_id: SessionId,
        decide: Callable[[Session], Changes | None],
        tenant: Tenant,
        keep: Callable[[Session, Sequence[Connection]], KeptAnswer | None],
    ) -> tuple[Session, Sequence[Connection]]:
        """Like `change`, and in the same transaction store the answer that `keep` makes of the session afterwards.

        Returns the session and its connections. Raises NotFound, LeaseLost.
        """

        def unit(tx: Transaction) -> tuple[Session, Sequence[Connection]]:
            self._change(tx, session_id, decide, tenant)
            changed = self._with_connections(tx, session_id, tenant)
            idempotency.keep_with(tx, keep(*changed))
            return changed

        return await self._engine.write(unit)

    async def change_with_count(
        self, session_id: SessionId, decide: Callable[[Session, int], Changes | None]
    ) -> Session:
        """Like `change`, but `decide` also gets how many connections are attached to the session."""

        def counted(tx: Transaction, found: Session) -> Changes | None:
            # Read under the session's lock, so that of two equal calls the second sees what the first wrote.
            return decide(found, count_attached(tx, session_id))

        return await self._engine.write(lambda tx: self._change(tx, session_id, partial(counted, tx), None))

    async def refuse_result(
        self,
        session_id: SessionId,
        tenant: Tenant,
        presented_for: tuple[UserId, UserRef],
        decide: Callable[[Session, UserRef, Collection[UserRef]], Changes | None],
    ) -> Session:
        """Like `change`, but `decide` also gets the user of `presented_for`, and those of earlier refusals.

        The second part of `presented_for` is the ref of a user who is new; the user is stored only where `decide`
        returns changes.
        """

        def judged(tx: Transaction, found: Session) -> Changes | None:
            user_id, new = presented_for
            # Read under the session's lock, so that of two equal calls the second sees what the first wrote.
            earlier = _refused_users(tx, session_id)
            user = find_user(tx, tenant, user_id) or new
            changes = decide(found, user, earlier)
            if changes is None:
                return None
            adopted = adopt_user(tx, tenant, user_id, new, self._context.clock())
            return changes if adopted == user else decide(found, adopted, earlier)

        return await self._engine.write(lambda tx: self._change(tx, session_id, partial(judged, tx), tenant))

    async def invitations(self, session_id: SessionId) -> dict[InvitationId, float | None]:
        """Return every invitation that was created for the session, with when the provider gave it (0.1.0: None)."""
        sql = "SELECT id, given_at FROM invitations WHERE session_id = :id"
        return await self._engine.read(
            lambda tx: {InvitationId(row["id"]): row["given_at"] for row in tx.all(sql, id=session_id)}, snapshot=False
        )

    async def known_invitations(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of these invitations that were created for any session of this service."""
        sql = "SELECT id FROM invitations WHERE id IN (:among)"
        return await self._engine.read(lambda tx: frozenset(row["id"] for row in tx.among(sql, ids)))

    def _create(
        self,
        tx: Transaction,
        draft: Session,
        decide: Callable[[Session], Changes],
        key: KeyLease | None,
        render: Callable[[Session], Mapping[str, Any]] | None,
    ) -> Session | Mapping[str, Any]:
        now = self._context.clock()
        # First: an equal call that is under way holds the key's row until its commit, so this one waits for its answer.
        earlier = idempotency.begin(tx, key, now) if key is not None else idempotency.EarlierCall()
        if earlier.answer is not None:
            return earlier.answer
        adopted = self._open_session(tx, earlier.session_id)
        if adopted is not None:
            return adopted
        user, company = adopt_user_and_company(tx, draft, now)
        sites = adopt_sites(tx, company, draft.sites)
        changes = decide(replace(draft, user=user, company=company, sites=sites))
        (session,) = changes.sessions
        # Most columns of a new session are NULL; psycopg remembers how to read a statement of at most 50 parameters.
        values = {name: v for name, v in session_values(session, self._context.cipher).items() if v is not None}
        tx.run(f"INSERT INTO sessions ({', '.join(values)}) VALUES (:{', :'.join(values)})", **values)
        apply(tx, self._context, replace(changes, sessions=()), session.tenant, company.ref)
        if key is not None:
            idempotency.name_session(tx, key, session.id, user)
        if key is not None and render is not None:
            idempotency.keep(tx, key, render(session), user)
        return session

    def _earlier(self, tx: Transaction, key: KeyLease) -> Session | Mapping[str, Any] | None:
        earlier = idempotency.earlier_call(tx, key) or idempotency.EarlierCall()
        adopted = self._open_session(tx, earlier.session_id)
        # Without a session to go on with, the key stays as it is: `create` leases it when the new session is written.
        if adopted is not None:
            idempotency.take_over(tx, key)
        return earlier.answer if adopted is None else adopted

    def _open_session(self, tx: Transaction, session_id: SessionId | None) -> Session | None:
        # No host has the URL of the session of a call that died: where it is closed, a new one takes its place.
        session = self._get(tx, session_id, None) if session_id is not None else None
        return session if session is not None and not session.closed else None

    def _get(self, tx: Transaction, session_id: SessionId, tenant: Tenant | None) -> Session:
        row = tx.one(_ONE, id=session_id)
        # Another tenant's session is answered like an unknown id, so that a tenant cannot find out which ids exist.
        if row is None or tenant not in {None, row["tenant"]}:
            raise NotFound
        return self.from_rows(tx, [row])[0]

    def _with_connections(
        self, tx: Transaction, session_id: SessionId, tenant: Tenant | None
    ) -> tuple[Session, Sequence[Connection]]:
        return self._get(tx, session_id, tenant), connections_of(tx, [session_id])[session_id]

    def from_rows(self, tx: Transaction, rows: Sequence[Row]) -> list[Session]:
        """Return the sessions in rows of SESSION_COLUMNS, with their sites."""
        refs = {ref for row in rows for ref in site_refs_of(row)}
        sites: dict[str, Site] = {
            row["ref"]: site_of(row) for row in tx.among("SELECT * FROM sites WHERE ref IN (:among)", refs)
        }
        return sessions_of(rows, sites, self._context.cipher)

    def _page_snapshot(self, tx: Transaction, session_id: SessionId, *, marked: bool) -> PageSnapshot:
        session, connections = self._with_connections(tx, session_id, None)
        event_id, seq = last_event(tx, session_id)
        undecided, mends = undecided_of(tx, session_id), account_to_mend(tx, session)
        now = self._context.clock()
        mark = marks_of(tx, [session_id], now)[session_id] if marked else None
        return PageSnapshot(session, connections, seq, now, event_id, undecided, mends, mark=mark)

    def _change(
        self,
        tx: Transaction,
        session_id: SessionId,
        decide: Callable[[Session], Changes | None],
        tenant: Tenant | None,
    ) -> Session:
        # Lock first, join afterwards: a join that waited for the lock would miss a company row merged meanwhile.
        if tx.dialect.lock:
            tx.one(f"SELECT id FROM sessions WHERE id = :id{tx.dialect.lock}", id=session_id)
        session = self._get(tx, session_id, tenant)
        changes = decide(session)
        if changes is None:
            return session
        apply(tx, self._context, changes, session.tenant, session.company.ref, before={session.id: session})
        return next((changed for changed in changes.sessions if changed.id == session_id), session)


def _refused_users(tx: Transaction, session_id: SessionId) -> set[UserRef]:
    rows = tx.all("SELECT user_ref FROM refused_results WHERE session_id = :id", id=session_id)
    return {UserRef(row["user_ref"]) for row in rows}
