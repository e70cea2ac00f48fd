"""What a start and a good-bye leave in the session besides the page key: a phone's offer, its follower, the end."""

from dataclasses import replace

import pytest

from service.domain.changes import JobKind
from service.domain.page_starts import PageStart, ResumeKeeper, leave_page, start_page
from service.domain.session_status import SessionStatus
from service.domain.timing import GRACE_SECONDS
from service.domain.tokens import digest
from service.errors import AlreadyOpen
from tests.support.domain_values import NOW, link, session, with_link, with_status

KEY, OTHER, VALUE = "page-key-of-ada", "page-key-of-another-window", "r" * 43
FOLLOWER = digest("key-of-the-desktop")
NEW = with_link(session(status=SessionStatus.CREATED), link())
HELD = replace(
    with_status(NEW, SessionStatus.OPENED, page_hash=digest(KEY), page_serial=1, seen_at=NOW, opened_at=NOW),
    resume_hash=digest(VALUE),
    handoff_hash=digest("offer"),
    handoff_tries=3,
    follower_hash=FOLLOWER,
)


def test_a_start_takes_over_and_is_silent_only_where_it_says_so() -> None:
    with pytest.raises(AlreadyOpen):
        start_page(HELD, PageStart(page_key=OTHER), NOW, None)
    assert JobKind.PRESENCE in {job.kind for job in start_page(NEW, PageStart(page_key=KEY), NOW, None).jobs}


def test_where_the_value_is_kept_is_named_as_in_the_api() -> None:
    assert [*ResumeKeeper] == ["frame", "host", "cookie"]


@pytest.mark.parametrize("start", [PageStart(page_key=KEY), PageStart(page_key=OTHER, take_over=True)])
def test_every_start_ends_the_offer_to_a_phone_and_its_tries(start: PageStart) -> None:
    (bound,) = start_page(HELD, start, NOW, None).sessions
    assert (bound.handoff_hash, bound.handoff_tries) == (None, 0)


@pytest.mark.parametrize(
    ("start", "follower"),
    [
        (PageStart(page_key=KEY), FOLLOWER),
        (PageStart(page_key=VALUE, resume=VALUE, keeper=ResumeKeeper.COOKIE), FOLLOWER),
        (PageStart(page_key=OTHER, take_over=True), None),
        (PageStart(page_key=OTHER, resume="m" * 43, take_over=True), None),
    ],
)
def test_only_the_same_page_leaves_its_desktop_as_the_follower(start: PageStart, follower: str | None) -> None:
    (bound,) = start_page(HELD, start, NOW, None).sessions
    assert bound.follower_hash == follower


def test_a_page_that_starts_again_by_its_key_keeps_the_value_that_it_gave() -> None:
    (bound,) = start_page(HELD, PageStart(page_key=KEY), NOW, None).sessions
    assert bound.resume_hash == digest(VALUE)


def test_a_value_of_the_frame_is_not_the_hosts() -> None:
    (bound,) = start_page(HELD, PageStart(page_key=OTHER, resume=VALUE), NOW, None).sessions
    assert not bound.resume_by_host


def test_a_user_who_left_and_comes_back_has_not_left() -> None:
    (left,) = leave_page(HELD, KEY, "provider", "closed", NOW).sessions
    assert left.status is SessionStatus.EXITED
    (bound,) = start_page(left, PageStart(page_key=OTHER, resume=VALUE), NOW, None).sessions
    assert (bound.status, bound.left_at) == (SessionStatus.OPENED, None)


def test_after_the_sessions_time_a_finished_one_is_bound_and_polled_without_its_link() -> None:
    connected = with_status(HELD, SessionStatus.CONNECTED)
    changes = start_page(connected, PageStart(page_key=KEY), connected.expires_at + GRACE_SECONDS, None)
    (bound,) = changes.sessions
    assert (bound.page_hash, bound.revealed_at) == (digest(KEY), None)
    assert {job.kind for job in changes.jobs} == {JobKind.RECONCILE, JobKind.PRESENCE}
    assert [event.type for event in changes.events] == ["session.opened"]


def test_a_good_bye_says_where_and_why_and_ends_the_offer_to_a_phone() -> None:
    changes = leave_page(HELD, KEY, "provider", "closed", NOW)
    (left,) = changes.sessions
    (event,) = changes.events
    assert (left.page_hash, left.handoff_hash) == (None, None)
    assert (event.type, event.data["stage"], event.data["reason"]) == ("session.exited", "provider", "closed")
