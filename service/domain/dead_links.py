"""What becomes of a session whose link is dead at the provider: it fails, or it gets another link. Pure.

Otherwise its page would show a provider's page that does nothing, and wait for what its user cannot do there.
"""

from dataclasses import replace

from service.domain import events
from service.domain.changes import Fact, FactKind, Job, JobKind
from service.domain.draft import RecordingDraft
from service.domain.model import LinkStatus, ReportedInvitation, Session, SessionId
from service.domain.more_accounts import without_another
from service.domain.session_rules import settle
from service.domain.session_status import LINK_EXPIRED, LINK_REVOKED

# How often a session's link is replaced. It ends a loop with a provider whose invitations all expire at once.
MOST_REPLACED = 3


def end_dead_link(draft: RecordingDraft, invitation: ReportedInvitation) -> None:
    """Fail the session of an unused invitation that was revoked; replace its link where the invitation expired.

    A used invitation changes nothing here: what it made is recorded once the provider names it, and its session gets no
    further link while the use is unexplained.
    """
    session = draft.session(draft.records.by_invitation.get(invitation.id, SessionId("")))
    if session is None or not _is_unused(invitation) or not _needs(session, invitation):
        return
    if invitation.status == "REVOKED":
        _fail(draft, session, LINK_REVOKED)
    elif invitation.status == "EXPIRED" and draft.now < session.expires_at:
        _replace(draft, session, invitation)


def _is_unused(invitation: ReportedInvitation) -> bool:
    return not invitation.doubtful and invitation.use_count == 0 and not invitation.created


def _needs(session: Session, invitation: ReportedInvitation) -> bool:
    """Whether this is the session's present link, and it may still be used; for a further account, too."""
    current = session.link is not None and session.link.invitation_id == invitation.id
    further = session.more_asked > 0 and session.link_used_at is None
    return current and not session.closed and (further or not session.achieved)


def _replace(draft: RecordingDraft, session: Session, invitation: ReportedInvitation) -> None:
    replaced = [
        row for row in draft.records.facts if row.fact.kind is FactKind.REPLACED and row.fact.session_id == session.id
    ]
    if len(replaced) >= MOST_REPLACED:
        _fail(draft, session, LINK_EXPIRED)
        return
    draft.facts.add(Fact(FactKind.REPLACED, session_id=session.id, invitation_id=invitation.id))
    # The invitation stays one of the session's: what it made, if the provider was wrong, is still the session's.
    fresh = replace(session, link=None, link_status=LinkStatus.PENDING, revealed_at=None, finished_at=None)
    draft.sessions[session.id] = fresh
    draft.events.append(events.session_link_expired(fresh))
    draft.jobs.append(Job(JobKind.PREPARE, session.id, waited_for=True))


def _fail(draft: RecordingDraft, session: Session, code: str) -> None:
    """Fail the session. What is connected stays: then only the link for a further account is given up."""
    if session.achieved:
        draft.sessions[session.id] = without_another(session)
        return
    draft.sessions[session.id] = settle(replace(session, failure=code), draft.now)
    draft.events.append(events.session_failed(session, code))
