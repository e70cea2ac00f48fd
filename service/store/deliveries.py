"""Deliveries: the queue of those that are pending, and the record of those that were made.

Rows are inserted with their events (`service.store.changes`). One process at a time sends to an endpoint: it holds the
endpoint's lease, and writes nothing without it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.deliveries import (
    Delivery,
    DeliveryKind,
    DeliveryResult,
    event_of_test,
    in_order,
)
from service.domain.endpoints import Endpoint, EndpointChange, EndpointHealth, EndpointSecret
from service.domain.model import Tenant
from service.domain.requests import KeptAnswer
from service.domain.timing import DELIVERIES_KEPT_SECONDS, LEASE_SECONDS
from service.errors import LeaseLost, NotFound
from service.store.changes import WriteContext, add_event
from service.store.delivery_rows import attempted_values, delivery_of, delivery_values
from service.store.due_endpoints import DueEndpoint, TenantShare, due_endpoints
from service.store.endpoint_secrets import signing_secrets
from service.store.endpoints import audit, endpoint_of, health_values, save_endpoint
from service.store.engine import PURGED_AT_ONCE, Engine, Row, Transaction, purge
from service.store.events import events_by_id
from service.store.idempotency import keep_with
from service.store.rows import assignments

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class EndpointLease:
    """The right of one process to send to an endpoint. It holds while the endpoint's row has this `token`."""

    endpoint_id: str
    token: str
    tenant: Tenant


@dataclass(frozen=True, slots=True)
class DueDeliveries:
    """An endpoint's due deliveries, in the order of their events, and its present settings.

    `held` are ids of due deliveries that must wait for a failed delivery before them in their lanes.
    """

    endpoint: Endpoint
    secrets: Sequence[EndpointSecret]
    deliveries: Sequence[Delivery]
    held: frozenset[str]


