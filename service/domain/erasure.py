"""What erasing a user changes about their sessions, and what stays of sessions that are long over. Pure."""

from dataclasses import replace

from service.domain import session_rules
from service.domain.changes import Changes, Job, JobKind
from service.domain.model import Session
from service.domain.session_status import SessionStatus
from service.domain.timing import OUTLIVED_SECONDS


def erase_session(session: Session, now: float, provider_now: float | None) -> Changes:
    """Revoke a session of an erased user unless it is over, and write it without personal data.

    Its invitations are revoked at the provider where they may still be used: they outlive the session.
    """
    over = session.over_at is not None or session.status in {SessionStatus.REVOKED, SessionStatus.FAILED}
    revoked = None if over else session_rules.revoke(session, now, provider_now)
    if revoked is not None:
        return revoked
    usable = now < session.expires_at + OUTLIVED_SECONDS
    return Changes(sessions=(session,), jobs=(Job(JobKind.WITHDRAW, session.id),) if usable else ())


def without_personal_data(session: Session) -> Session:
    """Return the session as verdicts need it: ids, times, and what became of its link, but not the link's URL.

    The addresses that the host gave may name the user in their query.
    """
    return replace(
        session,
        link=replace(session.link, url="") if session.link is not None else None,
        user_label=None,
        user_email=None,
        support_url=None,
        help_urls={},
        return_url=None,
        prefill={},
        metadata={},
        page_hash=None,
        resume_hash=None,
        handoff_hash=None,
        follower_hash=None,
        follower_resume_hash=None,
        webhook_url=None,
        webhook_endpoint=None,
    )
