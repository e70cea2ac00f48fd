"""The decisions of a handoff: what ends an offer, and what a start of another page does to it."""

from dataclasses import replace

import pytest

from service.domain.changes import JobKind
from service.domain.handoffs import (
    HANDOFF_TRIES,
    HandoffState,
    HandoffTry,
    accept,
    follows,
    is_passed_on,
    offer,
    require_page,
    state_of_offer,
)
from service.domain.model import Session
from service.domain.page_starts import PageStart, ResumeKeeper, leave_page, start_page
from service.domain.session_status import Progress
from service.domain.timing import GRACE_SECONDS, HANDOFF_SECONDS
from service.domain.tokens import HandoffToken
from service.errors import Expired, NotFound, Revoked, SessionClosed, TakenOver
from tests.support.domain_values import NOW
from tests.support.domain_values import session as a_session

TOKEN = HandoffToken(a_session().id, "nonce", int(NOW))


def started(key: str = "desk") -> Session:
    fresh = replace(a_session(), opened_at=None)
    (session,) = start_page(fresh, PageStart(key), NOW, None).sessions
    return session


def offering() -> Session:
    (session,) = offer(started(), "desk", "nonce", NOW).sessions
    return session


def tried(session: Session, *, right: bool, key: str = "phone") -> tuple[HandoffState, Session]:
    state, changes = accept(session, HandoffTry(TOKEN, right, key), NOW, None)
    return state, changes.sessions[0] if changes else session


def test_only_the_bound_page_of_an_open_session_may_offer() -> None:
    with pytest.raises(NotFound):
        offer(started(), None, "nonce", NOW)
    with pytest.raises(TakenOver):
        offer(started(), "other", "nonce", NOW)
    with pytest.raises(Revoked):
        offer(replace(started(), revoked_at=NOW), "desk", "nonce", NOW)


def test_an_offer_is_over_at_its_time_and_not_before() -> None:
    session = offering()
    assert state_of_offer(session, TOKEN, NOW + HANDOFF_SECONDS - 1) is HandoffState.ASKING
    assert state_of_offer(session, TOKEN, NOW + HANDOFF_SECONDS) is HandoffState.OVER
    assert state_of_offer(session, replace(TOKEN, nonce="other"), NOW) is HandoffState.OVER
    assert state_of_offer(started(), TOKEN, NOW) is HandoffState.OVER


def test_each_wrong_code_is_counted_and_a_new_offer_counts_anew() -> None:
    session, states = offering(), []
    for _ in range(HANDOFF_TRIES):
        state, session = tried(session, right=False)
        states.append(state)
    assert states == [HandoffState.WRONG] * (HANDOFF_TRIES - 1) + [HandoffState.OVER]
    assert tried(session, right=True)[0] is HandoffState.OVER
    (again,) = offer(session, "desk", "nonce", NOW).sessions
    assert tried(again, right=True)[0] is HandoffState.ACCEPTED


def test_what_is_accepted_takes_over_and_the_page_before_follows() -> None:
    state, session = tried(offering(), right=True)
    assert (state, session.taken_over, session.handoff_hash) == (HandoffState.ACCEPTED, True, None)
    assert (is_passed_on(session, "phone"), is_passed_on(session, "desk")) == (True, False)
    assert (follows(session, "desk"), follows(session, "phone"), follows(session, None)) == (True, False, False)
    assert (require_page(session, "desk"), require_page(session, "phone")) == (True, False)
    with pytest.raises(TakenOver):
        require_page(session, "stranger")
    assert tried(session, right=False) == (HandoffState.ACCEPTED, session)  # the same form, sent twice
    assert tried(session, right=True, key="second")[0] is HandoffState.OVER


def test_any_other_start_ends_the_offer_and_the_following() -> None:
    (other,) = start_page(offering(), PageStart("other", take_over=True), NOW, None).sessions
    assert state_of_offer(other, TOKEN, NOW) is HandoffState.OVER
    _, session = tried(offering(), right=True)
    (back,) = start_page(session, PageStart("third", take_over=True), NOW, None).sessions
    assert not follows(back, "desk")
    again = PageStart(keeper=ResumeKeeper.COOKIE).with_key("phone")
    (reloaded,) = start_page(session, again, NOW, None).sessions
    assert follows(reloaded, "desk")


def test_an_offer_ends_with_its_page_and_a_followed_page_that_leaves_is_followed_on() -> None:
    (left,) = leave_page(offering(), "desk", "page", "left", NOW).sessions
    assert state_of_offer(left, TOKEN, NOW) is HandoffState.OVER
    _, session = tried(offering(), right=True)
    (gone,) = leave_page(session, "phone", "page", "left", NOW).sessions
    assert follows(gone, "desk")


def test_five_codes_are_tried_and_each_state_has_its_page() -> None:
    assert HANDOFF_TRIES == 5
    assert [*HandoffState] == ["asking", "wrong", "over", "accepted"]


def test_the_offering_pages_own_key_accepts_nothing_without_the_code() -> None:
    state, session = tried(offering(), right=False, key="desk")
    assert (state, session.handoff_tries) == (HandoffState.WRONG, 1)
    assert not is_passed_on(session, "desk")
    assert not is_passed_on(tried(offering(), right=True)[1], None)


def test_the_phones_absence_is_not_noticed_since_its_page_sends_no_heartbeat() -> None:
    _, changes = accept(offering(), HandoffTry(TOKEN, True, "phone"), NOW, None)
    assert changes is not None
    assert JobKind.PRESENCE not in {job.kind for job in changes.jobs}


def test_the_phones_cookie_starts_its_page_again_after_it_left() -> None:
    _, session = tried(offering(), right=True)
    (left,) = leave_page(session, "phone", "page", "left", NOW).sessions
    again = PageStart(keeper=ResumeKeeper.COOKIE).with_key("phone")
    (back,) = start_page(left, again, NOW, None).sessions
    assert is_passed_on(back, "phone")


def test_an_address_of_a_revoked_session_says_so() -> None:
    with pytest.raises(Revoked):
        state_of_offer(replace(offering(), revoked_at=NOW), TOKEN, NOW)


def test_nothing_is_offered_after_the_sessions_time() -> None:
    unshown_at = started().expires_at + GRACE_SECONDS
    waiting = replace(started(), link_used_at=unshown_at)  # its link was used, and what that made is still to come
    with pytest.raises(SessionClosed):
        offer(waiting, "desk", "nonce", unshown_at)
    over = replace(started(), over_at=NOW, finished_at=None)
    with pytest.raises(Expired):
        offer(over, "desk", "nonce", NOW)
    done = replace(started(), progress=Progress.CONNECTED)
    with pytest.raises(SessionClosed):
        offer(done, "desk", "nonce", NOW)
