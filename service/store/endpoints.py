"""Webhook endpoints of hosts, with their secrets (encrypted) and the record of who changed what."""

from collections.abc import Callable, Sequence
from typing import Any

from service.domain.endpoints import (
    DisabledReason,
    Endpoint,
    EndpointChange,
    EndpointHealth,
    EndpointSecret,
    EndpointStatus,
    EndpointView,
    require_room,
    require_room_for_secret,
)
from service.domain.model import Tenant
from service.domain.requests import KeptAnswer
from service.domain.timing import SECRETS_KEPT_SECONDS
from service.errors import NotFound
from service.store.changes import WriteContext, add_event
from service.store.endpoint_secrets import (
    count_signing,
    encrypt_again,
    sealed_secret,
    secret_of,
    signing_secrets,
    unreadable_endpoints,
)
from service.store.engine import Engine, Row, Transaction
from service.store.idempotency import keep_with
from service.store.rows import assignments

_FIXED = {"id", "tenant", "created_at", "created_by"}

Decide = Callable[[Endpoint], EndpointChange | None]


class EndpointStore:
    """Creates, reads and changes endpoints; each change is written with its audit in one transaction."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def create(self, change: EndpointChange, kept: KeptAnswer | None = None) -> None:
        """Insert a new endpoint with its first secret.

        Raises InvalidRequest where the tenant has too many, LeaseLost where an equal call took the key over.
        """
        await self._engine.write(lambda tx: self._create(tx, change, kept))

    async def get(self, endpoint_id: str, tenant: Tenant | None = None) -> Endpoint:
        """Return one endpoint. Raises NotFound, also for one of another than `tenant`."""
        return await self._engine.read(lambda tx: read_endpoint(tx, endpoint_id, tenant), snapshot=False)

    async def secret(self, secret_id: str) -> EndpointSecret:
        """Return one secret, also a replaced one. Raises NotFound after it was purged."""
        return await self._engine.read(lambda tx: self._secret(tx, secret_id), snapshot=False)

    async def list_page(self, tenant: Tenant, after: tuple[float, str] | None, limit: int) -> Sequence[EndpointView]:
        """Return up to `limit` endpoints, newest first, after the `(created_at, id)` of the page before."""
        return await self._engine.read(lambda tx: self._list_page(tx, tenant, after, limit))

    async def view(self, endpoint_id: str, tenant: Tenant) -> EndpointView:
        """Return one endpoint as a host may see it. Raises NotFound."""
        return await self._engine.read(lambda tx: self._view(tx, read_endpoint(tx, endpoint_id, tenant)))

    async def enabled(self, tenant: Tenant) -> Sequence[Endpoint]:
        """Return the tenant's enabled endpoints."""
        sql = "SELECT * FROM endpoints WHERE tenant = :tenant AND status = 'enabled' ORDER BY created_at, id"
        return await self._engine.read(
            lambda tx: [endpoint_of(row) for row in tx.all(sql, tenant=tenant)], snapshot=False
        )

    async def change(self, endpoint_id: str, decide: Decide, tenant: Tenant | None = None) -> Endpoint:
        """Lock the row, call `decide`, write what it returns: one transaction. Returns the endpoint afterwards.

        A process that is sending to the endpoint loses its lease, so that the next turn reads the new settings. Raises
        NotFound, also for an endpoint of another than `tenant`.
        """
        return await self._engine.write(lambda tx: self._change(tx, endpoint_id, decide, tenant))

    async def change_and_keep(
        self, endpoint_id: str, decide: Decide, tenant: Tenant, keep: Callable[[EndpointView], KeptAnswer | None]
    ) -> EndpointView:
        """Like `change`, and in the same transaction store the answer that `keep` makes of the endpoint afterwards.

        Raises NotFound, LeaseLost, and InvalidRequest where too many secrets sign already.
        """

        def unit(tx: Transaction) -> EndpointView:
            changed = self._view(tx, self._change(tx, endpoint_id, decide, tenant))
            keep_with(tx, keep(changed))
            return changed

        return await self._engine.write(unit)

    async def delete(self, endpoint_id: str, tenant: Tenant, actor: str) -> None:
        """Delete the endpoint and its secrets; its deliveries are deleted by `DeliveryStore.delete_of`."""
        await self._engine.write(lambda tx: self._delete(tx, endpoint_id, tenant, actor))

    async def to_review(self, limit: int) -> Sequence[str]:
        """Return the ids of failing endpoints that have reached the next step towards being disabled."""
        sql = (
            "SELECT id FROM endpoints WHERE review_at <= :now AND review_at IS NOT NULL AND status = 'enabled' "
            "ORDER BY review_at LIMIT :limit"
        )
        return await self._engine.read(
            lambda tx: [row["id"] for row in tx.all(sql, now=self._context.clock(), limit=limit)], snapshot=False
        )

    async def purge_secrets(self) -> int:
        """Delete secrets that have signed nothing for two days; return how many."""
        limit = self._context.clock() - SECRETS_KEPT_SECONDS
        return await self._engine.write(
            lambda tx: tx.run(
                "DELETE FROM endpoint_secrets WHERE ends_at < :limit AND ends_at IS NOT NULL", limit=limit
            )
        )

    async def encrypt_secrets(self, after: str) -> str | None:
        """Encrypt up to 500 secrets after this id with the newest key; return the id of the last, None at the end."""
        return await self._engine.write(lambda tx: encrypt_again(tx, self._context, after))

    async def unreadable(self) -> tuple[list[str], int]:
        """Return the endpoints whose secret no key reads, so that nothing can be signed; and how many there are."""
        return await self._engine.read(lambda tx: unreadable_endpoints(tx, self._context))

    def _create(self, tx: Transaction, change: EndpointChange, kept: KeptAnswer | None) -> None:
        keep_with(tx, kept)
        require_room(_count(tx, change.endpoint.tenant))
        values = _values(change.endpoint)
        tx.run(f"INSERT INTO endpoints ({', '.join(values)}) VALUES (:{', :'.join(values)})", **values)
        self._write_secret_and_events(tx, change)

    def _change(self, tx: Transaction, endpoint_id: str, decide: Decide, tenant: Tenant | None) -> Endpoint:
        endpoint = read_endpoint(tx, endpoint_id, tenant, locked=True)
        change = decide(endpoint)
        if change is None:
            return endpoint
        save_endpoint(tx, change.endpoint)
        # Without its lease the sender cannot record answers to deliveries that it made with the old settings.
        tx.run("UPDATE endpoints SET lease = NULL, lease_until = NULL WHERE id = :id", id=endpoint_id)
        self._write_secret_and_events(tx, change)
        return change.endpoint

    def _write_secret_and_events(self, tx: Transaction, change: EndpointChange) -> None:
        if change.secret is not None:
            self._replace_secret(tx, change)
        audit(tx, self._context, change.endpoint, change.actor, change.what)
        for event in change.events:
            add_event(tx, self._context, event, change.endpoint.tenant)

    def _replace_secret(self, tx: Transaction, change: EndpointChange) -> None:
        assert change.secret is not None  # noqa: S101 - for mypy
        secret = change.secret
        # A secret that was replaced before keeps its earlier end; none signs for longer than the one that ends now.
        tx.run(
            "UPDATE endpoint_secrets SET ends_at = :end WHERE endpoint_id = :endpoint "
            "AND (ends_at IS NULL OR ends_at > :end)",
            end=change.old_secrets_end_at,
            endpoint=change.endpoint.id,
        )
        require_room_for_secret(count_signing(tx, self._context, change.endpoint.id))
        tx.run(
            "INSERT INTO endpoint_secrets (id, endpoint_id, sealed, created_at) VALUES (:id, :endpoint, :sealed, :now)",
            id=secret.id,
            endpoint=change.endpoint.id,
            sealed=sealed_secret(secret, self._context),
            now=secret.created_at,
        )

    def _delete(self, tx: Transaction, endpoint_id: str, tenant: Tenant, actor: str) -> None:
        endpoint = read_endpoint(tx, endpoint_id, tenant, locked=True)
        audit(tx, self._context, endpoint, actor, "deleted")
        tx.run("DELETE FROM endpoints WHERE id = :id", id=endpoint_id)
        tx.run("DELETE FROM endpoint_secrets WHERE endpoint_id = :id", id=endpoint_id)
        tx.run("DELETE FROM replays WHERE endpoint_id = :id", id=endpoint_id)

    def _secret(self, tx: Transaction, secret_id: str) -> EndpointSecret:
        row = tx.one("SELECT * FROM endpoint_secrets WHERE id = :id", id=secret_id)
        if row is None:
            raise NotFound
        return secret_of(row, self._context)

    def _list_page(
        self, tx: Transaction, tenant: Tenant, after: tuple[float, str] | None, limit: int
    ) -> list[EndpointView]:
        where, values = "", dict[str, Any]()
        if after is not None:
            where, values = " AND (created_at, id) < (:at, :id)", {"at": after[0], "id": after[1]}
        sql = f"SELECT * FROM endpoints WHERE tenant = :tenant{where} ORDER BY created_at DESC, id DESC LIMIT :limit"
        found = [endpoint_of(row) for row in tx.all(sql, tenant=tenant, limit=limit, **values)]
        return [self._view(tx, one) for one in found]

    def _view(self, tx: Transaction, endpoint: Endpoint) -> EndpointView:
        secrets = signing_secrets(tx, self._context, endpoint.id)
        # In the order of the index `deliveries_pending`.
        row = tx.one(
            "SELECT created_at FROM deliveries WHERE endpoint_id = :id AND status = 'pending' "
            "ORDER BY created_at LIMIT 1",
            id=endpoint.id,
        )
        return EndpointView(endpoint, secrets[0] if secrets else None, row["created_at"] if row is not None else None)


