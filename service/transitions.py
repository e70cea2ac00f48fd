"""What happens to a session, decided purely: what the host, time and its pages do to it, from a session to `Changes`.

A page is opened by its token, but only a started page holds the session: `page_hash` is the digest of its key. It is
bound when the page starts, taken over only when the person says so, and let go when the page leaves.
"""

import hmac
from collections.abc import Sequence
from dataclasses import replace

from service.errors import AlreadyOpen, Expired, NotFound, Revoked, SessionClosed, TakenOver
from service.ledger import Changes, Due, Fact, FactKind, News, WorkKind
from service.model import Connection, Link, LinkKind, LinkStatus, Mode, Session, SessionStatus
from service.state import PageToken, digest
from service.statuses import credentials_work

# A flow that is going on when the session's time is over may be finished.
GRACE_SECONDS = 900.0
# A page that says nothing for this long is gone.
PRESENT_SECONDS = 60.0
_SOON_SECONDS = 4.0


def is_present(session: Session, now: float) -> bool:
    """Whether a page of it was heard of within the last minute."""
    return session.seen_at is not None and now - session.seen_at < PRESENT_SECONDS


def seconds_left(session: Session, now: float) -> float:
    """How long until it expires; a page that is present, or was just finished, has the grace too."""
    busy = is_present(session, now)
    finishing = session.finished_at is not None and session.status is SessionStatus.OPENED
    end = session.expires_at + (GRACE_SECONDS if busy or finishing else 0.0)
    left = end - now
    return min(left, PRESENT_SECONDS) if now >= session.expires_at else left


def expired(session: Session) -> Changes | None:
    """Close it, and look at the provider now and once more when the grace is over."""
    if session.closed or session.status is SessionStatus.CONNECTED:
        return None
    return Changes(
        sessions=(replace(session, status=SessionStatus.EXPIRED),),
        events=(News("session.expired", session.id, None, session.user_id),),
        work=(Due(WorkKind.RECONCILE, session.company.ref),),
    )


def revoked(session: Session, now: float, heard_at: float | None) -> Changes | None:
    """Close it for good. A magic link lives on at the provider: the fact says what it may no longer prove."""
    if session.status is SessionStatus.REVOKED:
        return None
    facts = []
    if session.link is not None and session.link.invitation_id is None:
        facts.append(Fact(FactKind.REVOKED, session_id=session.id, provider_at=_revoked_at(session.link, heard_at)))
    return Changes(
        sessions=(replace(session, status=SessionStatus.REVOKED, revoked_at=now),),
        facts=tuple(facts),
        events=(News("session.revoked", session.id, None, session.user_id),),
        work=(Due(WorkKind.WITHDRAW, session.id),),
    )


def _revoked_at(link: Link, heard_at: float | None) -> float:
    # Not heard from the provider since our start: the earliest it can have been, since a revocation wins in doubt.
    return max(link.provider_given_at, heard_at) if heard_at is not None else link.provider_given_at


def renewed(session: Session, now: float, kid: str) -> Changes:
    """A new serial with the whole time; a link that would end before is made anew. Raises SessionClosed."""
    if session.status in {SessionStatus.REVOKED, SessionStatus.FAILED}:
        raise SessionClosed(f"This session is {session.status.value}; create a new one")
    duration = session.expires_at - session.issued_at
    fresh = replace(session, serial=session.serial + 1, issued_at=int(now), key_id=kid, expires_at=int(now) + duration)
    if session.status is SessionStatus.EXPIRED:
        fresh = replace(fresh, status=SessionStatus.OPENED if session.opened_at else SessionStatus.CREATED)
    if session.link is not None and session.link.invitation_id is not None:
        fresh = replace(fresh, link=None, link_status=LinkStatus.PENDING, revealed_at=None, finished_at=None)
    return Changes(
        sessions=(fresh,),
        work=(Due(WorkKind.PREPARE, session.id), Due(WorkKind.EXPIRE, session.id, fresh.expires_at - now)),
    )


def token_expired(session: Session, token: PageToken, now: float) -> bool:
    """Whether this URL's own time is over; a renewed session's older URL keeps the end it had."""
    if token.serial == session.serial:
        return False  # the session's own state and time decide
    return now >= token.issued_at + (session.expires_at - session.issued_at)


def holds(session: Session, page_key: str) -> bool:
    """Whether this is the key of the page that is bound now."""
    return session.page_hash is not None and hmac.compare_digest(session.page_hash, digest(page_key))


def require(session: Session, page_key: str | None) -> None:
    """Raise NotFound without a key, TakenOver with an older page's."""
    if not page_key or session.page_hash is None:
        raise NotFound("Start this page first")
    if not holds(session, page_key):
        raise TakenOver