class DeliveryStore:
    """Leases endpoints, reads what is due, records what was answered; and lists, replays and purges deliveries."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def lease(self, limit: int, share: TenantShare | None = None) -> Sequence[EndpointLease]:
        """Lease up to `limit` endpoints that have something due and that no other process sends to.

        Of one tenant no more than its share; without one, as many as are due.
        """
        now, share = self._context.clock(), share or TenantShare(limit, {})
        # A read first: an idle process writes nothing.
        due = await self._engine.read(lambda tx: due_endpoints(tx, now, limit, share), snapshot=False)
        return await self._engine.write(lambda tx: self._lease(tx, due)) if due else ()

    async def renew(self, tokens: Collection[str]) -> frozenset[str]:
        """Renew these leases and return those that were held. One that has ended stays so."""
        return await self._engine.write(lambda tx: _renew(tx, tokens))

    async def release(self, tokens: Collection[str]) -> None:
        """End these leases."""
        await self._engine.write(lambda tx: _release(tx, tokens))

    async def due(self, lease: EndpointLease, limit: int, *, aside: bool) -> DueDeliveries:
        """Return up to `limit` due deliveries of the endpoint, of one of its two queues. Raises LeaseLost."""
        return await self._engine.read(lambda tx: self._due(tx, lease, limit, aside=aside))

    async def hold(self, lease: EndpointLease, delivery_ids: Collection[str]) -> None:
        """Let these wait for the failed delivery before them in their lanes. Raises LeaseLost.

        Where that one was delivered since they were read, they do not wait: nothing would release them.
        """

        def unit(tx: Transaction) -> None:
            _require_lease(tx, lease, locked=True)
            rows = list(tx.among("SELECT id, lane FROM deliveries WHERE id IN (:among)", delivery_ids))
            blocked = _blocked_lanes(tx, lease.endpoint_id, {row["lane"] for row in rows})
            _set_waiting(tx, [row["id"] for row in rows if row["lane"] in blocked])

        await self._engine.write(unit)

    async def record(
        self, lease: EndpointLease, results: Sequence[DeliveryResult], health: EndpointHealth, waiting: Collection[str]
    ) -> None:
        """Write what was answered, and which deliveries wait behind a failed one: one transaction. Raises LeaseLost."""
        await self._engine.write(lambda tx: _record(tx, lease, results, health, waiting))

    async def disable(self, lease: EndpointLease, result: DeliveryResult, change: EndpointChange) -> None:
        """Write the answer that ended the endpoint, and disable it. Raises LeaseLost."""

        def unit(tx: Transaction) -> None:
            _record(tx, lease, [result], change.endpoint.health, ())
            save_endpoint(tx, change.endpoint)
            audit(tx, self._context, change.endpoint, change.actor, change.what)
            for event in change.events:
                add_event(tx, self._context, event, change.endpoint.tenant)

        await self._engine.write(unit)

    async def get(self, delivery_id: str, tenant: Tenant) -> Delivery:
        """Return one delivery. Raises NotFound, also for one of another than `tenant`."""
        return await self._engine.read(lambda tx: _get(tx, delivery_id, tenant), snapshot=False)

    async def list_page(
        self, endpoint_id: str, status: str | None, after: tuple[float, str] | None, limit: int
    ) -> Sequence[Delivery]:
        """Return up to `limit` deliveries of an endpoint, newest first, after the `(created_at, id)` of a page."""
        return await self._engine.read(lambda tx: _list_page(tx, endpoint_id, status, after, limit))

    async def add(self, delivery: Delivery, kept: KeptAnswer | None = None) -> None:
        """Insert a test, or the replay of one delivery. Raises LeaseLost where an equal call took the key over."""

        def unit(tx: Transaction) -> None:
            keep_with(tx, kept)
            _insert(tx, delivery)

        await self._engine.write(unit)

    async def delete_of(self, endpoint_id: str) -> bool:
        """Delete some pending deliveries of an endpoint that is gone; return whether there may be more."""
        sql = (
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = :id "
            "AND status = 'pending' LIMIT :limit)"
        )
        return await self._engine.write(lambda tx: tx.run(sql, id=endpoint_id, limit=_CHUNK) == _CHUNK)

    async def purge(self, at_once: int = PURGED_AT_ONCE) -> int:
        """Delete deliveries that are older than 30 days, `at_once` in a transaction; return how many."""
        before = self._context.clock() - DELIVERIES_KEPT_SECONDS
        return await purge(self._engine, lambda tx: _purge(tx, before, at_once))

    def _lease(self, tx: Transaction, due: Iterable[DueEndpoint]) -> list[EndpointLease]:
        leased = []
        for endpoint_id, tenant in sorted(due):
            lease = EndpointLease(endpoint_id, self._context.new_id("lease"), tenant)
            # The condition decides between two processes that found the same endpoint: the second finds it leased.
            sql = (
                "UPDATE endpoints SET lease = :token, lease_until = :database_now + :seconds WHERE id = :id "
                "AND status = 'enabled' AND (lease IS NULL OR lease_until <= :database_now)"
            )
            if tx.run(sql, token=lease.token, seconds=LEASE_SECONDS, id=endpoint_id):
                leased.append(lease)
        return leased

    def _due(self, tx: Transaction, lease: EndpointLease, limit: int, *, aside: bool) -> DueDeliveries:
        endpoint = endpoint_of(_require_lease(tx, lease))
        rows = tx.all(
            "SELECT * FROM deliveries WHERE endpoint_id = :id AND aside = :aside AND status = 'pending' "
            "AND waiting = 0 AND next_at <= :now ORDER BY next_at, drawn LIMIT :limit",
            id=lease.endpoint_id,
            aside=int(aside),
            now=self._context.clock(),
            limit=limit,
        )
        blocked = _blocked_lanes(tx, lease.endpoint_id, {row["lane"] for row in rows})
        held = frozenset(row["id"] for row in rows if row["lane"] in blocked and not row["blocks"])
        free = _with_events(tx, [delivery_of(row) for row in rows if row["id"] not in held])
        return DueDeliveries(endpoint, signing_secrets(tx, self._context, endpoint.id), free, held)


def _require_lease(tx: Transaction, lease: EndpointLease, *, locked: bool = False) -> Row:
    """Return the endpoint's row; raise LeaseLost where another process may send to it."""
    sql = f"SELECT * FROM endpoints WHERE id = :id AND lease = :token{tx.dialect.lock if locked else ''}"
    row = tx.one(sql, id=lease.endpoint_id, token=lease.token)
    if row is None or row["lease_until"] <= tx.now():
        raise LeaseLost
    return row


def _blocked_lanes(tx: Transaction, endpoint_id: str, lanes: Iterable[str]) -> frozenset[str]:
    sql = "SELECT lane FROM deliveries WHERE endpoint_id = :id AND blocks = 1 AND lane IN (:among)"
    return frozenset(row["lane"] for row in tx.among(sql, lanes, id=endpoint_id))


