"""When a session has mended the connection that it is for, by an invitation or by an edit link. Pure."""

from collections import Counter
from dataclasses import replace

from service.domain import events
from service.domain.attached_sessions import advance
from service.domain.changes import FactKind
from service.domain.draft import RecordingDraft
from service.domain.model import Connection, EvidenceKind, Mode, ProviderSnapshot, Session, SessionId
from service.domain.session_status import progress_of
from service.domain.timing import UNCERTAINTY_SECONDS


def reconnect_by_invitations(draft: RecordingDraft, snapshot: ProviderSnapshot) -> None:
    """Record the reconnects whose invitations were used since the last poll."""
    # All together: a renewed session has a further invitation, whose first use is the session's second.
    uses: Counter[SessionId] = Counter()
    for invitation in snapshot.invitations:
        if invitation.id in draft.records.by_invitation:
            uses[draft.records.by_invitation[invitation.id]] += invitation.use_count
    for session_id, number in uses.items():
        _count_uses(draft, session_id, number)


def _count_uses(draft: RecordingDraft, session_id: SessionId, uses: int) -> None:
    session = draft.session(session_id)
    if session is None or session.mode is not Mode.RECONNECT or uses <= session.invitation_uses:
        return
    if _owned(draft, session) is None:
        # This snapshot lacks the connection, or it is not this user's now: a claim was undone, and may be made again.
        return  # the use is counted when a snapshot has it and it is this user's
    draft.sessions[session.id] = replace(session, invitation_uses=uses)
    _reconnect(draft, session)


def reconnect_by_edit_link(draft: RecordingDraft, session: Session) -> None:
    """Record a reconnect by edit link once the user has finished and the provider reports a later change."""
    if session.mode is not Mode.RECONNECT or session.finished_at is None or session.connection_id is None:
        return
    if session.link is None or session.link.invitation_id is not None:
        return
    started = [
        row.fact.provider_at or 0.0
        for row in draft.records.facts
        if row.fact.kind is FactKind.REVEALED and row.fact.session_id == session.id
    ]
    connection = draft.connection(session.connection_id)
    if not started or connection is None:
        return
    # The provider's clocks may disagree: a quick user's change may bear a time before the page was started.
    if connection.reported.provider_updated_at >= min(started) - UNCERTAINTY_SECONDS:
        _reconnect(draft, session)


def _owned(draft: RecordingDraft, session: Session) -> Connection | None:
    """The connection that the session is for, if it is its user's now."""
    connection = draft.connection(session.connection_id) if session.connection_id else None
    owner = connection.verdict.owner if connection else None
    return connection if owner is not None and owner.user == session.user else None


def _reconnect(draft: RecordingDraft, session: Session) -> None:
    connection = _owned(draft, session)
    if connection is None:
        return
    if session.id not in draft.attached[connection.id]:
        draft.attach(session.id, connection.id, EvidenceKind.RECONNECT)
    connection = _mended(draft, connection, session)
    advance(draft, session.id, connection, progress_of(connection.state))


def _mended(draft: RecordingDraft, connection: Connection, session: Session) -> Connection:
    """Note that the user gave new details by this link: a status older than the link says nothing about them."""
    if session.link is None or session.link.invitation_id is None:
        return connection  # an edit link's evidence is a newer status
    status = connection.status
    # The use of an older link may be reported after that of a newer one.
    mended_at = max(connection.provider_mended_at or 0.0, session.link.provider_given_at)
    mended = replace(connection, provider_mended_at=mended_at)
    if mended.state is connection.state:
        return connection
    mended = replace(mended, asks_at=None, updated_at=draft.now)
    draft.connections[connection.id] = mended
    draft.events.append(events.connection_status_changed(mended, status))
    return mended
