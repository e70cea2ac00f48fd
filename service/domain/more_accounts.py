"""Connecting another account in the same session: when its page may ask for the next invitation, and what that does.

A magic link is reusable and needs none of this. An invitation is for one use, so each account has an invitation of its
own, and the evidence for each connection stays exact.
"""

from dataclasses import replace
from enum import StrEnum

from service.domain.changes import Changes, Job, JobKind
from service.domain.model import LinkKind, LinkStatus, Mode, Session
from service.domain.session_rules import require_page_key, with_link_pending
from service.domain.session_time import link_can_be_shown
from service.errors import Revoked


class AnotherAccount(StrEnum):
    """Whether a session's page may ask for another account, or has done so."""

    POSSIBLE = "possible"  # its page may ask for the next invitation
    ASKED = "asked"  # it has asked, and the account is not recorded yet


def another_of(session: Session, recorded: int, now: float) -> AnotherAccount | None:
    """Return whether another account is possible or asked for, with `recorded` connections; None if it is neither."""
    if session.mode is not Mode.CONNECT or not session.achieved or not link_can_be_shown(session, now):
        return None
    if awaits_another(session, recorded):
        return AnotherAccount.ASKED
    if session.link_kind is not LinkKind.INVITATION:
        return None
    # Either number may be the larger: a connection may have been detached, or one use may have made two.
    used = max(recorded, session.more_asked + 1)
    return AnotherAccount.POSSIBLE if recorded and used < session.max_connections else None


def awaits_another(session: Session, recorded: int) -> bool:
    """Whether its user asked for another account that is not recorded yet."""
    return 0 < recorded <= session.more_asked


def ask_for_another(session: Session, page_key: str | None, recorded: int, now: float) -> Changes | None:
    """Clear the used link and enqueue the next one, once the account before is recorded; a repeat changes nothing.

    The session keeps its status, its connections, and its earlier invitations as evidence. Raises NotFound, TakenOver,
    Revoked.
    """
    if session.revoked_at is not None:
        raise Revoked
    require_page_key(session, page_key)
    if another_of(session, recorded, now) is not AnotherAccount.POSSIBLE:
        return None
    fresh = replace(with_link_pending(session), more_asked=session.more_asked + 1, seen_at=now)
    # Session and job are written together: if this process dies, another one runs the job.
    return Changes(sessions=(fresh,), jobs=(Job(JobKind.PREPARE, session.id, waited_for=True),))


def give_up_another(session: Session) -> Changes | None:
    """The link for a further account was refused: what is connected stays, and the page may ask again."""
    if not session.more_asked:
        return None
    return Changes(sessions=(without_another(session),))


def without_another(session: Session) -> Session:
    """Return the session without the link for a further account, for which its page may ask again."""
    return replace(session, link=None, link_status=LinkStatus.FAILED, more_asked=session.more_asked - 1)


def count_asked_again(session: Session, recorded: int) -> Session:
    """Return the session after a connection was taken from it and `recorded` are left.

    It still waits for a further account only if it has, or gets, a link for one that was not used yet.
    """
    unused = session.link_used_at is None and (session.link is not None or session.link_status is LinkStatus.PENDING)
    return replace(session, more_asked=max(0, min(session.more_asked, recorded if unused else recorded - 1)))
