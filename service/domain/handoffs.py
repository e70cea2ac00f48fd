"""Passing a started page on to another device: its page offers an address and a code, and the other device gives both.

The address alone starts nothing: only the offering page shows the code, so a photograph of the QR code is not enough.
An address works once, for five minutes, for five tries of a code, and only while the page that offered it is bound.
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

# There are a million codes: an attacker who has the address guesses right for one offer in 200,000.
HANDOFF_TRIES = 5


class HandoffState(StrEnum):
    """The state of a handoff that the page on the other device shows."""

    ASKING = "asking"  # the page asks for the code
    WRONG = "wrong"  # the code was wrong; there are tries left
    OVER = "over"  # the offer is used, replaced, too old, or was tried too often
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class HandoffTry:
    """What the other device sends; `right` is whether its code is the one that the offering page shows."""

    token: HandoffToken
    right: bool
    page_key: str


def offer(session: Session, page_key: str | None, nonce: str, now: float) -> Changes:
    """Make this the session's only offer. Raises the reason why the session, or its page, cannot go on."""
    raise_if_closed(session, now)
    require_page_key(session, page_key)
    if session.achieved or not link_can_be_shown(session, now):
        raise SessionClosed("Nothing is left to do on another device")
    return Changes(sessions=(replace(session, handoff_hash=digest(nonce), handoff_tries=0),))


def offer_id(nonce: str) -> str:
    """Return the id of an offer. A page compares it with `spent_offer`, to see whether its own offer is meant."""
    return digest(nonce)[:16]


def spent_offer(session: Session) -> str | None:
    """Return the id of the offer that too many wrong codes ended; None once its page has made another."""
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
    """Start the page of the other device. The page that offered it ends, and follows the new one from then on.

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
    """Whether this is the key of the page that passed the session on. It may see the session's state, but no link."""
    if not page_key or session.follower_hash is None:
        return False
    return hmac.compare_digest(session.follower_hash, digest(page_key))


def is_passed_on(session: Session, page_key: str | None) -> bool:
    """Whether this is the key of the page to which the session was passed on."""
    return session.follower_hash is not None and page_key is not None and holds_page_key(session, page_key)


def require_page(session: Session, page_key: str | None) -> bool:
    """Return True for the page that follows, False for the bound page. Raises NotFound, or TakenOver for any other."""
    if follows(session, page_key):
        return True
    require_page_key(session, page_key)
    return False
