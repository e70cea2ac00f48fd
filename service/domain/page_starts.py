"""How a page starts and leaves: the first start binds its key, a later one must show that it is the same page, or ask.

The same page in the same browser shows it by its page key, or by the resume value that it gave when it started: random
bytes in the frame's storage or, in the redirect flow, the cookie. The session keeps their digest. Leaving does not
clear the digest, so another person who opens the URL after the page has left must confirm too; taking over replaces it.
"""

import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from service.domain import events
from service.domain.changes import Changes, Job, JobKind
from service.domain.model import LinkStatus, Session
from service.domain.session_rules import (
    exit_session,
    holds_page_key,
    raise_if_closed,
    require_page_key,
    reveal_link,
)
from service.domain.session_time import is_present, link_can_be_shown
from service.domain.timing import PRESENCE_SECONDS
from service.domain.tokens import digest
from service.errors import AlreadyOpen

_FIRST_POLL_SECONDS = 4.0


class ResumeKeeper(StrEnum):
    """Where the browser keeps a page's resume value; scripts of the host's page can read a value that HOST keeps."""

    FRAME = "frame"
    HOST = "host"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class PageStart:
    """What a page sends with its start; in the redirect flow the cookie is both page key and resume value.

    A `silent` page runs no script and sends no heartbeat, so its absence is never noticed.
    """

    page_key: str | None = None
    resume: str | None = None
    keeper: ResumeKeeper = ResumeKeeper.FRAME
    take_over: bool = False
    silent: bool = False

    def with_key(self, page_key: str) -> "PageStart":
        """Return the start that binds this key; in the redirect flow the cookie will hold it."""
        resume = page_key if self.keeper is ResumeKeeper.COOKIE else self.resume
        return replace(self, page_key=page_key, resume=resume)


def resumes(session: Session, value: str | None) -> bool:
    """Whether this is the resume value of the page that was started last."""
    if not value or session.resume_hash is None:
        return False
    return hmac.compare_digest(session.resume_hash, digest(value))


def follows_on(session: Session, start: PageStart) -> bool:
    """Whether the page that passed its session on starts again: it goes on following, unless it takes over."""
    if start.take_over or not start.resume or session.follower_resume_hash is None:
        return False
    return hmac.compare_digest(session.follower_resume_hash, digest(start.resume))


def start_page(session: Session, start: PageStart, now: float, provider_now: float | None) -> Changes:
    """Bind the page and end the one that was bound; if they are not the same page, the event says `crossDevice`.

    A page that follows another device is not bound: it gets a new key to follow with.

    Raises AlreadyOpen where the session was started before, this is another page and `take_over` is False, unless the
    session is finished and no page of it is open; Expired, Revoked, SessionClosed.
    """
    raise_if_closed(session, now)
    if follows_on(session, start):
        return Changes(sessions=(replace(session, follower_hash=digest(start.page_key or "")),))
    started = _bound(session, start, now)
    jobs = [Job(JobKind.RECONCILE, session.company.ref, _FIRST_POLL_SECONDS, waited_for=True)]
    check = Job(JobKind.PRESENCE, session.id, PRESENCE_SECONDS)
    ended: tuple[Job, ...] = ()
    if not start.silent:
        jobs.append(check)
    elif session.opened_at is not None and started.page_serial != session.page_serial:
        ended = (check,)  # it is of the page before, and would take this one for gone
    can_be_shown = link_can_be_shown(session, now)
    if can_be_shown and session.link_status is LinkStatus.PENDING:
        jobs.append(Job(JobKind.PREPARE, session.id, waited_for=True))
        can_be_shown = False
    changes = reveal_link(started, now, provider_now) if can_be_shown else Changes(sessions=(started,))
    return replace(changes, events=(_opened_event(session, start),), ended_jobs=ended, jobs=tuple(jobs))


def _bound(session: Session, start: PageStart, now: float) -> Session:
    key = start.page_key or ""
    same = holds_page_key(session, key)
    another = _is_another_page(session, start)
    if another and not start.take_over and not _is_finished_and_alone(session, now):
        raise AlreadyOpen
    resumed = resumes(session, start.resume)
    stays = same or resumes(session, key)
    kept = session.resume_hash if same else None  # a page that takes over without a value still ends the value before
    by_host = start.keeper is ResumeKeeper.HOST or (session.resume_by_host and (resumed or start.resume is None))
    return replace(
        session,
        page_hash=digest(key),
        # A browser that comes back with its cookie is the page that it was, and so are the states that it carries.
        page_serial=session.page_serial if stays else session.page_serial + 1,
        resume_hash=digest(start.resume) if start.resume else kept,
        resume_by_host=by_host,
        resumed_by_host=session.resumed_by_host or _is_resumed_by_host(session, start),
        taken_over=session.taken_over or another,
        # An offer belongs to the page that made it, so a new start ends it.
        handoff_hash=None,
        handoff_tries=0,
        follower_hash=session.follower_hash if stays else None,
        follower_resume_hash=session.follower_resume_hash if stays else None,
        left_at=None,
        opened_at=session.opened_at or now,
        seen_at=now,
    )


def _is_another_page(session: Session, start: PageStart) -> bool:
    """Whether the session was started before, and this start does not show that it is the same page."""
    same = holds_page_key(session, start.page_key or "") or resumes(session, start.resume)
    return session.opened_at is not None and not same


def _is_finished_and_alone(session: Session, now: float) -> bool:
    """Whether there is nothing to take over: the user's part is done, and no page of the session is open.

    The start is still reported as `crossDevice`.
    """
    return session.achieved and (session.page_hash is None or not is_present(session, now))


def _is_resumed_by_host(session: Session, start: PageStart) -> bool:
    """Whether only a value that the host's page keeps shows that it is the same page, so the user was not asked.

    Once the host's page has kept the value, it counts as the host's even if a start says that the frame kept it: a
    script may have read it in the host's page.
    """
    if holds_page_key(session, start.page_key or "") or not resumes(session, start.resume):
        return False
    return session.resume_by_host or start.keeper is ResumeKeeper.HOST


def _opened_event(session: Session, start: PageStart) -> events.NewEvent:
    return events.session_opened(
        session,
        cross_device=_is_another_page(session, start),
        resumed_by=ResumeKeeper.HOST.value if _is_resumed_by_host(session, start) else None,
    )


def leave_page(session: Session, page_key: str | None, stage: str, reason: str, now: float) -> Changes:
    """The user leaves: exit an open session and unbind the page, whose resume value can start it again."""
    require_page_key(session, page_key)
    changes = exit_session(session, stage, reason, now) or Changes(sessions=(session,))
    return replace(changes, sessions=tuple(replace(one, page_hash=None, handoff_hash=None) for one in changes.sessions))
