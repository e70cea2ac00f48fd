"""Every event of the log: one function per type makes it. `event_types` describes the types.

An event is written in the transaction that changes the state it reports. It refers to users by `UserRef`, in its data
too: readers get the `userId` that the user's row has then, so an erased user is in no event.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from service.domain.model import (
    Candidate,
    Company,
    Connection,
    ConnectionId,
    EventId,
    LinkKind,
    Session,
    SessionId,
    Tenant,
    UserId,
    UserRef,
    Verdict,
)
from service.domain.provider_steps import LogEntry, exit_stage


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no id, position or time yet: the store gives it those when it writes it.

    It is on the timeline of `session_id` and of the sessions in `also_of`, which are of the same tenant. It is not
    delivered to the endpoint `about_endpoint`, which it is about.
    """

    type: str
    session_id: SessionId | None = None
    connection_id: ConnectionId | None = None
    user: UserRef | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    also_of: tuple[SessionId, ...] = ()
    about_endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the log; `seq` is its position in the order in which readers see events."""

    id: EventId
    seq: int
    tenant: Tenant
    type: str
    at: float
    session_id: SessionId | None
    connection_id: ConnectionId | None
    user_id: UserId | None
    data: Mapping[str, Any]


def session_created(session: Session) -> NewEvent:
    """A host created the session."""
    return _of_session("session.created", session, session.connection_id)


def session_opened(session: Session, *, cross_device: bool, resumed_by: str | None = None) -> NewEvent:
    """A page was started; `cross_device`: another page was started before."""
    more = {"resumedBy": resumed_by} if resumed_by else {}
    return _of_session("session.opened", session, session.connection_id, crossDevice=cross_device, **more)


def session_reopened_by_user(session: Session) -> NewEvent:
    """A page of an exited session reported its presence again."""
    return _of_session("session.opened", session, session.connection_id, back=True)


def session_link_ready(session: Session, kind: LinkKind) -> NewEvent:
    """The provider gave the session's link; the link itself is in no event."""
    return _of_session("session.link_ready", session, session.connection_id, kind=kind.value)


def session_link_expired(session: Session) -> NewEvent:
    """The session's invitation ended unused at the provider, and another takes its place."""
    return _of_session("session.link_expired", session, session.connection_id)


def session_finished(session: Session) -> NewEvent:
    """The user said "I have finished" for the first time."""
    return _of_session("session.finished", session, session.connection_id)


def session_submitted(session: Session, connection: Connection) -> NewEvent:
    """The provider checks a connection of the session."""
    return _of_session("session.submitted", session, connection.id, **_status_data(connection))


def session_connected(session: Session, connection: Connection) -> NewEvent:
    """A connection of the session works."""
    return _of_session("session.connected", session, connection.id, **_status_data(connection))


def session_reopened(session: Session, reason: str) -> NewEvent:
    """The session lost the connection that made its status; `session` is as it is afterwards."""
    return _of_session("session.reopened", session, session.connection_id, reason=reason, status=session.status.value)


def session_progress(session: Session, entry: LogEntry) -> NewEvent:
    """The log of the session's invitation names this step; nothing else of the log is kept."""
    at = {} if entry.provider_at is None else {"providerAt": _utc(entry.provider_at)}
    return _of_session("session.progress", session, session.connection_id, step=entry.step.value, **at)


def session_verify_failed(session: Session, presented_for: UserRef) -> NewEvent:
    """The host presented a result of the session for another user."""
    return _of_session("session.verify_failed", session, session.connection_id, presentedFor=presented_for)


def session_exited(session: Session, stage: str, reason: str) -> NewEvent:
    """The user left at `stage`, the page disappeared (`reason` "gone"), or the session's time was over ("time").

    The provider's log may refine the stage.
    """
    stage = exit_stage(stage, session.provider_steps)
    return _of_session("session.exited", session, None, stage=stage, reason=reason)


def session_expired(session: Session) -> NewEvent:
    """The session's time is over, and no connection is attached."""
    return _of_session("session.expired", session, None, linkUsed=session.link_used_at is not None)


def session_revoked(session: Session) -> NewEvent:
    """The host ended the session."""
    return _of_session("session.revoked", session, None)


def session_failed(session: Session, code: str) -> NewEvent:
    """There is no link, or no longer one; `code` says why."""
    return _of_session("session.failed", session, session.connection_id, code=code)


def connection_recorded(connection: Connection) -> NewEvent:
    """The connection got its first owner; it is on the timelines of that user's other candidate sessions too."""
    event = _owned("connection.recorded", connection, **_evidence_data(connection))
    return replace(event, also_of=_other_sessions(connection))


def connection_reassigned(connection: Connection, previous: Candidate, losing: Collection[Candidate] = ()) -> NewEvent:
    """The connection got another owner than `previous`; it is on the timelines of the sessions that lose it, too.

    A session of another tenant is never named.
    """
    data = {**_evidence_data(connection), "from": _side(connection, previous)}
    event = _owned("connection.reassigned", connection, **data, to=_side(connection, connection.verdict.owner))
    return replace(event, also_of=_other_sessions(connection, previous, *losing))


