"""Domain values as JSON of the API. No token and no link of the provider is ever in it."""

from collections.abc import Sequence
from typing import cast

from service.domain.event_json import event_fields, iso
from service.domain.events import Event
from service.domain.model import Company, Connection, Session, Site
from service.domain.session_status import SessionStatus
from service.domain.session_summary import PlaceIds, SessionSummary
from service.domain.statuses import ConnectionState, needs_attention
from service.domain.tokens import SessionResult
from service.usecases.connections import ConnectionDetails
from service.web.api.answers import (
    ConnectionJson,
    EventJson,
    EvidenceJson,
    ReferenceJson,
    SessionConnectionJson,
    SessionJson,
    VerifiedJson,
)
from service.web.api.word_answers import words_json


def session_json(session: Session | SessionSummary, connections: Sequence[Connection] = ()) -> SessionJson:
    """A session, without its URLs: those are only ever in the answer that made them."""
    body: SessionJson = {
        "id": session.id,
        "status": session.status,
        "userId": session.user_id,
        "mode": session.mode,
        "company": _company(session.company),
        "sites": [_site(site) for site in session.sites],
        "link": {"kind": session.link_kind, "status": session.link_status},
        "origin": session.origin,
        "returnUrl": session.return_url,
        "webhookUrl": session.webhook_url,
        "maxConnections": session.max_connections,
        "connections": [session_connection(connection) for connection in connections],
        "createdAt": iso(session.created_at),
        "expiresAt": iso(session.expires_at),
        "metadata": dict(session.metadata),
    }
    if session.connection_id is not None:
        body["connectionId"] = session.connection_id
    if session.failure is not None:
        body["failure"] = {"code": session.failure}
    return body


def session_connection(connection: Connection) -> SessionConnectionJson:
    """A connection in its session's list."""
    return {
        "id": connection.id,
        "status": connection.status,
        "state": connection.state,
        "provider": connection.reported.provider_name,
        "needsAttention": needs_attention(connection.state),
        "presumed": connection.verdict.presumed,
    }


def connection_json(details: ConnectionDetails) -> ConnectionJson:
    """A recorded connection. Candidates of other tenants are never shown."""
    connection = details.connection
    reported, verdict = connection.reported, connection.verdict
    # A site that was named by the provider's id first, and by the host's own later, is two of them.
    external_ids = {site.provider_id: site.external_id for site in details.sites if site.external_id is not None}
    body: ConnectionJson = {
        "id": connection.id,
        "userId": details.user_id,
        "sessionId": verdict.owner.session_id if verdict.owner else None,
        "company": _company(details.company),
        "sites": [{"id": site, "externalId": external_ids.get(site)} for site in reported.sites],
        "status": connection.status,
        "providerStatus": reported.status,
        "state": connection.state,
        "provider": {"name": reported.provider_name, "url": reported.provider_url},
        "evidence": _evidence(connection),
        "createdAt": iso(reported.provider_created_at),
        "recordedAt": iso(connection.recorded_at),
        "updatedAt": iso(connection.updated_at),
        "needsAttention": needs_attention(connection.state),
        "words": words_json(connection.status, connection.state),
    }
    if verdict.owner is None:
        # One company can have sessions of several tenants: their users must not be shown to each other.
        own = sorted((c.session_id, c.user) for c in verdict.candidates if c.tenant == connection.tenant)
        body["candidates"] = [{"sessionId": session, "userId": details.users.get(user)} for session, user in own]
        body["confirming"] = verdict.waiting
    return body


def event_json(event: Event) -> EventJson:
    """An event of the log: the same JSON in a session's timeline and in the list of all events."""
    return cast("EventJson", event_fields(event))


def verified_json(result: SessionResult, state: ConnectionState | None) -> VerifiedJson:
    """A result that was signed here, and the state of its connection now."""
    return {
        "valid": True,
        "sessionId": result.session_id,
        "userId": result.user_id,
        "status": SessionStatus(result.status),
        "connectionId": result.connection_id,
        "connectionState": state,
        "at": iso(result.at),
    }


def _evidence(connection: Connection) -> EvidenceJson | None:
    if connection.verdict.kind is None or connection.evidence_at is None:
        return None
    evidence: EvidenceJson = {
        "kind": connection.verdict.kind,
        "at": iso(connection.evidence_at),
        "presumed": connection.verdict.presumed,
        "crossDevice": connection.cross_device,
    }
    if connection.resumed_by_host:
        evidence["resumedBy"] = "host"
    return evidence


def _company(company: Company | PlaceIds) -> ReferenceJson:
    return {"id": company.provider_id, "externalId": company.external_id}


def _site(site: Site | PlaceIds) -> ReferenceJson:
    return {"id": site.provider_id, "externalId": site.external_id}
