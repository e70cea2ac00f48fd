"""How a recorded connection moves the sessions forward to which it is attached, or back when it is detached. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from service.domain import events
from service.domain.changes import Job, JobKind
from service.domain.draft import RecordingDraft
from service.domain.model import Connection, ConnectionId, LinkStatus, Mode, Session, SessionId
from service.domain.more_accounts import count_asked_again
from service.domain.session_rules import settle, with_link_pending
from service.domain.session_status import Progress, SessionStatus, progress_of
from service.domain.statuses import ConnectionState
from service.domain.timing import PRESENCE_SECONDS


def advance_sessions(draft: RecordingDraft, connection: Connection) -> None:
    """Judge every session again that the connection is attached to."""
    for session_id in sorted(draft.attached.get(connection.id, ())):
        advance(draft, session_id, connection, progress_of(connection.state))


def advance(draft: RecordingDraft, session_id: SessionId, connection: Connection, progress: Progress) -> None:
    """Note how far the connection has brought one session, and report the status that this gives it."""
    draft.advance(session_id, connection.id, progress)
    before = draft.session(session_id)
    # What brought it further may be deleted by now. Only a connection that is taken away takes anything back.
    if before is None or before.progress >= draft.progress(session_id):
        return
    after = _judged(draft, before)
    if after.status is before.status:
        return
    if after.status is SessionStatus.SUBMITTED:
        draft.events.append(events.session_submitted(after, connection))
    if after.status is SessionStatus.CONNECTED:
        draft.events.append(events.session_connected(after, connection))
    if after.status is SessionStatus.EXITED:  # the evidence came after its time
        draft.events.append(events.session_exited(after, "page", "time"))


def detach(draft: RecordingDraft, session_id: SessionId, connection_id: ConnectionId) -> None:
    """Take the connection from the session; `reopen` judges the session again."""
    draft.detach(session_id, connection_id)
    session = draft.session(session_id)
    if session is not None and session.more_asked:
        draft.sessions[session_id] = count_asked_again(session, draft.number_attached(session_id))


def reopen(draft: RecordingDraft, session_id: SessionId, reason: str) -> None:
    """Judge a session again after a connection was detached from it: its status is the one without that connection."""
    before = draft.session(session_id)
    if before is None or before.progress == draft.progress(session_id):
        return
    after = _judged(draft, before)
    if after.status is before.status:
        return
    _prepare_again(draft, after)
    draft.events.append(events.session_reopened(after, reason))
    if after.page_hash is not None:  # its page may have disappeared meanwhile
        draft.jobs.append(Job(JobKind.PRESENCE, session_id, PRESENCE_SECONDS))


def _prepare_again(draft: RecordingDraft, session: Session) -> None:
    """Have a link made for a session that was renewed, or lost its link, while its user's part was done."""
    needed = session.mode is Mode.CONNECT and not session.achieved and not session.closed
    if needed and session.link is None and session.link_status is not LinkStatus.PENDING:
        draft.sessions[session.id] = with_link_pending(session)
        draft.jobs.append(Job(JobKind.PREPARE, session.id, waited_for=True))


def _judged(draft: RecordingDraft, session: Session) -> Session:
    judged = settle(replace(session, progress=draft.progress(session.id)), draft.now)
    draft.sessions[session.id] = judged
    return judged


def main_connection(connections: Sequence[Connection]) -> Connection | None:
    """The connection that a result names: the newest that works, otherwise the newest."""
    found = [one for one in connections if one.state is ConnectionState.WORKING] or connections
    return found[-1] if found else None
