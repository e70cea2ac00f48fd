"""Sessions as the API shows them, one or a list page, each with its connections.

Making a whole `Session` of its sixty columns takes as long as all else that such a read does, so only what is shown is
read.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from service.domain.model import Connection, SessionId, Tenant
from service.domain.session_summary import PlaceIds, SessionSummary
from service.errors import NotFound
from service.store.attached import connections_of
from service.store.companies import newest_of_companies
from service.store.engine import Row, Transaction
from service.store.session_rows import (
    LINK_KINDS,
    LINK_STATUSES,
    MODES,
    PROGRESS,
    SESSION_TABLES,
    object_of,
    site_refs_of,
)
from service.store.users import ref_of_user

_AS_STORED = (
    *("id", "user_id", "origin", "return_url", "webhook_url", "max_connections", "created_at", "expires_at"),
    *("connection_id", "failure", "opened_at", "revoked_at", "left_at", "over_at"),
)
_stored = itemgetter(*_AS_STORED)
_COLUMNS = ", ".join(
    (
        *(f"s.{name}" for name in _AS_STORED if name != "user_id"),
        *("s.tenant", "s.mode", "s.link_kind", "s.link_status", "s.metadata", "s.progress", "s.site_refs"),
        *("u.user_id", "c.provider_id AS company_provider_id", "c.external_id AS company_external_id"),
    )
)
# A session that is polled has no connection most of the time: asking here costs a twelfth of the query that finds none.
_ONE = f"""SELECT {_COLUMNS},
  EXISTS (SELECT 1 FROM session_connections j WHERE j.session_id = s.id) AS has_connections
  FROM {SESSION_TABLES} WHERE s.id = :id"""
_FROM = f"SELECT {_COLUMNS} FROM {SESSION_TABLES}"
# The only text that filters add to the SQL; a filter's value is always a parameter.
_CLAUSES = {"user_id": "s.user_ref = :user_ref", "status": "s.status = :status", "company": "s.company_ref = :company"}

Shown = tuple[SessionSummary, Sequence[Connection]]


def read_one(tx: Transaction, session_id: SessionId, tenant: Tenant) -> Shown:
    """Return a session of the tenant. Raises NotFound."""
    row = tx.one(_ONE, id=session_id)
    # Another tenant's session is answered like an unknown id, so that a tenant cannot find out which ids exist.
    if row is None or row["tenant"] != tenant:
        raise NotFound
    (summary,) = _summaries(tx, [row])
    return summary, connections_of(tx, [session_id])[session_id] if row["has_connections"] else []


def read_page(
    tx: Transaction, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
) -> list[Shown]:
    """Return sessions of the tenant, newest first, after the `(created_at, id)` of the page before."""
    where, values = ["s.tenant = :tenant"], dict[str, Any](filters)
    where += [_CLAUSES[name] for name in filters]
    if "user_id" in values:
        values["user_ref"] = ref_of_user(tx, tenant, values["user_id"])
    if after is not None:
        # Keyset pagination by a row value, with which the index starts where the page before ended.
        where.append("(s.created_at, s.id) < (:at, :id)")
        values |= {"at": after[0], "id": after[1]}
    sql = f"{_FROM} WHERE {' AND '.join(where)} ORDER BY s.created_at DESC, s.id DESC LIMIT :limit"
    rows = newest_of_companies(tx, sql, "created_at", values | {"tenant": tenant, "limit": limit})
    found = _summaries(tx, rows)
    connections = connections_of(tx, [one.id for one in found])
    return [(one, connections[one.id]) for one in found]


def _summaries(tx: Transaction, rows: Sequence[Row]) -> list[SessionSummary]:
    refs = {ref for row in rows for ref in site_refs_of(row)}
    found = tx.among("SELECT ref, provider_id, external_id FROM sites WHERE ref IN (:among)", refs)
    sites = {row["ref"]: PlaceIds(row["provider_id"], row["external_id"]) for row in found}
    return [_summary_of(row, sites) for row in rows]


def _summary_of(row: Row, sites: Mapping[str, PlaceIds]) -> SessionSummary:
    return SessionSummary(
        PlaceIds(row["company_provider_id"], row["company_external_id"]),
        tuple([sites[ref] for ref in site_refs_of(row) if ref in sites]),
        MODES[row["mode"]],
        LINK_KINDS[row["link_kind"]],
        LINK_STATUSES[row["link_status"]],
        object_of(row["metadata"]),
        PROGRESS[row["progress"]],
        *_stored(row),
    )
