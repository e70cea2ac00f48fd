"""Until when a session is open, shows its link, and signs states and results."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes
from service.domain.model import SessionId
from service.domain.session_rules import raise_if_closed, renew, revoke
from service.domain.session_status import ACHIEVED, Progress, SessionStatus
from service.domain.session_time import (
    can_sign,
    ends_at,
    is_present,
    link_can_be_shown,
    seconds_left,
    token_expired,
)
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS, RESULT_DAY_SECONDS, UNDECIDED_SECONDS
from service.domain.tokens import PageToken
from tests.support.domain_values import NOW, link, session, with_link, with_status

ENDS = NOW + 3600
OPEN = session()
INVITED = with_link(OPEN, link())


@pytest.mark.parametrize(("age", "there"), [(0.0, True), (PRESENCE_SECONDS - 0.1, True), (PRESENCE_SECONDS, False)])
def test_a_page_is_present_for_a_minute_after_its_last_word(age: float, there: bool) -> None:  # noqa: FBT001
    assert is_present(replace(OPEN, seen_at=NOW), NOW + age) == there


def test_a_page_that_never_said_a_word_is_not_present() -> None:
    assert not is_present(OPEN, NOW)


def test_before_its_end_a_session_has_the_time_up_to_it() -> None:
    assert seconds_left(OPEN, ENDS - 10) == 10


def test_at_its_end_a_session_that_nobody_uses_has_no_time_left() -> None:
    assert seconds_left(OPEN, ENDS) <= 0


def test_a_present_page_has_the_grace_and_is_asked_about_every_minute() -> None:
    assert seconds_left(replace(OPEN, seen_at=ENDS - 1), ENDS) == PRESENCE_SECONDS
    late = ENDS + GRACE_SECONDS - 5
    assert seconds_left(replace(OPEN, seen_at=late), late) == 5


def test_who_said_to_be_finished_has_the_grace_while_it_is_not_recorded() -> None:
    finished = replace(OPEN, finished_at=NOW)
    assert seconds_left(finished, ENDS) == PRESENCE_SECONDS
    assert seconds_left(with_status(finished, SessionStatus.EXITED), ENDS) <= 0


def test_the_grace_ends() -> None:
    busy = replace(OPEN, seen_at=ENDS + GRACE_SECONDS, finished_at=NOW)
    assert seconds_left(busy, ENDS + GRACE_SECONDS) <= 0


def test_a_used_invitation_that_named_nothing_yet_keeps_the_session_for_a_day() -> None:
    used = replace(INVITED, link_used_at=NOW + 60)
    assert ends_at(used, ENDS) == NOW + 60 + UNDECIDED_SECONDS
    raise_if_closed(used, ENDS + GRACE_SECONDS + 1)
    assert not link_can_be_shown(used, ENDS + GRACE_SECONDS)
    assert ends_at(replace(used, progress=Progress.ATTACHED), ENDS) == ENDS
    assert ends_at(replace(used, expires_at=NOW + 2 * UNDECIDED_SECONDS), NOW) == NOW + 2 * UNDECIDED_SECONDS


@pytest.mark.parametrize("status", sorted(ACHIEVED))
def test_an_achieved_session_shows_its_link_until_its_time_and_the_grace_are_over(status: SessionStatus) -> None:
    done = with_status(OPEN, status)
    assert link_can_be_shown(done, ENDS + GRACE_SECONDS - 1)
    assert not link_can_be_shown(done, ENDS + GRACE_SECONDS)


def test_a_page_signs_until_a_day_after_the_users_part_was_done_or_the_end() -> None:
    done = replace(OPEN, settled_at=NOW)
    assert can_sign(OPEN, ENDS + RESULT_DAY_SECONDS - 1)
    assert not can_sign(OPEN, ENDS + RESULT_DAY_SECONDS)  # before the job that expires it has run
    assert can_sign(done, NOW + RESULT_DAY_SECONDS - 1)
    assert not can_sign(done, NOW + RESULT_DAY_SECONDS)
    late = replace(OPEN, settled_at=ENDS + 500, over_at=ENDS + 500)
    assert can_sign(late, ENDS + RESULT_DAY_SECONDS - 1)
    assert not can_sign(late, ENDS + RESULT_DAY_SECONDS)


def test_a_revoked_session_signs_nothing() -> None:
    (revoked,) = (revoke(OPEN, NOW, None) or Changes()).sessions
    assert not can_sign(revoked, NOW)


def test_the_newest_url_ends_with_its_session() -> None:
    assert not token_expired(OPEN, PageToken(OPEN.id, 1, int(NOW)), NOW + 99999)


def test_an_older_url_keeps_the_end_it_had() -> None:
    fresh, older = renew(OPEN, NOW + 600.7, "k9").sessions[0], PageToken(SessionId(OPEN.id), 1, int(NOW))
    assert not token_expired(fresh, older, NOW + 3599)
    assert token_expired(fresh, older, NOW + 3600)
