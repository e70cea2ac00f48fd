"""How a page starts and leaves: the first start, the same page again, another page, and what a host's page may keep."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.domain.changes import Changes, Job, JobKind
from service.domain.model import LinkStatus, Session
from service.domain.page_starts import PageStart, ResumeKeeper, leave_page, resumes, start_page
from service.domain.session_rules import exit_session, holds_page_key
from service.domain.session_status import SessionStatus
from service.domain.timing import PRESENCE_SECONDS
from service.domain.tokens import digest, page_key_of_form
from service.errors import AlreadyOpen, Expired, MagiclinkError, Revoked, SessionClosed, TakenOver
from tests.support.domain_values import COMPANY, NOW, link, session, with_link, with_status

KEY, OTHER = "page-key-of-ada", "page-key-of-another-window"
VALUE, FOREIGN = "r" * 43, "m" * 43
NEW = with_link(session(status=SessionStatus.CREATED), link())
HELD = with_status(NEW, SessionStatus.OPENED, page_hash=digest(KEY), page_serial=1, seen_at=NOW, opened_at=NOW)
KEPT = replace(HELD, resume_hash=digest(VALUE))
COOKIE = ResumeKeeper.COOKIE


def start(
    one: Session,
    key: str = KEY,
    resume: str | None = None,
    keeper: ResumeKeeper = ResumeKeeper.FRAME,
    *,
    take_over: bool = False,
    silent: bool = False,
) -> Changes:
    asked = PageStart(resume=resume, keeper=keeper, take_over=take_over, silent=silent).with_key(key)
    return start_page(one, asked, NOW + 5, None)


def bound_by(changes: Changes) -> Session:
    (one,) = changes.sessions
    return one


def left(one: Session) -> Session:
    return bound_by(leave_page(one, KEY, "page", "closed", NOW + 1))


def gone(one: Session) -> Session:
    """Its page was not seen for a minute."""
    changes = exit_session(one, "page", "gone", NOW + 60)
    assert changes is not None
    return bound_by(changes)


# closed


@pytest.mark.parametrize(
    ("status", "refusal"),
    [(SessionStatus.REVOKED, Revoked), (SessionStatus.FAILED, SessionClosed), (SessionStatus.EXPIRED, Expired)],
)
def test_a_closed_session_starts_no_page(status: SessionStatus, refusal: type[MagiclinkError]) -> None:
    with pytest.raises(refusal):
        start(with_status(NEW, status))


# the first start, and a second page


def test_starting_binds_the_page_and_reveals_the_link_in_the_same_change() -> None:
    changes = start(NEW)
    (bound,) = changes.sessions
    assert holds_page_key(bound, KEY)
    assert (bound.status, bound.page_serial, bound.opened_at, bound.seen_at, bound.revealed_at) == (
        SessionStatus.OPENED,
        1,
        NOW + 5,
        NOW + 5,
        NOW + 5,
    )
    assert [(event.type, event.data) for event in changes.events] == [("session.opened", {"crossDevice": False})]


def test_the_provider_is_polled_soon_and_the_pages_absence_noticed() -> None:
    work = start(NEW).jobs
    assert Job(JobKind.RECONCILE, COMPANY.ref, 4.0, waited_for=True) in work
    assert Job(JobKind.PRESENCE, NEW.id, PRESENCE_SECONDS) in work


def test_of_a_page_without_a_script_no_heartbeat_is_missed() -> None:
    assert JobKind.PRESENCE not in {due.kind for due in start(NEW, silent=True).jobs}


def test_only_a_page_without_a_script_that_takes_over_ends_the_check_of_the_page_before() -> None:
    check = Job(JobKind.PRESENCE, HELD.id, PRESENCE_SECONDS)
    assert start(HELD, OTHER, take_over=True, silent=True).ended_jobs == (check,)
    others = start(HELD, OTHER, take_over=True), start(HELD, silent=True), start(NEW, silent=True)
    assert {changes.ended_jobs for changes in others} == {()}


def test_a_second_page_must_say_that_it_takes_over() -> None:
    with pytest.raises(AlreadyOpen):
        start(HELD, OTHER)


def test_taking_over_ends_the_page_before_and_emits_an_event() -> None:
    changes = start(HELD, OTHER, take_over=True)
    (bound,) = changes.sessions
    assert holds_page_key(bound, OTHER)
    assert not holds_page_key(bound, KEY)
    assert (bound.page_serial, bound.taken_over) == (2, True)
    assert changes.events[0].data == {"crossDevice": True}


def test_the_page_that_holds_the_session_may_start_again_without_taking_over() -> None:
    (bound,) = start(HELD).sessions
    assert (bound.page_serial, bound.taken_over, bound.opened_at) == (1, False, NOW)


def test_that_a_session_was_ever_taken_over_is_not_forgotten() -> None:
    (bound,) = start(replace(HELD, taken_over=True)).sessions
    assert bound.taken_over


def test_a_connected_session_stays_connected_when_its_page_is_opened_again() -> None:
    (bound,) = start(with_status(HELD, SessionStatus.CONNECTED)).sessions
    assert bound.status is SessionStatus.CONNECTED


def test_where_the_link_is_not_there_yet_it_is_made_and_nothing_is_revealed() -> None:
    changes = start(replace(NEW, link=None, link_status=LinkStatus.PENDING))
    assert Job(JobKind.PREPARE, NEW.id, waited_for=True) in changes.jobs
    assert changes.sessions[0].revealed_at is None
    assert changes.facts == ()


# the same page again


AFTER = {
    "while it is open": lambda one: one,
    "after it left": left,
    "after it was gone": gone,
    "when the session is connected": lambda one: with_status(one, SessionStatus.CONNECTED),
    "after it left a connected session": lambda one: left(with_status(one, SessionStatus.CONNECTED)),
}


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_the_same_page_starts_again_without_a_question_and_ends_the_page_before(after: Callable[..., Session]) -> None:
    changes = start(after(KEPT), OTHER, VALUE)
    bound = bound_by(changes)
    assert holds_page_key(bound, OTHER)
    assert not holds_page_key(bound, KEY)
    assert (bound.page_serial, bound.taken_over, bound.resumed_by_host) == (2, False, False)
    assert changes.events[0].data == {"crossDevice": False}


FINISHED_AND_ALONE = "after it left a connected session"
ASKED = {name: after for name, after in AFTER.items() if name != FINISHED_AND_ALONE}


@pytest.mark.parametrize("value", [None, "", FOREIGN, KEY, VALUE + "r", digest(VALUE)], ids=str)
@pytest.mark.parametrize("after", ASKED.values(), ids=ASKED)
def test_every_other_page_is_asked_and_then_another_whatever_became_of_the_first(
    after: Callable[..., Session], value: str | None
) -> None:
    with pytest.raises(AlreadyOpen):
        start(after(KEPT), OTHER, value)
    changes = start(after(KEPT), OTHER, value, take_over=True)
    assert bound_by(changes).taken_over
    assert changes.events[0].data == {"crossDevice": True}


@pytest.mark.parametrize("status", [SessionStatus.CONNECTED, SessionStatus.SUBMITTED])
@pytest.mark.parametrize(
    "alone", [left, lambda one: replace(one, seen_at=NOW - PRESENCE_SECONDS)], ids=["left", "gone"]
)
def test_a_finished_session_of_which_no_page_is_open_asks_nothing_and_is_reported_all_the_same(
    alone: Callable[..., Session], status: SessionStatus
) -> None:
    changes = start(alone(with_status(KEPT, status)), OTHER)
    assert bound_by(changes).taken_over
    assert changes.events[0].data == {"crossDevice": True}


def test_a_finished_session_whose_page_is_open_asks() -> None:
    with pytest.raises(AlreadyOpen):
        start(with_status(replace(KEPT, seen_at=NOW), SessionStatus.CONNECTED), OTHER)


def test_a_page_that_gave_no_value_is_asked_when_it_starts_again() -> None:
    assert bound_by(start(NEW)).resume_hash is None
    with pytest.raises(AlreadyOpen):
        start(left(HELD), OTHER, VALUE)


def test_only_the_digest_of_the_value_is_kept_and_leaving_does_not_clear_it() -> None:
    bound = bound_by(start(NEW, KEY, VALUE))
    assert bound.resume_hash == digest(VALUE) == left(bound).resume_hash == gone(bound).resume_hash
    assert VALUE not in repr(bound)


@pytest.mark.parametrize("value", [FOREIGN, None])
def test_taking_over_replaces_the_value_even_by_none(value: str | None) -> None:
    taken = bound_by(start(KEPT, OTHER, value, take_over=True))
    assert not resumes(taken, VALUE)
    with pytest.raises(AlreadyOpen):
        start(taken, "a-third-key", VALUE)


def test_a_page_that_took_over_starts_again_like_any_other() -> None:
    taken = bound_by(start(KEPT, OTHER, FOREIGN, take_over=True))
    assert bound_by(start(taken, "a-third-key", FOREIGN)).page_serial == 3


def test_a_start_whose_answer_was_lost_is_repeated_without_a_question() -> None:
    lost = bound_by(start(NEW, KEY, VALUE))
    assert not bound_by(start(lost, OTHER, VALUE)).taken_over


def test_the_value_opens_nothing_but_a_start() -> None:
    assert not holds_page_key(KEPT, VALUE)
    with pytest.raises(TakenOver):
        leave_page(KEPT, VALUE, "page", "left", NOW)


# what the host's page keeps


def test_a_value_that_the_hosts_page_kept_lets_the_page_through_and_is_named() -> None:
    first = bound_by(start(NEW, KEY, VALUE, ResumeKeeper.HOST))
    assert (first.resume_by_host, first.resumed_by_host) == (True, False)
    changes = start(left(first), OTHER, VALUE, ResumeKeeper.HOST)
    assert (bound_by(changes).resumed_by_host, bound_by(changes).taken_over) == (True, False)
    assert changes.events[0].data == {"crossDevice": False, "resumedBy": "host"}


@pytest.mark.parametrize("claimed", [ResumeKeeper.FRAME, COOKIE])
def test_a_script_that_read_the_hosts_value_cannot_pass_it_off_as_kept_elsewhere(claimed: ResumeKeeper) -> None:
    first = bound_by(start(NEW, KEY, VALUE, ResumeKeeper.HOST))
    key = VALUE if claimed is COOKIE else OTHER
    again = bound_by(start(left(first), key, VALUE, claimed))
    assert (again.resumed_by_host, again.resume_by_host) == (True, True)


def test_a_value_of_the_frame_that_the_host_hands_over_is_named_too() -> None:
    assert bound_by(start(KEPT, OTHER, VALUE, ResumeKeeper.HOST)).resumed_by_host


def test_that_the_host_once_let_a_page_through_is_not_forgotten() -> None:
    assert bound_by(start(replace(KEPT, resumed_by_host=True), OTHER, VALUE)).resumed_by_host


def test_a_page_that_still_holds_its_key_needed_no_value_of_the_host() -> None:
    kept = replace(KEPT, resume_by_host=True)
    again = bound_by(start(kept, KEY, VALUE, ResumeKeeper.HOST))
    assert (again.resumed_by_host, again.resume_by_host, again.page_serial) == (False, True, 1)
    assert bound_by(start(kept)).resume_by_host


def test_a_frames_value_that_replaces_the_hosts_is_the_frames() -> None:
    taken = bound_by(start(replace(KEPT, resume_by_host=True), OTHER, FOREIGN, take_over=True))
    assert not taken.resume_by_host


# the redirect flow


def test_a_cookie_is_page_key_and_value_in_one_and_starts_again_after_leaving() -> None:
    first = bound_by(start(NEW, KEY, keeper=COOKIE))
    again = bound_by(start(left(first), KEY, keeper=COOKIE))
    assert holds_page_key(again, KEY)
    assert (again.page_serial, again.taken_over, again.resumed_by_host) == (1, False, False)


def test_after_a_browser_left_another_is_asked_and_the_first_ones_cookie_ends() -> None:
    first = bound_by(start(NEW, KEY, keeper=COOKIE))
    with pytest.raises(AlreadyOpen):
        start(left(first), OTHER, keeper=COOKIE)
    taken = bound_by(start(left(first), OTHER, keeper=COOKIE, take_over=True))
    assert taken.taken_over
    assert not resumes(taken, KEY)


def test_one_form_sent_twice_is_one_page_and_another_form_is_not() -> None:
    key = page_key_of_form(NEW.id, "value-of-one-form")
    bound = bound_by(start(NEW, key, keeper=COOKIE))
    assert bound_by(start(bound, page_key_of_form(NEW.id, "value-of-one-form"), keeper=COOKIE)).page_serial == 1
    with pytest.raises(AlreadyOpen):
        start(bound, page_key_of_form(NEW.id, "value-of-another"), keeper=COOKIE)


# leaving


def test_a_page_that_says_good_bye_lets_go_even_of_a_connected_session() -> None:
    changes = leave_page(with_status(HELD, SessionStatus.CONNECTED), KEY, "page", "left", NOW)
    assert (changes.sessions[0].page_hash, changes.sessions[0].status) == (None, SessionStatus.CONNECTED)
    assert changes.events == ()
