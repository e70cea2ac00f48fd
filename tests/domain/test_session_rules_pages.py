"""What its pages do to a session: start, take over, reveal, say they are finished, stay, leave."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind, Job, JobKind
from service.domain.model import LinkStatus, Mode, Session
from service.domain.session_rules import (
    exit_session,
    finish,
    holds_page_key,
    leave_page,
    raise_if_closed,
    record_presence,
    require_page_key,
    reveal_link,
    start_page,
)
from service.domain.session_status import SessionStatus
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS
from service.domain.tokens import digest
from service.errors import AlreadyOpen, Expired, MagiclinkError, NotFound, Revoked, SessionClosed, TakenOver
from tests.support.domain_values import (
    COMPANY,
    CONNECTION,
    CREATED_AT,
    MAGIC,
    NOW,
    link,
    session,
    with_link,
    with_status,
)

KEY, OTHER = "page-key-of-ada", "page-key-of-another-window"
ENDS = NOW + 3600
NEW = with_link(session(status=SessionStatus.CREATED), link())
HELD = with_status(NEW, SessionStatus.OPENED, page_hash=digest(KEY), page_serial=1, seen_at=NOW, opened_at=NOW)


def start(one: Session, key: str = KEY, *, take_over: bool = False, silent: bool = False) -> Changes:
    return start_page(one, key, NOW + 5, None, take_over=take_over, silent=silent)


# who holds the page


def test_only_the_page_that_started_holds_the_session() -> None:
    assert holds_page_key(HELD, KEY)
    assert not holds_page_key(HELD, OTHER)
    assert not holds_page_key(NEW, KEY)


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_a_page_has_not_started(key: str | None) -> None:
    with pytest.raises(NotFound):
        require_page_key(HELD, key)


def test_where_no_page_is_bound_no_key_helps() -> None:
    with pytest.raises(NotFound):
        require_page_key(NEW, KEY)


def test_an_older_pages_key_is_refused_as_taken_over() -> None:
    with pytest.raises(TakenOver):
        require_page_key(HELD, OTHER)
    require_page_key(HELD, KEY)


# closed


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (SessionStatus.REVOKED, Revoked),
        (SessionStatus.FAILED, SessionClosed),
        (SessionStatus.EXPIRED, Expired),
    ],
)
def test_a_closed_session_is_refused_by_name_everywhere(status: SessionStatus, refusal: type[MagiclinkError]) -> None:
    with pytest.raises(refusal):
        raise_if_closed(with_status(NEW, status), NOW)
    with pytest.raises(refusal):
        start(with_status(NEW, status))


def test_a_session_whose_time_is_over_is_refused_before_anything_expired_it() -> None:
    raise_if_closed(NEW, ENDS - 0.1)
    with pytest.raises(Expired):
        raise_if_closed(NEW, ENDS)


def test_a_page_that_is_going_on_has_the_grace() -> None:
    raise_if_closed(replace(HELD, seen_at=ENDS), ENDS + 1)
    with pytest.raises(Expired):
        raise_if_closed(replace(HELD, seen_at=ENDS), ENDS + PRESENCE_SECONDS)
    with pytest.raises(Expired):
        raise_if_closed(replace(HELD, seen_at=ENDS + GRACE_SECONDS), ENDS + GRACE_SECONDS)


def test_what_is_connected_may_be_opened_later() -> None:
    raise_if_closed(with_status(HELD, SessionStatus.CONNECTED), ENDS + 99999)


# start


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


def test_after_a_page_let_go_the_next_one_need_not_take_over() -> None:
    (gone,) = leave_page(HELD, KEY, "page", "reload", NOW).sessions
    (bound,) = start(gone, OTHER).sessions
    assert holds_page_key(bound, OTHER)
    assert (bound.page_serial, bound.taken_over) == (2, False)


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


# reveal


@pytest.mark.parametrize(
    ("provider_now", "revealed_at"),
    [(None, MAGIC.provider_given_at), (CREATED_AT, CREATED_AT), (0.0, MAGIC.provider_given_at)],
)
def test_revealing_a_magic_link_is_a_fact_at_the_providers_time(provider_now: float | None, revealed_at: float) -> None:
    changes = reveal_link(with_link(NEW, MAGIC), NOW, provider_now)
    assert changes.facts == (Fact(FactKind.REVEALED, None, NEW.id, provider_at=revealed_at),)


def test_revealing_an_edit_link_names_the_connection_it_reconnects() -> None:
    mending = with_link(NEW, MAGIC, mode=Mode.RECONNECT, connection_id=CONNECTION)
    assert reveal_link(mending, NOW, None).facts[0].connection_id == CONNECTION


def test_revealing_an_invitation_is_no_fact_for_it_says_itself_what_it_made() -> None:
    assert reveal_link(NEW, NOW, None).facts == ()


def test_a_link_is_revealed_once_at_its_first_time() -> None:
    changes = reveal_link(with_link(NEW, MAGIC, revealed_at=NOW - 60), NOW, CREATED_AT)
    assert changes.facts == ()
    assert changes.sessions[0].revealed_at == NOW - 60


# finished


def test_saying_finished_emits_one_event_and_polls_each_time() -> None:
    first = finish(HELD, KEY, NOW + 9, None)
    assert [event.type for event in first.events] == ["session.finished"]
    again = finish(first.sessions[0], KEY, NOW + 10, None)
    assert again.events == ()
    assert first.jobs == again.jobs == (Job(JobKind.RECONCILE, COMPANY.ref, waited_for=True),)
    assert again.sessions[0].finished_at == NOW + 10


def test_saying_finished_brings_back_a_session_that_was_left() -> None:
    (back,) = finish(with_status(HELD, SessionStatus.EXITED), KEY, NOW, None).sessions
    assert back.status is SessionStatus.OPENED


def test_a_users_word_is_never_evidence() -> None:
    changes = finish(HELD, KEY, NOW, None)
    assert (changes.facts, changes.connections, changes.attachments) == ((), (), ())
    assert changes.sessions[0].status is SessionStatus.OPENED


ACTS: list[Callable[[str | None], Changes]] = [
    lambda key: finish(HELD, key, NOW, None),
    lambda key: record_presence(HELD, key, NOW),
    lambda key: leave_page(HELD, key, "page", "left", NOW),
]


@pytest.mark.parametrize("act", ACTS)
def test_only_the_bound_page_may_say_finished_stay_or_leave(act: Callable[[str | None], Changes]) -> None:
    with pytest.raises(TakenOver):
        act(OTHER)
    with pytest.raises(NotFound):
        act(None)


def test_a_revoked_session_says_so_to_its_page() -> None:
    gone = with_status(HELD, SessionStatus.REVOKED)
    with pytest.raises(Revoked):
        finish(gone, KEY, NOW, None)
    with pytest.raises(Revoked):
        record_presence(gone, KEY, NOW)


def test_an_expired_session_says_so_to_its_page() -> None:
    with pytest.raises(Expired):
        record_presence(with_status(HELD, SessionStatus.EXPIRED), KEY, NOW)


# staying and leaving


def test_a_heartbeat_is_recorded_and_emits_no_event() -> None:
    changes = record_presence(HELD, KEY, NOW + 30)
    assert changes.sessions[0].seen_at == NOW + 30
    assert changes.events == ()


def test_a_heartbeat_brings_back_a_session_that_was_thought_left() -> None:
    changes = record_presence(with_status(HELD, SessionStatus.EXITED), KEY, NOW)
    assert changes.sessions[0].status is SessionStatus.OPENED
    assert changes.events[0].data == {"back": True}
    assert Job(JobKind.PRESENCE, HELD.id, PRESENCE_SECONDS) in changes.jobs


def test_leaving_emits_its_stage_and_reason_and_polls_the_provider() -> None:
    changes = exit_session(HELD, "provider", "closed", NOW)
    assert changes is not None
    assert changes.sessions[0].status is SessionStatus.EXITED
    assert changes.events[0].data == {"stage": "provider", "reason": "closed"}
    assert changes.jobs == (Job(JobKind.RECONCILE, COMPANY.ref),)


@pytest.mark.parametrize("status", sorted(set(SessionStatus) - {SessionStatus.OPENED}))
def test_only_an_open_session_can_be_left(status: SessionStatus) -> None:
    assert exit_session(with_status(HELD, status), "page", "left", NOW) is None


def test_a_page_that_says_good_bye_lets_go_even_of_a_connected_session() -> None:
    changes = leave_page(with_status(HELD, SessionStatus.CONNECTED), KEY, "page", "left", NOW)
    assert (changes.sessions[0].page_hash, changes.sessions[0].status) == (None, SessionStatus.CONNECTED)
    assert changes.events == ()
