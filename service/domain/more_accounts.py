"""Connecting another account in the same session: when its page may ask for the next invitation, and what that does.

A magic link is reusable and needs none of this. An invitation is for one use: so each account has its own, and the
evidence for each connection stays exact.
"""

from dataclasses import replace
from enum import StrEnum

from service.domain.changes import Changes, Job, JobKind
from service.domain.model import LinkKind, LinkStatus, Mode, Session
from service.domain.session_rules import require_page_key
from service.domain.session_time import link_can_be_shown
from service.errors import Revoked


class Another(StrEnum):
    """Where a session stands with another account."""

    POSSIBLE = "possible"  # its page may ask for the next invitation
    ASKED = "asked"  # it has asked, and the account is not recorded yet


def another_of(session: Session, recorded: int, now: float) -> Another | None:
    """Return where the session stands, with so many recorded connections; None: no further account can be asked for."""
    if session.mode is not Mode.CONNECT or not session.achieved or not link_can_be_shown(session, now):
        return None
    if awaits_another(session, recorded):
        return Another.ASKED
    if session.link_kind is not LinkKind.INVITATION:
        return None
    # Either may be ahead: a connection may be taken away, and a provider may record two for one use.
    used = max(recorded, session.more_asked + 1)
    return Another.POSSIBLE if recorded and used < session.max_connections else None


def awaits_another(session: Session, recorded: int) -> bool:
    """Whether its user asked for another account that is not recorded yet."""
    return 0 < recorded <= session.more_asked


def ask_for_another(session: Session, page_key: str | None, recorded: int, now: float) -> Changes | None:
    """Make room for the next invitation, once the account before is recorded; a second click changes nothing.

    What the session has stays: its status, its connections, and the invitations before as evidence. Raises NotFound,
    TakenOver, Revoked.
    """
    if session.revoked_at is not None:
        raise Revoked
    require_page_key(session, page_key)
    if another_of(session, recorded, now) is not Another.POSSIBLE:
        return None
    fresh = replace(
        session,
        more_asked=session.more_asked + 1,
        link=None,
        link_status=LinkStatus.PENDING,
        revealed_at=None,
        finished_at=None,
        link_used_at=None,
        provider_steps=(),
        seen_at=now,
    )
    # Both are written together: a process that dies here has either asked for nothing, or left the job to another.
    return Changes(sessions=(fresh,), jobs=(Job(JobKind.PREPARE, session.id, waited_for=True),))


def give_up_another(session: Session) -> Changes | None:
    """The link for a further account was refused: what is connected stays, and the page may ask again."""
    if not session.more_asked:
        return None
    without = replace(session, link_status=LinkStatus.FAILED, more_asked=session.more_asked - 1)
    return Changes(sessions=(without,))
