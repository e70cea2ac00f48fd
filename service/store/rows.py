"""Maps rows of companies, sites, connections and events to domain values and back; `session_rows` does sessions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from service.domain.events import Event
from service.domain.model import (
    Candidate,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    EventId,
    EvidenceKind,
    ProviderCompanyId,
    ProviderSiteId,
    ReportedConnection,
    SessionId,
    Site,
    SiteRef,
    Tenant,
    UserId,
    UserRef,
    Verdict,
)
from service.store.engine import Row

# There is one provider account. The column keeps ids of the provider unique per account, should there be more.
ACCOUNT = "default"


def company_of(row: Row, prefix: str = "") -> Company:
    """Return the company in the columns that start with `prefix`, and in `tenant`."""
    return Company(
        CompanyRef(row[f"{prefix}ref"]),
        Tenant(row["tenant"]),
        row[f"{prefix}external_id"],
        row[f"{prefix}name"],
        optional(ProviderCompanyId, row[f"{prefix}provider_id"]),
        row[f"{prefix}provider_since_at"],
        row[f"{prefix}polled_at"],
        row[f"{prefix}failed_at"],
    )


def site_of(row: Row) -> Site:
    """Return the site in a row of `sites`."""
    return Site(
        SiteRef(row["ref"]),
        row["external_id"],
        row["name"],
        row["address"],
        optional(ProviderSiteId, row["provider_id"]),
    )


def connection_of(row: Row) -> Connection:
    """Return the connection in a row of `connections`."""
    reported = ReportedConnection(
        id=ConnectionId(row["id"]),
        status=row["provider_status"],
        provider_created_at=row["provider_created_at"],
        provider_updated_at=row["provider_updated_at"],
        provider_name=row["provider_name"],
        provider_url=row["provider_url"],
        sites=tuple(ProviderSiteId(site) for site in json.loads(row["site_ids"])),
    )
    return Connection(
        id=reported.id,
        company=CompanyRef(row["company_ref"]),
        tenant=Tenant(row["tenant"]),
        reported=reported,
        verdict=_verdict_of(row),
        recorded_at=row["recorded_at"],
        updated_at=row["updated_at"],
        evidence_at=row["evidence_at"],
        cross_device=bool(row["cross_device"]),
        resumed_by_host=bool(row["resumed_by_host"]),
        attention_at=row["attention_at"],
        asks_at=row["asks_at"],
        provider_mended_at=row["provider_mended_at"],
        missing_at=row["missing_at"],
        removed_at=row["removed_at"],
    )


def _verdict_of(row: Row) -> Verdict:
    owner = None
    if row["session_id"] is not None:
        owner = Candidate(SessionId(row["session_id"]), Tenant(row["tenant"]), UserRef(row["user_ref"]))
    return Verdict(
        kind=EvidenceKind(row["evidence_kind"]) if row["evidence_kind"] else None,
        owner=owner,
        presumed=bool(row["presumed"]),
        waiting=bool(row["waiting"]),
        candidates=frozenset(
            Candidate(SessionId(session), Tenant(tenant), UserRef(user))
            for session, tenant, user in json.loads(row["candidates"])
        ),
    )


def connection_values(connection: Connection) -> dict[str, Any]:
    """Return every column of a connection with its value, except `documents`, which `store.documents` writes."""
    reported, verdict = connection.reported, connection.verdict
    return {
        "account": ACCOUNT,
        "id": connection.id,
        "tenant": connection.tenant,
        "company_ref": connection.company,
        "status": connection.status,
        "provider_status": reported.status,
        "state": connection.state.value,  # for lists: a connection that is read computes its state
        "provider_created_at": reported.provider_created_at,
        "provider_updated_at": reported.provider_updated_at,
        "provider_name": reported.provider_name,
        "provider_url": reported.provider_url,
        "site_ids": json.dumps(list(reported.sites)),
        "session_id": verdict.owner.session_id if verdict.owner else None,
        "user_ref": verdict.owner.user if verdict.owner else None,
        "evidence_kind": verdict.kind.value if verdict.kind else None,
        "evidence_at": connection.evidence_at,
        "presumed": int(verdict.presumed),
        "cross_device": int(connection.cross_device),
        "resumed_by_host": int(connection.resumed_by_host),
        "waiting": int(verdict.waiting),
        "candidates": json.dumps(sorted((c.session_id, c.tenant, c.user) for c in verdict.candidates)),
        "recorded_at": connection.recorded_at,
        "updated_at": connection.updated_at,
        "attention_at": connection.attention_at,
        "asks_at": connection.asks_at,
        "provider_mended_at": connection.provider_mended_at,
        "missing_at": connection.missing_at,
        "removed_at": connection.removed_at,
    }


def event_of(row: Row, users: Mapping[UserRef, UserId | None]) -> Event:
    """Return the event in a row of `events`; `users` are the user ids of the refs in its data."""
    data = json.loads(row["data"])
    for part, name in users_in(data):
        part[name] = users.get(part[name])
    return Event(
        EventId(row["id"]),
        row["seq"],
        Tenant(row["tenant"]),
        row["type"],
        row["at"],
        optional(SessionId, row["session_id"]),
        optional(ConnectionId, row["connection_id"]),
        optional(UserId, users.get(row["user_ref"])),
        data,
    )


def users_in(data: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return where an event's data refers to users: each part of it, and the name of the field there."""
    sides = [side for name in ("from", "to") if isinstance(side := data.get(name), dict)]
    fields = [(side, "userId") for side in sides] + [(data, "presentedFor")]
    return [(part, name) for part, name in fields if name in part]


def assignments(columns: Iterable[str]) -> str:
    """Return `a = :a, b = :b` for an UPDATE. The names come from our code, never from a request."""
    return ", ".join(f"{column} = :{column}" for column in columns)


def optional(kind: Any, value: Any) -> Any:
    """Return `kind(value)`, or None for None."""
    return None if value is None else kind(value)
