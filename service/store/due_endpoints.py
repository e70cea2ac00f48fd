"""Which endpoints get the next turns: those that have something due, and no more of a tenant than its share."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from service.domain.model import Tenant
from service.store.engine import Transaction

# Endpoints with something due: one step per endpoint through the index `deliveries_due`, however much is due at each.
# A failing endpoint waits for its probe; a test, a replay and a session's own address do not.
_DUE_ENDPOINTS = """
WITH RECURSIVE pending (endpoint_id) AS (
  SELECT MIN(endpoint_id) FROM deliveries WHERE status = 'pending' AND waiting = 0
  UNION ALL
  SELECT (SELECT MIN(d.endpoint_id) FROM deliveries d
          WHERE d.status = 'pending' AND d.waiting = 0 AND d.endpoint_id > p.endpoint_id)
  FROM pending p WHERE p.endpoint_id IS NOT NULL
)
SELECT e.id, e.tenant FROM pending p JOIN endpoints e ON e.id = p.endpoint_id
WHERE e.status = 'enabled' AND (e.lease IS NULL OR e.lease_until <= :database_now) {others} AND (
  (e.probe_at <= :now AND (SELECT MIN(d.next_at) FROM deliveries d WHERE d.endpoint_id = e.id AND d.aside = 0
    AND d.status = 'pending' AND d.waiting = 0) <= :now)
  OR (SELECT MIN(d.next_at) FROM deliveries d WHERE d.endpoint_id = e.id AND d.aside = 1
    AND d.status = 'pending' AND d.waiting = 0) <= :now
)
LIMIT :limit
"""

DueEndpoint = tuple[str, Tenant]


@dataclass(frozen=True, slots=True)
class TenantShare:
    """How many turns of a process one tenant may have at once, and how many each tenant has now."""

    most: int
    taken: Mapping[Tenant, int]


def due_endpoints(tx: Transaction, now: float, limit: int, share: TenantShare) -> list[DueEndpoint]:
    """Return up to `limit` endpoints that have something due and that no process sends to."""
    found: list[DueEndpoint] = []
    full = {tenant for tenant, turns in share.taken.items() if turns >= share.most}
    # Endpoints of a tenant beyond its share would fill the limit, so they are left out and the others are read again.
    while len(found) < limit:
        due = _read(tx, now, limit - len(found), full)
        of_tenant = defaultdict[Tenant, list[DueEndpoint]](list)
        for one in due:
            of_tenant[one[1]].append(one)
        room = {tenant: share.most - share.taken.get(tenant, 0) for tenant in of_tenant}
        beyond = {tenant for tenant, its in of_tenant.items() if len(its) > room[tenant]}
        if not beyond:
            return found + due
        for tenant in sorted(beyond):
            found += of_tenant[tenant][: room[tenant]]
        full |= beyond
    return found


def _read(tx: Transaction, now: float, limit: int, without: Collection[Tenant]) -> list[DueEndpoint]:
    left_out = {f"tenant_{number}": tenant for number, tenant in enumerate(sorted(without))}
    others = f"AND e.tenant NOT IN (:{', :'.join(left_out)})" if left_out else ""
    rows = tx.all(_DUE_ENDPOINTS.replace("{others}", others), now=now, limit=limit, **left_out)
    return [(row["id"], Tenant(row["tenant"])) for row in rows]
