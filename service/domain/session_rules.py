"""Decisions about one session: from a `Session` to the `Changes` that the host, time or a page causes. Pure.

A page is opened by its token, but only a started page may act: `page_hash` is the digest of its page key. How a page
starts and leaves is in `page_starts`.
"""

import hmac
from dataclasses import replace

from service.domain import events
from service.domain.changes import Changes, CompletedIntent, Fact, FactKind, Job, JobKind
from service.domain.model import Link, LinkKind, LinkStatus, Mode, Session
from service.domain.session_status import LINK_EXPIRED, LINK_REVOKED, SessionStatus
from service.domain.session_time import ends_at
from service.domain.timing import (
    GRACE_SECONDS,
    POLL_FINISHED_SECONDS,
    POLL_PRESENT_SECONDS,
    PRESENCE_SECONDS,
    RECENT_SECONDS,
)
from service.domain.tokens import digest
from service.errors import Expired, NotFound, Revoked, SessionClosed, TakenOver

_POLL_AFTER_LINK_SECONDS = 60.0


def create(session: Session, prepare_in_seconds: float) -> Changes:
    """Write the new session, its first event and the jobs of its life."""
    return Changes(
        sessions=(session,),
        events=(events.session_created(session),),
        jobs=(
            Job(JobKind.PREPARE, session.id, prepare_in_seconds),
            Job(JobKind.EXPIRE, session.id, session.expires_at - session.created_at),
        ),
    )


def settle(session: Session, now: float) -> Session:
    """Return the session with `settled_at` as its status requires: the first time stays, and reopening clears it."""
    if not (session.achieved or session.closed):
        return replace(session, settled_at=None)
    return session if session.settled_at is not None else replace(session, settled_at=now)


def expire(session: Session, now: float) -> Changes | None:
    """End a session whose time is over, and poll the provider once more: the user may just have finished.

    Where the user's part is done, the status stays; only the session's pages stop showing the link.
    """
    if session.over_at is not None or session.status in {SessionStatus.REVOKED, SessionStatus.FAILED}:
        return None
    over = settle(replace(session, over_at=now), now)
    if session.achieved:
        return Changes(sessions=(over,))
    ended = events.session_expired(over)
    if over.status is SessionStatus.EXITED:
        ended = events.session_exited(over, "page", "time")
    return Changes(sessions=(over,), events=(ended,), jobs=(Job(JobKind.RECONCILE, session.company.ref),))


def revoke(session: Session, now: float, provider_now: float | None) -> Changes | None:
    """Close the session permanently.

    A magic link still works at the provider; a fact keeps what it makes afterwards from being presumed its user's.
    """
    if session.status is SessionStatus.REVOKED:
        return None
    facts = []
    if session.link is not None and session.link.invitation_id is None:
        revoked_at = _revoked_at(session.link, provider_now)
        facts.append(Fact(FactKind.REVOKED, session_id=session.id, provider_at=revoked_at))
    return Changes(
        sessions=(settle(replace(session, revoked_at=now), now),),
        facts=tuple(facts),
        events=(events.session_revoked(session),),
        jobs=(Job(JobKind.WITHDRAW, session.id),),
    )


def _revoked_at(link: Link, provider_now: float | None) -> float:
    # The provider's time is unknown before its first answer to this process. Then the earliest possible time is used:
    # in doubt the revocation wins.
    return max(link.provider_given_at, provider_now) if provider_now is not None else link.provider_given_at