def _count(tx: Transaction, tenant: Tenant) -> int:
    """Return how many endpoints the tenant has; until the commit, other calls that create one of the tenant's wait."""
    # The oldest one's row stands for the tenant. The count is a statement of its own, to see what the last call wrote.
    tx.all(
        f"SELECT id FROM endpoints WHERE tenant = :tenant ORDER BY created_at, id LIMIT 1{tx.dialect.lock}",
        tenant=tenant,
    )
    row = tx.one("SELECT COUNT(*) AS number FROM endpoints WHERE tenant = :tenant", tenant=tenant)
    return int(row["number"]) if row is not None else 0


def read_endpoint(tx: Transaction, endpoint_id: str, tenant: Tenant | None = None, *, locked: bool = False) -> Endpoint:
    """Return one endpoint, and lock its row if asked to. Raises NotFound, also for one of another than `tenant`."""
    row = tx.one(f"SELECT * FROM endpoints WHERE id = :id{tx.dialect.lock if locked else ''}", id=endpoint_id)
    if row is None or tenant not in {None, row["tenant"]}:
        raise NotFound
    return endpoint_of(row)


def save_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Write the columns of an endpoint that may change."""
    values = {name: value for name, value in _values(endpoint).items() if name not in _FIXED}
    tx.run(f"UPDATE endpoints SET {assignments(values)} WHERE id = :id", id=endpoint.id, **values)


def audit(tx: Transaction, context: WriteContext, endpoint: Endpoint, actor: str, what: str) -> None:
    """Record who changed the endpoint, and what."""
    tx.run(
        "INSERT INTO endpoint_audit (id, endpoint_id, tenant, at, actor, change) VALUES "
        "(:id, :endpoint, :tenant, :at, :actor, :change)",
        id=context.new_id("aud"),
        endpoint=endpoint.id,
        tenant=endpoint.tenant,
        at=context.clock(),
        actor=actor,
        change=what,
    )


_HEALTH = ("failing_since", "failures", "probe_at", "review_at", "last_success_at", "last_failure_at")
_PLAIN = ("url", "description", "company_id", "created_at", "created_by", "changed_at", "changed_by")


def endpoint_of(row: Row) -> Endpoint:
    """Return the endpoint in a row of `endpoints`."""
    reason = row["disabled_reason"]
    return Endpoint(
        id=row["id"],
        tenant=Tenant(row["tenant"]),
        types=tuple(name for name in row["types"].split(",") if name),
        status=EndpointStatus(row["status"]),
        disabled_reason=DisabledReason(reason) if reason else None,
        health=EndpointHealth(**{name: row[name] for name in _HEALTH}),
        **{name: row[name] for name in _PLAIN},
    )


def _values(endpoint: Endpoint) -> dict[str, Any]:
    reason = endpoint.disabled_reason
    return {
        "id": endpoint.id,
        "tenant": endpoint.tenant,
        # With a comma at both ends, so that a LIKE finds whole names.
        "types": f",{','.join(endpoint.types)}," if endpoint.types else "",
        "status": endpoint.status.value,
        "disabled_reason": reason.value if reason else None,
        **{name: getattr(endpoint, name) for name in _PLAIN},
        **health_values(endpoint.health),
    }


def health_values(health: EndpointHealth) -> dict[str, Any]:
    """Return the columns of an endpoint that hold its health."""
    return {name: getattr(health, name) for name in _HEALTH}
