"""Sessions in the database: made once, read, and changed by a decision that sees the locked row."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.errors import NotFound
from service.ledger import Changes, Due, News, Wanted, WorkKind
from service.model import Connection, ConnectionId, Session, SessionId, Site, Tenant
from service.store.changes import Pen, add_event, apply, ask
from service.store.companies import adopt_company, adopt_sites
from service.store.idempotency import begin, keep
from service.store.rows import SESSION_COLUMNS, SESSION_NAMES, connection_of, session_of, session_values, site_of
from service.store.tx import Engine, Row, Tx

_INSERT = f"INSERT INTO sessions ({', '.join(SESSION_NAMES)}) VALUES (:{', :'.join(SESSION_NAMES)})"
_FROM = f"SELECT {SESSION_COLUMNS} FROM sessions s JOIN companies c ON c.ref = s.company_ref"


class Sessions:
    """See the module."""

    def __init__(self, engine: Engine, pen: Pen) -> None:
        self._engine = engine
        self._pen = pen

    async def create(self, session: Session, wanted: Wanted) -> Session | Mapping[str, Any]:
        """Write the session with its company, its sites, its first event and its work, in one transaction.

        Answers the session as written, or the answer of an equal earlier call, in which case nothing is written.
        Raises IdempotencyKeyReused, IdempotencyInProgress, Forbidden.
        """
        return await self._engine.write(lambda tx: self._create(tx, session, wanted))

    async def get(self, session_id: SessionId, tenant: Tenant | None = None) -> Session:
        """One session, of this tenant if one is named. Raises NotFound."""
        return await self._engine.read(lambda tx: self._get(tx, session_id, tenant))

    async def with_connections(self, session_id: SessionId, tenant: Tenant) -> tuple[Session, Sequence[Connection]]:
        """One session of this tenant and its recorded connections, as of one moment. Raises NotFound."""
        return await self._engine.read(
            lambda tx: (self._get(tx, session_id, tenant), _connections(tx, [session_id])[session_id])
        )

    async def page(
        self, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
    ) -> Sequence[Session]:
        """Newest first; `filters` by user_id, status, company (the provider's id or the host's)."""
        return await self._engine.read(lambda tx: self._page(tx, tenant, filters, after, limit))

    async def change(self, session_id: SessionId, decide: Callable[[Session], Changes | None]) -> Session:
        """Lock the row, ask `decide`, write what it says in the same transaction; answers the session afterwards.

        `decide` may raise, which writes nothing. Raises NotFound.
        """
        return await self._engine.write(lambda tx: self._change(tx, session_id, decide))

    async def invitations(self, session_id: SessionId) -> frozenset[str]:
        """Every invitation that was made for it."""
        return await self._engine.read(
            lambda tx: frozenset(
                row["id"] for row in tx.all("SELECT id FROM invitations WHERE session_id = :id", id=session_id)
            )
        )

    async def known_invitations(self, ids: Iterable[str]) -> frozenset[str]:
        """Which of these were made for any session of ours."""
        sql = "SELECT id FROM invitations WHERE id IN (:among)"
        return await self._engine.read(lambda tx: frozenset(row["id"] for row in tx.among(sql, ids)))

    async def connections(self, session_ids: Sequence[SessionId]) -> dict[SessionId, list[Any]]:
        """The recorded connections of each session, oldest first."""
        return await self._engine.read(lambda tx: _connections(tx, session_ids))

    def _create(self, tx: Tx, session: Session, wanted: Wanted) -> Session | Mapping[str, Any]:
        repeat, now = wanted.repeat, self._pen.clock()
        earlier = begin(tx, session.tenant, repeat, now) if repeat is not None else None
        if earlier is not None:
            return earlier
        company = adopt_company(tx, session.company, now)
        session = replace(session, company=company, sites=adopt_sites(tx, company.ref, session.sites))
        tx.run(_INSERT, **session_values(session, self._pen.seal))
        told = News("session.created", session.id, session.connection_id, session.user_id)
        add_event(tx, self._pen, told, session.tenant)
        ask(tx, Due(WorkKind.PREPARE, session.id, wanted.prepare_in_seconds))
        ask(tx, Due(WorkKind.EXPIRE, session.id, session.expires_at - session.created_at))
        if repeat is not None and wanted.render is not None:
            keep(tx, session.tenant, repeat, wanted.render(session))
        return session

    def _get(self, tx: Tx, session_id: SessionId, tenant: Tenant | None) -> Session:
        row = tx.one(f"{_FROM} WHERE s.id = :id", id=session_id)
        if row is None or tenant not in {None, row["tenant"]}:
            raise NotFound
        return self.nouns(tx, [row])[0]

    def nouns(self, tx: Tx, rows: Sequence[Row]) -> list[Session]:
        """Sessions from joined rows, their sites included."""
        refs = {ref for row in rows for ref in json.loads(row["site_refs"])}
        sites: dict[str, Site] = {
            row["ref"]: site_of(row) for row in tx.among("SELECT * FROM sites WHERE ref IN (:among)", refs)
        }
        return [session_of(row, sites, self._pen.seal) for row in rows]

    def _page(
        self, tx: Tx, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
    ) -> Sequence[Session]:
        where, values = ["s.tenant = :tenant"], dict(filters)
        clauses = {
            "user_id": "s.user_id = :user_id",
            "status": "s.status = :status",
            "company": "(c.provider_id = :company OR c.external_id = :company)",
        }
        where += [clauses[name] for name in filters]
        if after is not None:
            where.append("(s.created_at < :at OR (s.created_at = :at AND s.id < :id))")
            values |= {"at": after[0], "id": after[1]}  # type: ignore[dict-item]
        sql = f"{_FROM} WHERE {' AND '.join(where)} ORDER BY s.created_at DESC, s.id DESC LIMIT :limit"
        return self.nouns(tx, tx.all(sql, tenant=tenant, limit=limit, **values))

    def _change(self, tx: Tx, session_id: SessionId, decide: Callable[[Session], Changes | None]) -> Session:
        if tx.dialect.lock:  # by itself: a join that waits for its lock misses a company that becomes one with another
            tx.one(f"SELECT id FROM sessions WHERE id = :id{tx.dialect.lock}", id=session_id)
        row = tx.one(f"{_FROM} WHERE s.id = :id", id=session_id)
        if row is None:
            raise NotFound
        session = self.nouns(tx, [row])[0]
        changes = decide(session)
        if changes is None:
            return session
        apply(tx, self._pen, changes, session.tenant, session.company.ref)
        return next((changed for changed in changes.sessions if changed.id == session_id), session)


def _connections(tx: Tx, session_ids: Sequence[SessionId]) -> dict[SessionId, list[Any]]:
    rows = tx.among(
        "SELECT j.session_id AS joined_session, n.* FROM session_connections j JOIN connections n "
        "ON n.id = j.connection_id WHERE j.session_id IN (:among) ORDER BY j.at, n.id",
        session_ids,
    )
    found: dict[SessionId, list[Any]] = {session_id: [] for session_id in session_ids}
    for row in rows:
        found[SessionId(row["joined_session"])].append(connection_of(row))
    return found


def joined(tx: Tx, session_ids: Sequence[SessionId]) -> frozenset[tuple[SessionId, ConnectionId]]:
    """Which connections stand in these sessions' lists."""
    rows = tx.among(
        "SELECT session_id, connection_id FROM session_connections WHERE session_id IN (:among)", session_ids
    )
    return frozenset((SessionId(row["session_id"]), ConnectionId(row["connection_id"])) for row in rows)