def renew(session: Session, now: float, key_id: str) -> Changes:
    """Give the session a new serial and its full time again. Raises SessionClosed.

    An invitation is made again, unless the user's part is done: then there is nothing left to use it for.
    """
    mendable = session.status is SessionStatus.FAILED and session.failure in {LINK_REVOKED, LINK_EXPIRED}
    ended = session.status in {SessionStatus.REVOKED, SessionStatus.FAILED} and not mendable
    if ended or session.user_id is None:
        raise SessionClosed(f"This session is {session.status.value}; create a new one")
    if session.user_email == "":
        raise SessionClosed("The e-mail address of this session cannot be read any more; create a new one")
    duration = session.expires_at - session.issued_at
    fresh = replace(
        session,
        serial=session.serial + 1,
        issued_at=int(now),
        key_id=key_id,
        expires_at=int(now) + duration,
        over_at=None,
        failure=None,
        left_at=None if session.closed else session.left_at,
    )
    expiry = Job(JobKind.EXPIRE, session.id, fresh.expires_at - now)
    by_invitation = session.link is not None and session.link.invitation_id is not None
    if session.achieved:
        # Its invitation was used, or ends with the old time: no page may show it again. A further account for which it
        # was not used may be asked for again.
        unused = 1 if session.more_asked and session.link_used_at is None else 0
        kept = replace(fresh, link=None, more_asked=session.more_asked - unused) if by_invitation else fresh
        return Changes(sessions=(settle(kept, now),), jobs=(expiry,))
    if by_invitation or session.link is None or not session.link.url:
        # Its invitation ends soon after the old time, so the session needs another. So does one whose magic link was
        # encrypted with a key that was removed.
        fresh = with_link_pending(fresh)
    return Changes(sessions=(settle(fresh, now),), jobs=(Job(JobKind.PREPARE, session.id), expiry))


def with_link_pending(session: Session) -> Session:
    """Return the session without its link, and without what is known of that link: the next one has its own log."""
    fresh = replace(session, link=None, link_status=LinkStatus.PENDING, revealed_at=None, finished_at=None)
    return replace(fresh, link_used_at=None, provider_steps=())


def holds_page_key(session: Session, page_key: str) -> bool:
    """Whether this is the key of the page that is bound now."""
    return session.page_hash is not None and hmac.compare_digest(session.page_hash, digest(page_key))


def require_page_key(session: Session, page_key: str | None) -> None:
    """Raise NotFound without a key, TakenOver with the key of an earlier page."""
    if not page_key or session.page_hash is None:
        raise NotFound("Start this page first")
    if not holds_page_key(session, page_key):
        raise TakenOver


def raise_if_closed(session: Session, now: float) -> None:
    """Raise what closed the session: Revoked, SessionClosed or Expired. A page that is present has the grace."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.status is SessionStatus.FAILED:
        closed = SessionClosed("There is no link for this session")
        closed.failure = session.failure
        raise closed
    if session.closed or (now >= ends_at(session, now) and not session.achieved):
        raise Expired


def reveal_link(session: Session, now: float, provider_now: float | None) -> Changes:
    """Record that the link is about to be shown: from now on its user may create a connection with it."""
    facts: tuple[Fact, ...] = ()
    if session.link is not None and session.link.kind is LinkKind.MAGIC_LINK and session.revealed_at is None:
        edits = session.connection_id if session.mode is Mode.RECONNECT else None
        given_at = session.link.provider_given_at
        at = given_at if provider_now is None else max(given_at, provider_now)
        facts = (Fact(FactKind.REVEALED, edits, session.id, provider_at=at),)
    return Changes(sessions=(replace(session, revealed_at=session.revealed_at or now),), facts=facts)


def give_link(
    session: Session, link: Link, completed: CompletedIntent | None, provider_now: float | None
) -> Changes | None:
    """Store the link that the provider gave. An open page shows it at once; a closed session has it revoked.

    None where the session has a link already; the caller then discards its own.
    """
    if session.link is not None:
        return None
    ready = replace(session, link=link, link_kind=link.kind, link_status=LinkStatus.READY)
    if ready.closed:
        changes = Changes(sessions=(ready,), jobs=(Job(JobKind.WITHDRAW, ready.id),))
        return replace(changes, completed_intent=completed)
    shown = Changes(sessions=(ready,))
    if ready.page_hash is not None:
        shown = reveal_link(ready, ready.seen_at or ready.created_at, provider_now)
    poll = Job(JobKind.RECONCILE, ready.company.ref, _POLL_AFTER_LINK_SECONDS)
    event = events.session_link_ready(ready, link.kind)
    return replace(shown, events=(event,), jobs=(poll,), completed_intent=completed)


def fail(session: Session, code: str, now: float) -> Changes | None:
    """Fail the session because no link can be made; `code` is the error's. A closed one, or one with a link, stays."""
    if session.closed or session.achieved or session.link_status is LinkStatus.READY:
        return None
    failed = settle(replace(session, link_status=LinkStatus.FAILED, failure=code), now)
    return Changes(sessions=(failed,), events=(events.session_failed(session, code),))