def refuse_closed(session: Session, now: float) -> None:
    """Raise what closed it; a page that is going on has the grace."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.status is SessionStatus.FAILED:
        raise SessionClosed("No link could be made for this session")
    over = now >= session.expires_at + (GRACE_SECONDS if is_present(session, now) else 0.0)
    if session.status is SessionStatus.EXPIRED or (over and session.status is not SessionStatus.CONNECTED):
        raise Expired


def opened(session: Session, key: str, now: float, heard_at: float | None, *, take_over: bool, silent: bool) -> Changes:
    """Bind the page. Taking over ends the page before it, and is told as `crossDevice`.

    Of a `silent` page, which runs no script, nobody can know that it has gone: no heartbeat of it is missed.
    """
    refuse_closed(session, now)
    same = holds(session, key)
    taken = session.page_hash is not None and not same
    if taken and not take_over:
        raise AlreadyOpen
    serial = session.page_serial if same else session.page_serial + 1
    status = session.status if session.status is SessionStatus.CONNECTED else SessionStatus.OPENED
    bound = replace(
        session,
        page_hash=digest(key),
        page_serial=serial,
        taken_over=session.taken_over or taken,
        status=status,
        opened_at=session.opened_at or now,
        seen_at=now,
    )
    told = News("session.opened", session.id, session.connection_id, session.user_id, {"crossDevice": taken})
    work = [Due(WorkKind.RECONCILE, session.company.ref, _SOON_SECONDS)]
    if not silent:
        work.append(Due(WorkKind.PRESENCE, session.id, PRESENT_SECONDS))
    if session.link_status is LinkStatus.PENDING:
        return Changes(sessions=(bound,), events=(told,), work=(*work, Due(WorkKind.PREPARE, session.id)))
    shown = reveal(bound, now, heard_at)
    return Changes(sessions=shown.sessions, facts=shown.facts, events=(told,), work=tuple(work))


def reveal(session: Session, now: float, heard_at: float | None) -> Changes:
    """Note that the link is about to leave us; from here on its user may have made a connection with it."""
    facts: tuple[Fact, ...] = ()
    if session.link is not None and session.link.kind is LinkKind.MAGIC_LINK and session.revealed_at is None:
        edits = session.connection_id if session.mode is Mode.RECONNECT else None
        given_at = session.link.provider_given_at
        at = given_at if heard_at is None else max(given_at, heard_at)
        facts = (Fact(FactKind.REVEALED, edits, session.id, provider_at=at),)
    return Changes(sessions=(replace(session, revealed_at=session.revealed_at or now),), facts=facts)


def submitted(session: Session, page_key: str | None, now: float) -> Changes:
    """The person says so: told once, acted upon each time."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    require(session, page_key)
    told = (News("session.submitted", session.id, session.connection_id, session.user_id),)
    status = SessionStatus.OPENED if session.status is SessionStatus.EXITED else session.status
    return Changes(
        sessions=(replace(session, finished_at=now, seen_at=now, status=status),),
        events=told if session.finished_at is None else (),
        work=(Due(WorkKind.RECONCILE, session.company.ref),),
    )


def present(session: Session, page_key: str | None, now: float) -> Changes:
    """A heartbeat; it brings back a session that was thought left."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.status is SessionStatus.EXPIRED:
        raise Expired
    require(session, page_key)
    back = session.status is SessionStatus.EXITED
    told = (News("session.opened", session.id, session.connection_id, session.user_id, {"back": True}),)
    return Changes(
        sessions=(replace(session, seen_at=now, status=SessionStatus.OPENED if back else session.status),),
        events=told if back else (),
        work=(Due(WorkKind.PRESENCE, session.id, PRESENT_SECONDS),),
    )


def exited(session: Session, stage: str, reason: str) -> Changes | None:
    """Only an open session can be left; a connected one stays connected."""
    if session.status is not SessionStatus.OPENED:
        return None
    told = News("session.exited", session.id, None, session.user_id, {"stage": stage, "reason": reason})
    return Changes(
        sessions=(replace(session, status=SessionStatus.EXITED),),
        events=(told,),
        work=(Due(WorkKind.RECONCILE, session.company.ref),),
    )


def working_first(connections: Sequence[Connection]) -> str | None:
    """The connection that a result names: the newest whose credentials work, or the newest."""
    ids = [one.id for one in connections if credentials_work(one.seen.status)] or [one.id for one in connections]
    return ids[-1] if ids else None


def left(session: Session, page_key: str | None, stage: str, reason: str) -> Changes:
    """The page says good-bye and lets go of the session: whoever comes next need not take over."""
    require(session, page_key)
    changes = exited(session, stage, reason) or Changes(sessions=(session,))
    return replace(changes, sessions=tuple(replace(one, page_hash=None) for one in changes.sessions))