def connection_status_changed(connection: Connection, previous: str) -> NewEvent:
    """The provider reports another status; `previous` is canonical."""
    return _owned("connection.updated", connection, **_status_data(connection), **{"from": previous})


def connection_claimed(connection_id: ConnectionId, session_id: SessionId, user: UserRef, by: str) -> NewEvent:
    """The host settled the connection for a session; `by` is the id of the API key, for the audit."""
    return NewEvent("connection.updated", session_id, connection_id, user, {"claim": "made", "by": by})


def connection_claim_undone(connection: Connection, by: str) -> NewEvent:
    """The host undid its claim; `by` is the id of the API key, for the audit."""
    return _owned("connection.updated", connection, claim="undone", by=by)


def connection_needs_attention(connection: Connection) -> NewEvent:
    """Only the end user can mend it. The event names the reconnect call, never a URL."""
    call = f"POST /v1/connections/{connection.id}/reconnect"
    return _owned("connection.needs_attention", connection, **_status_data(connection), reconnect=call)


def connection_reminder(connection: Connection, day: int) -> NewEvent:
    """The connection began to need attention `day` days ago, has not worked since, and needs it now."""
    call = f"POST /v1/connections/{connection.id}/reconnect"
    return _owned("connection.reminder", connection, **_status_data(connection), day=day, reconnect=call)


def connection_ambiguous(connection: Connection, verdict: Verdict) -> NewEvent:
    """No owner can be named. The candidates are the session ids of this tenant; others are never shown."""
    own = sorted(one.session_id for one in verdict.candidates if one.tenant == connection.tenant)
    return NewEvent("connection.ambiguous", None, connection.id, None, {"candidates": own}, tuple(own))


def connection_removed(connection: Connection) -> NewEvent:
    """The provider no longer has the connection: two reads, 60 s apart, were answered 404."""
    return _owned("connection.removed", connection)


def document_available(connection: Connection, documents: int, new: Sequence[str]) -> NewEvent:
    """The provider lists new documents of the connection; `documents` is how many of it have been named until now."""
    return _owned("document.available", connection, documents=documents, documentIds=list(new))


def upload_available(company: Company, documents: int, new: Sequence[str]) -> NewEvent:
    """The provider lists new documents of the company that belong to no connection: they were uploaded."""
    data = {"documents": documents, "documentIds": list(new), "companyId": company.provider_id}
    return NewEvent("document.available", data=data)


def user_exported(user: UserRef, by: str) -> NewEvent:
    """A host read everything that is stored about a user; `by` is the id of the API key, for the audit."""
    return NewEvent("user.exported", user=user, data={"by": by})


def user_erased(user: UserRef, by: str) -> NewEvent:
    """A host erased a user; `by` is the id of the API key, for the audit."""
    return NewEvent("user.erased", user=user, data={"by": by})


def _other_sessions(connection: Connection, *previous: Candidate) -> tuple[SessionId, ...]:
    """The sessions of those who had it, and the owner's other sessions that could have made the connection."""
    verdict = connection.verdict
    same_user = (one for one in verdict.candidates if verdict.owner and one.user == verdict.owner.user)
    others = {one.session_id for one in (*previous, *same_user) if one.tenant == connection.tenant}
    return tuple(sorted(others - {verdict.owner.session_id if verdict.owner else None}))


def _side(connection: Connection, candidate: Candidate | None) -> Mapping[str, Any]:
    own = candidate if candidate is not None and candidate.tenant == connection.tenant else None
    return {"sessionId": own.session_id, "userId": own.user} if own else {}


def _of_session(event_type: str, session: Session, connection_id: ConnectionId | None, **data: Any) -> NewEvent:
    return NewEvent(event_type, session.id, connection_id, session.user, data)


def _owned(event_type: str, connection: Connection, **data: Any) -> NewEvent:
    owner = connection.verdict.owner
    session_id, user = (owner.session_id, owner.user) if owner else (None, None)
    return NewEvent(event_type, session_id, connection.id, user, data)


def _evidence_data(connection: Connection) -> Mapping[str, Any]:
    verdict = connection.verdict
    return {
        "evidence": verdict.kind.value if verdict.kind else None,
        "presumed": verdict.presumed,
        **_status_data(connection),
    }


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _status_data(connection: Connection) -> Mapping[str, str]:
    return {"status": connection.status, "state": connection.state.value}


def endpoint_failing(endpoint_id: str, percent: int) -> NewEvent:
    """Every delivery to the endpoint failed for `percent` of the time after which it is disabled."""
    return NewEvent(
        "endpoint.failing", data={"endpointId": endpoint_id, "percent": percent}, about_endpoint=endpoint_id
    )


def endpoint_disabled(endpoint_id: str, reason: str) -> NewEvent:
    """The service disabled the endpoint. The event is in the log and is delivered to the other endpoints."""
    return NewEvent("endpoint.disabled", data={"endpointId": endpoint_id, "reason": reason}, about_endpoint=endpoint_id)