def finish(session: Session, page_key: str | None, now: float, provider_now: float | None) -> Changes | None:
    """The user said "I have finished": emit one event, enqueue a poll each time. Raises Revoked, TakenOver, Expired.

    Once time and grace are over there is nothing to finish: a page could have the provider polled for ever.
    """
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    require_page_key(session, page_key)
    if now > max(session.expires_at + GRACE_SECONDS, ends_at(session, now)):
        if session.achieved:
            return None
        raise Expired
    finished = replace(session, finished_at=now, seen_at=now, left_at=None)
    # As by a heartbeat; one that is exited because its time is over stays so.
    back = session.status is SessionStatus.EXITED and finished.status is not SessionStatus.EXITED
    reopened = (events.session_reopened_by_user(session),) if back else ()
    return Changes(
        sessions=(finished,),
        facts=_finished_facts(session, provider_now),
        events=(*reopened, *((events.session_finished(session),) if session.finished_at is None else ())),
        # Its caller polls at once. A job that is due now would race with that poll, and each lost race adds a poll.
        jobs=(Job(JobKind.RECONCILE, session.company.ref, POLL_FINISHED_SECONDS, waited_for=True),),
    )


def _finished_facts(session: Session, provider_now: float | None) -> tuple[Fact, ...]:
    """Facts that tell which of one user's sessions was finished; they never decide between users."""
    if session.revealed_at is None or session.link is None or session.link.kind is not LinkKind.MAGIC_LINK:
        return ()
    if provider_now is None or session.mode is Mode.RECONNECT:
        return ()
    # One fact a second at most, so that a page that repeats the call does not fill the table.
    at = float(int(provider_now))
    return (Fact(FactKind.FINISHED, session_id=session.id, provider_at=at, nonce=f"{at:.0f}"),)


def record_presence(session: Session, page_key: str | None, now: float) -> Changes:
    """Record a heartbeat; an exited session is open again. Raises Revoked, Expired, TakenOver, NotFound.

    Where no page was present for so long that its company is polled rarely, poll it soon.
    """
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.over_at is not None and not session.achieved:
        raise Expired
    require_page_key(session, page_key)
    back = session.status is SessionStatus.EXITED
    jobs = [Job(JobKind.PRESENCE, session.id, PRESENCE_SECONDS)]
    if session.seen_at is None or now - session.seen_at > RECENT_SECONDS:
        jobs.append(Job(JobKind.RECONCILE, session.company.ref, POLL_PRESENT_SECONDS, waited_for=True))
    return Changes(
        sessions=(replace(session, seen_at=now, left_at=None),),
        events=(events.session_reopened_by_user(session),) if back else (),
        jobs=tuple(jobs),
    )


def exit_session(session: Session, stage: str, reason: str, now: float) -> Changes | None:
    """Exit an open session, and poll once more. A session in any other status stays as it is."""
    if session.status is not SessionStatus.OPENED:
        return None
    return Changes(
        sessions=(replace(session, left_at=now),),
        events=(events.session_exited(session, stage, reason),),
        jobs=(Job(JobKind.RECONCILE, session.company.ref),),
    )