def _set_waiting(tx: Transaction, delivery_ids: Collection[str]) -> None:
    tx.among("UPDATE deliveries SET waiting = 1 WHERE id IN (:among) RETURNING id", delivery_ids)


def _with_events(tx: Transaction, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return the deliveries in the order of their events, without those whose events have no position yet."""
    events = events_by_id(tx, {one.event_id for one in deliveries if one.kind is not DeliveryKind.TEST})
    found = []
    for one in deliveries:
        if one.kind is DeliveryKind.TEST:
            found.append(replace(one, event=event_of_test(one)))
        elif one.event_id not in events:
            found.append(one)  # deleted by its age: the attempt fails and says so
        elif (event := events[one.event_id]) is not None:
            found.append(replace(one, event=event))
    return in_order(found)


def _record(
    tx: Transaction,
    lease: EndpointLease,
    results: Sequence[DeliveryResult],
    health: EndpointHealth,
    waiting: Collection[str],
) -> None:
    _require_lease(tx, lease, locked=True)
    tx.many(
        "UPDATE deliveries SET status = :status, attempts = :attempts, next_at = :next_at, blocks = :blocks "
        "WHERE id = :id",
        attempted_values(tx, [one.delivery for one in results]),
    )
    _set_waiting(tx, waiting)
    for one in results:
        if one.releases:
            _release_lane(tx, lease.endpoint_id, one.delivery.lane)
    values = health_values(health)
    tx.run(f"UPDATE endpoints SET {assignments(values)} WHERE id = :id", id=lease.endpoint_id, **values)


def _release_lane(tx: Transaction, endpoint_id: str, lane: str) -> None:
    # The whole lane is released; if the next delivery fails too, the others are held again.
    sql = "UPDATE deliveries SET waiting = 0 WHERE endpoint_id = :endpoint AND lane = :lane AND waiting = 1"
    tx.run(sql, endpoint=endpoint_id, lane=lane)


def _purge(tx: Transaction, before: float, at_once: int) -> int:
    rows = tx.all(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE created_at < :at LIMIT :limit) "
        "RETURNING endpoint_id, lane, blocks",
        at=before,
        limit=at_once,
    )
    # Of an endpoint that was disabled for weeks: nothing else would release what waits for such a delivery.
    for endpoint_id, lane in sorted({(row["endpoint_id"], row["lane"]) for row in rows if row["blocks"]}):
        _release_lane(tx, endpoint_id, lane)
    return len(rows)


def _renew(tx: Transaction, tokens: Collection[str]) -> frozenset[str]:
    rows = tx.among(
        "UPDATE endpoints SET lease_until = :database_now + :seconds WHERE lease IN (:among) "
        "AND lease_until > :database_now RETURNING lease",
        tokens,
        seconds=LEASE_SECONDS,
    )
    return frozenset(row["lease"] for row in rows)


def _release(tx: Transaction, tokens: Collection[str]) -> None:
    tx.among("UPDATE endpoints SET lease = NULL, lease_until = NULL WHERE lease IN (:among) RETURNING id", tokens)


def _get(tx: Transaction, delivery_id: str, tenant: Tenant) -> Delivery:
    row = tx.one("SELECT * FROM deliveries WHERE id = :id", id=delivery_id)
    if row is None or row["tenant"] != tenant:
        raise NotFound
    return delivery_of(row)


def _list_page(
    tx: Transaction, endpoint_id: str, status: str | None, after: tuple[float, str] | None, limit: int
) -> list[Delivery]:
    where, values = ["endpoint_id = :endpoint"], dict[str, Any](endpoint=endpoint_id, limit=limit)
    if status is not None:
        where.append("status = :status")
        values["status"] = status
    if after is not None:
        where.append("(created_at, id) < (:at, :id)")
        values |= {"at": after[0], "id": after[1]}
    sql = f"SELECT * FROM deliveries WHERE {' AND '.join(where)} ORDER BY created_at DESC, id DESC LIMIT :limit"
    return [delivery_of(row) for row in tx.all(sql, **values)]


def _insert(tx: Transaction, delivery: Delivery) -> None:
    values = delivery_values(delivery)
    tx.run(f"INSERT INTO deliveries ({', '.join(values)}) VALUES (:{', :'.join(values)})", **values)
