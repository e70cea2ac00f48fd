"""Passing a started page on to another device: its page offers an address and a code, and the other device gives both.

The address alone starts nothing: whoever photographs it lacks the code, which only the offering page shows. An address
works once, for five minutes and five codes, and only while the page that offered it is bound.
"""

import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from service.domain.changes import Changes
from service.domain.model import Session
from service.domain.page_starts import PageStart, ResumeKeeper, start_page
from service.domain.session_rules import holds_page_key, raise_if_closed, require_page_key
from service.domain.session_time import link_can_be_shown
from service.domain.timing import HANDOFF_SECONDS
from service.domain.tokens import HandoffToken, digest
from service.errors import SessionClosed

# Of a million codes: an attacker who has the address guesses right once in 200,000 sessions.
HANDOFF_TRIES = 5


class HandoffState(StrEnum):
    """The state of a handoff that the page on the other device shows."""

    ASKING = "asking"  # for the code
    WRONG = "wrong"  # it was another; there are tries left
    OVER = "over"  # used, replaced, too old, or tried too often
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class HandoffTry:
    """What another device gives; `right` is whether its code is the one that the offering page shows."""

    token: HandoffToken
    right: bool
    page_key: str


def offer(session: Session, page_key: str | None, nonce: str, now: float) -> Changes:
    """Make this the only address by which another device may go on. Raises what closed the session, or its page."""
    raise_if_closed(session, now)
    require_page_key(session, page_key)
    if session.achieved or not link_can_be_shown(session, now):
        raise SessionClosed("Nothing is left to do on another device")
    return Changes(sessions=(replace(session, handoff_hash=digest(nonce), handoff_tries=0),))


def offer_id(nonce: str) -> str:
    """Return the name of an offer, by which its page knows which one a view speaks of."""
    return digest(nonce)[:16]


def spent_offer(session: Session) -> str | None:
    """Return the name of the offer that too many wrong codes ended, until its page makes another."""
    if session.handoff_hash is None or session.handoff_tries < HANDOFF_TRIES:
        return None
    return session.handoff_hash[:16]


def state_of_offer(session: Session, token: HandoffToken, now: float) -> HandoffState:
    """Whether the address can still be used. Raises what closed the session."""
    raise_if_closed(session, now)
    offered = session.handoff_hash is not None and hmac.compare_digest(session.handoff_hash, digest(token.nonce))
    in_time = now < token.issued_at + HANDOFF_SECONDS
    usable = offered and in_time and session.handoff_tries < HANDOFF_TRIES
    return HandoffState.ASKING if usable else HandoffState.OVER


def accept(
    session: Session, given: HandoffTry, now: float, provider_now: float | None
) -> tuple[HandoffState, Changes | None]:
    """Start the page of the other device, which ends the one that offered it: that page follows from then on.

    A wrong code is counted. A form that is sent twice is accepted twice and starts one page.
    """
    if session.follower_hash is not None and holds_page_key(session, given.page_key):
        return HandoffState.ACCEPTED, None
    state = state_of_offer(session, given.token, now)
    if state is not HandoffState.ASKING:
        return state, None
    if not given.right:
        tries = session.handoff_tries + 1
        counted = replace(session, handoff_tries=tries)
        return HandoffState.WRONG if tries < HANDOFF_TRIES else HandoffState.OVER, Changes(sessions=(counted,))
    start = PageStart(keeper=ResumeKeeper.COOKIE, take_over=True, silent=True).with_key(given.page_key)
    changes = start_page(session, start, now, provider_now)
    page, resume = session.page_hash, session.resume_hash
    started = tuple(replace(one, follower_hash=page, follower_resume_hash=resume) for one in changes.sessions)
    return HandoffState.ACCEPTED, replace(changes, sessions=started)


def follows(session: Session, page_key: str | None) -> bool:
    """Whether this is the key of the page that passed the session on. It may see how things stand, and no link."""
    if not page_key or session.follower_hash is None:
        return False
    return hmac.compare_digest(session.follower_hash, digest(page_key))


def is_passed_on(session: Session, page_key: str | None) -> bool:
    """Whether this is the key of the page to which the session was passed on."""
    return session.follower_hash is not None and page_key is not None and holds_page_key(session, page_key)


def require_page(session: Session, page_key: str | None) -> bool:
    """Return whether the page follows only. Raises NotFound without a key, TakenOver for a page that does neither."""
    if follows(session, page_key):
        return True
    require_page_key(session, page_key)
    return False
