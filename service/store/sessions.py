"""Sessions in the database: made once, read, and changed by a decision that sees the locked row."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.errors import IdempotencyInProgress, IdempotencyKeyReused, NotFound
from service.ledger import Changes, Due, News, Repeat, WorkKind
from service.model import ConnectionId, Session, SessionId, Site, Tenant
from service.store.changes import Pen, add_event, apply, ask
from service.store.companies import adopt_company, adopt_sites
from service.store.rows import SESSION_COLUMNS, connection_of, session_of, session_values, site_of
from service.store.tx import Engine, Row, Tx

_FROM = f"SELECT {SESSION_COLUMNS} FROM sessions s JOIN companies c ON c.ref = s.company_ref"
_IN_FLIGHT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Made:
    """The session, and the answer that an earlier equal call was given (None: this is the first)."""

    session: Session
    answer: Mapping[str, Any] | None


class Sessions:
    """See the module."""

    def __init__(self, engine: Engine, pen: Pen) -> None:
        self._engine = engine
        self._pen = pen

    async def create(
        self, session: Session, repeat: Repeat | None, render: Callable[[Session], Mapping[str, Any]] | None
    ) -> Made:
        """Write the session with its company, its sites, its first event and its work.

        With `repeat`, an equal earlier call gives its answer again, and nothing is written. `render` makes the answer
        to keep; without it the answer is kept later, by `answered`. Raises IdempotencyKeyReused, IdempotencyInProgress.
        """
        return await self._engine.write(lambda tx: self._create(tx, session, repeat, render))

    async def answered(self, tenant: Tenant, repeat: Repeat, answer: Mapping[str, Any] | None) -> None:
        """Keep the answer of a call whose session was made before; None forgets the key, so that it may be retried."""
        await self._engine.write(lambda tx: _keep_answer(tx, tenant, repeat, answer))

    async def get(self, session_id: SessionId, tenant: Tenant | None = None) -> Session:
        """One session, of this tenant if one is named. Raises NotFound."""
        return await self._engine.read(lambda tx: self._get(tx, session_id, tenant))

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

    async def connections(self, session_ids: Sequence[SessionId]) -> dict[SessionId, list[Any]]:
        """The recorded connections of each session, oldest first."""
        return await self._engine.read(lambda tx: _connections(tx, session_ids))

    def _create(
        self, tx: Tx, session: Session, repeat: Repeat | None, render: Callable[[Session], Mapping[str, Any]] | None
    ) -> Made:
        if repeat is not None:
            earlier = self._earlier(tx, session, repeat)
            if earlier is not None:
                return earlier
        company = adopt_company(tx, session.company, self._pen.clock())
        session = replace(session, company=company, sites=adopt_sites(tx, company.ref, session.sites))
        values = session_values(session, self._pen.seal)
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        tx.run(f"INSERT INTO sessions ({names}) VALUES ({marks})", **values)
        add_event(
            tx, self._pen, News("session.created", session.id, session.connection_id, session.user_id), session.tenant
        )
        ask(tx, Due(WorkKind.PREPARE, session.id))
        ask(tx, Due(WorkKind.EXPIRE, session.id, session.expires_at - session.created_at))
        if repeat is not None and render is not None:
            _keep_answer(tx, session.tenant, repeat, render(session))
        return Made(session, None)

    def _earlier(self, tx: Tx, session: Session, repeat: Repeat) -> Made | None:
        now = self._pen.clock()
        fresh = tx.run(
            "INSERT INTO idempotency (tenant, route, key, body_digest, session_id, created_at) VALUES "
            "(:tenant, :route, :key, :digest, :session, :now) ON CONFLICT (tenant, route, key) DO NOTHING",
            tenant=session.tenant,
            route=repeat.route,
            key=repeat.key,
            digest=repeat.body_digest,
            session=session.id,
            now=now,
        )
        if fresh:
            return None
        row = tx.one(
            "SELECT * FROM idempotency WHERE tenant = :tenant AND route = :route AND key = :key",
            tenant=session.tenant,
            route=repeat.route,
            key=repeat.key,
        )
        return self._again(tx, row, repeat) if row is not None else None

    def _again(self, tx: Tx, row: Row, repeat: Repeat) -> Made:
        if row["body_digest"] != repeat.body_digest:
            raise IdempotencyKeyReused
        if row["answer"] is None and self._pen.clock() - row["created_at"] < _IN_FLIGHT_SECONDS:
            raise IdempotencyInProgress
        earlier = self._get(tx, SessionId(row["session_id"]), None)
        return Made(earlier, json.loads(row["answer"]) if row["answer"] else {})

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
        lock = f"{_FROM} WHERE s.id = :id{tx.dialect.lock and ' FOR UPDATE OF s'}"
        row = tx.one(lock, id=session_id)
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


def _keep_answer(tx: Tx, tenant: Tenant, repeat: Repeat, answer: Mapping[str, Any] | None) -> None:
    key = {"tenant": tenant, "route": repeat.route, "key": repeat.key}
    where = "WHERE tenant = :tenant AND route = :route AND key = :key"
    if answer is None:
        tx.run(f"DELETE FROM idempotency {where}", **key)
        return
    tx.run(f"UPDATE idempotency SET answer = :answer {where}", answer=json.dumps(dict(answer)), **key)


def joined(tx: Tx, session_ids: Sequence[SessionId]) -> frozenset[tuple[SessionId, ConnectionId]]:
    """Which connections stand in these sessions' lists."""
    rows = tx.among(
        "SELECT session_id, connection_id FROM session_connections WHERE session_id IN (:among)", session_ids
    )
    return frozenset((SessionId(row["session_id"]), ConnectionId(row["connection_id"])) for row in rows)
