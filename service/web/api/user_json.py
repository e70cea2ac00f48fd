"""A user's status and export as JSON. Other users who could have made the same connection are not in it."""

from collections.abc import Sequence

from service.domain.event_json import iso
from service.domain.languages import ENGLISH
from service.domain.model import Connection, Session, UserId
from service.domain.statuses import needs_attention
from service.domain.user_records import UserRecords
from service.usecases.connections import ConnectionDetails
from service.usecases.user_status import UserStatus
from service.web.api.answers import ConnectionJson
from service.web.api.json import connection_json, event_json, session_connection, session_json
from service.web.api.user_answers import ExportedSessionJson, UserExportJson, UserStatusJson


def export_json(records: UserRecords, connections: Sequence[ConnectionDetails]) -> UserExportJson:
    """All records of one user."""
    return {
        "userId": records.user_id,
        "createdAt": iso(records.created_at),
        "sessions": [_session(*one) for one in records.sessions],
        "connections": [_connection(details) for details in connections],
        "events": [event_json(event) for event in records.events],
        "storedAnswers": [
            {
                "route": stored.route,
                "idempotencyKey": stored.key,
                "createdAt": iso(stored.created_at),
                "answer": dict(stored.answer),
            }
            for stored in records.answers
        ],
    }


def status_json(user_id: UserId, status: UserStatus) -> UserStatusJson:
    """What a user's connections are now."""
    return {
        "userId": user_id,
        "needsAttention": any(needs_attention(one.state) for one in status.connections),
        "connections": [session_connection(one) for one in status.connections],
        "statusUrl": status.url,
        "expiresAt": iso(status.url_expires_at) if status.url_expires_at is not None else None,
    }


def _session(session: Session, connections: Sequence[Connection]) -> ExportedSessionJson:
    return {
        **session_json(session, connections),
        "userLabel": session.user_label,
        "userEmail": session.user_email or None,
        "supportUrl": session.support_url,
        "helpUrls": dict(session.help_urls),
        "locale": session.locale or ENGLISH,
        "prefill": dict(session.prefill),
    }


def _connection(details: ConnectionDetails) -> ConnectionJson:
    body = connection_json(details)
    if "candidates" in body:
        body["candidates"] = [one for one in body["candidates"] if one["userId"] is not None]
    return body
