"""A session's time: until when it is open, its pages show the link, and new states and results are signed. Pure."""

from service.domain.model import Session
from service.domain.session_status import Progress, SessionStatus
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS, RESULT_DAY_SECONDS, UNDECIDED_SECONDS
from service.domain.tokens import PageToken


def is_present(session: Session, now: float) -> bool:
    """Whether a page of the session reported its presence within the last minute."""
    return session.seen_at is not None and now - session.seen_at < PRESENCE_SECONDS


def ends_at(session: Session, now: float) -> float:
    """When its time is over. With a page that is present, or on which the user has finished, the grace is added.

    While a used invitation has not named its connection, the session waits for it, for a day.
    """
    finishing = session.finished_at is not None and session.status is SessionStatus.OPENED
    end = session.expires_at + (GRACE_SECONDS if finishing or is_present(session, now) else 0.0)
    unexplained = session.link_used_at is not None and session.progress is Progress.NONE
    return max(end, (session.link_used_at or 0.0) + UNDECIDED_SECONDS) if unexplained else end


def seconds_left(session: Session, now: float) -> float:
    """In how many seconds to check whether its time is over: every minute after `expires_at`, when a page may leave."""
    left = ends_at(session, now) - now
    return min(left, PRESENCE_SECONDS) if now >= session.expires_at else left


def link_can_be_shown(session: Session, now: float) -> bool:
    """Whether a page may show the link. After `expires_at` and the grace it shows the session's outcome only."""
    return not session.closed and is_time_of_link(session.expires_at, now)


def is_time_of_link(expires_at: float, now: float) -> bool:
    """Whether the time in which a page may show the link is not over."""
    return now < expires_at + GRACE_SECONDS


def can_sign(session: Session, now: float) -> bool:
    """Whether a page may get a new signed state or result.

    Until a day after its user's part was done or its time was over, whichever was first. A revoked session gives none,
    so that its URL no longer brings anything signed to the host.
    """
    if session.status is SessionStatus.REVOKED:
        return False
    # `ends_at` too, since `settled_at` may be late: the job that expires the session may be delayed, and evidence may
    # come after the session's time.
    first_at = min(ends_at(session, now), now if session.settled_at is None else session.settled_at)
    return now < first_at + RESULT_DAY_SECONDS


def token_expired(session: Session, token: PageToken, now: float) -> bool:
    """Whether this URL's own time is over: an older URL of a renewed session ends when it would have ended before."""
    if token.serial == session.serial:
        return False  # the session's own status and time decide
    return now >= token.issued_at + (session.expires_at - session.issued_at)
