"""Maps database rows to domain values and back. No other module knows which column holds which field."""

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
    InvitationId,
    Link,
    LinkChoice,
    LinkKind,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    ReportedConnection,
    Session,
    SessionId,
    Site,
    SiteRef,
    Tenant,
    UserId,
    UserRef,
    Verdict,
)
from service.domain.provider_steps import LogStep
from service.domain.session_status import Progress
from service.domain.statuses import canonical_status
from service.domain.theme import Theme
from service.store.encryption import Cipher
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
        _optional(ProviderCompanyId, row[f"{prefix}provider_id"]),
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
        _optional(ProviderSiteId, row["provider_id"]),
    )


def session_of(row: Row, sites: dict[str, Site], cipher: Cipher) -> Session:
    """Return the session in a row of SESSION_COLUMNS. `sites` are the stored sites by ref, its own among them."""
    return Session(
        id=SessionId(row["id"]),
        tenant=Tenant(row["tenant"]),
        user=UserRef(row["user_ref"]),
        user_id=_optional(UserId, row["user_id"]),
        company=company_of(row, "company_"),
        sites=tuple(sites[ref] for ref in json.loads(row["site_refs"]) if ref in sites),
        mode=Mode(row["mode"]),
        link_choice=LinkChoice(row["link_choice"]),
        link_kind=LinkKind(row["link_kind"]),
        link_status=LinkStatus(row["link_status"]),
        link=_link_of(row, cipher),
        prefill=json.loads(row["prefill"]),
        metadata=json.loads(row["metadata"]),
        help_urls=json.loads(row["help_urls"]),
        connection_id=_optional(ConnectionId, row["connection_id"]),
        progress=Progress(row["progress"]),
        user_email=_email_of(row, cipher),
        provider_steps=tuple(LogStep(step) for step in row["provider_steps"].split()),
        theme=Theme(**json.loads(row["theme"])),
        ancestors=tuple(json.loads(row["ancestors"])),
        **{name: row[name] for name in _UNCONVERTED} | {name: bool(row[name]) for name in _FLAGS},
    )


_UNCONVERTED = (
    *("created_at", "expires_at", "serial", "issued_at", "key_id", "origin", "return_url", "locale", "user_label"),
    *("support_url", "failure", "page_hash", "page_serial", "resume_hash", "opened_at", "revealed_at"),
    *("finished_at", "seen_at", "revoked_at", "left_at", "over_at", "settled_at", "link_used_at", "invitation_uses"),
    *("webhook_url", "webhook_endpoint", "max_connections", "more_asked"),
    *("handoff_hash", "handoff_tries", "follower_hash", "follower_resume_hash"),
)
_FLAGS = ("taken_over", "resume_by_host", "resumed_by_host")

# What `session_of` reads: the SELECT list of these tables.
SESSION_TABLES = "sessions s JOIN companies c ON c.ref = s.company_ref JOIN users u ON u.ref = s.user_ref"
SESSION_COLUMNS = """
  s.*, u.user_id, c.ref AS company_ref, c.external_id AS company_external_id, c.name AS company_name,
  c.provider_id AS company_provider_id, c.provider_since_at AS company_provider_since_at,
  c.polled_at AS company_polled_at, c.failed_at AS company_failed_at
"""

SESSION_NAMES = (
    *_UNCONVERTED,
    *_FLAGS,
    *("id", "tenant", "user_ref", "company_ref", "site_refs", "mode", "status", "link_choice", "link_kind"),
    *("user_email", "link_url", "link_given_at", "invitation_id", "prefill", "metadata", "connection_id", "progress"),
    *("link_status", "provider_steps", "theme", "ancestors", "help_urls"),
)


def session_values(session: Session, cipher: Cipher) -> dict[str, Any]:
    """Return every column of a session with its value, `company_ref` and `site_refs` included."""
    link = session.link
    flags = {name: int(getattr(session, name)) for name in _FLAGS}
    return (
        {name: getattr(session, name) for name in _UNCONVERTED}
        | flags
        | {
            "id": session.id,
            "tenant": session.tenant,
            "user_ref": session.user,
            "company_ref": session.company.ref,
            "site_refs": json.dumps([site.ref for site in session.sites]),
            "mode": session.mode.value,
            # Only lists read this column: a session that is read computes its status from the others.
            "status": session.status.value,
            "link_choice": session.link_choice.value,
            "link_kind": session.link_kind.value,
            "link_status": session.link_status.value,
            "user_email": cipher.encrypt(session.user_email, _email_row(session.id)) if session.user_email else None,
            # A copied database must contain no usable link: its URL lets anyone connect an account for this user.
            "link_url": cipher.encrypt(link.url, session.id) if link else None,
            "link_given_at": link.provider_given_at if link else None,
            "invitation_id": link.invitation_id if link else None,
            "prefill": json.dumps(dict(session.prefill)),
            "metadata": json.dumps(dict(session.metadata)),
            "help_urls": json.dumps(dict(session.help_urls)),
            "connection_id": session.connection_id,
            "progress": int(session.progress),
            "provider_steps": " ".join(session.provider_steps),
            "theme": json.dumps(session.theme.as_stored()),
            "ancestors": json.dumps(session.ancestors),
        }
    )


def _link_of(row: Row, cipher: Cipher) -> Link | None:
    if row["link_url"] is None:
        return None
    return Link(
        LinkKind(row["link_kind"]),
        cipher.decrypt(row["link_url"], row["id"]),
        row["link_given_at"],
        _optional(InvitationId, row["invitation_id"]),
    )


def _email_of(row: Row, cipher: Cipher) -> str | None:
    stored = row["user_email"]
    # Versions until 0.2.0 stored it as it is; a job encrypts those (`UserStore.encrypt_emails`).
    if stored is None or "@" in stored:
        return stored
    return cipher.decrypt(stored, _email_row(row["id"])) or None


def _email_row(session_id: str) -> str:
    # Not the id alone, with which the link is encrypted: one must not decrypt in the other's column.
    return f"{session_id}/email"


def encrypted_email(row: Row, cipher: Cipher) -> str:
    """Return the e-mail address of a row of `sessions`, which is stored as it is, encrypted."""
    return cipher.encrypt(row["user_email"], _email_row(row["id"]))


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
        "status": canonical_status(reported.status),
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
        _optional(SessionId, row["session_id"]),
        _optional(ConnectionId, row["connection_id"]),
        _optional(UserId, users.get(row["user_ref"])),
        data,
    )


def users_in(data: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return where an event's data refers to users: each part of it, and the name of the field there."""
    sides = [side for name in ("from", "to") if isinstance(side := data.get(name), dict)]
    fields = [(side, "userId") for side in sides] + [(data, "presentedFor")]
    return [(part, name) for part, name in fields if name in part]


def assignments(columns: Iterable[str]) -> str:
    """Return `a = :a, b = :b` for an UPDATE. The names come from this module, never from a request."""
    return ", ".join(f"{column} = :{column}" for column in columns)


def _optional(kind: Any, value: Any) -> Any:
    return None if value is None else kind(value)
