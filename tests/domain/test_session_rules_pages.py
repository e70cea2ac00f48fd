"""What its pages do to a session: hold it, reveal, say they are finished, stay."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind, Job, JobKind
from service.domain.model import Mode, Session
from service.domain.page_starts import leave_page
from service.domain.session_rules import (
    exit_session,
    finish,
    holds_page_key,
    raise_if_closed,
    record_presence,
    require_page_key,
    reveal_link,
)
from service.domain.session_status import Progress, SessionStatus
from service.domain.timing import (
    GRACE_SECONDS,
    POLL_FINISHED_SECONDS,
    POLL_PRESENT_SECONDS,
    PRESENCE_SECONDS,
    RECENT_SECONDS,
)
from service.domain.tokens import digest
from service.errors import Expired, MagiclinkError, NotFound, Revoked, SessionClosed, TakenOver
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


def finished(held: Session, now: float, key: str | None = KEY) -> Changes:
    changes = finish(held, key, now, None)
    assert changes is not None
    return changes


def test_saying_finished_emits_one_event_and_polls_each_time() -> None:
    first = finished(HELD, NOW + 9)
    assert [event.type for event in first.events] == ["session.finished"]
    again = finished(first.sessions[0], NOW + 10)
    assert again.events == ()
    assert first.jobs == again.jobs == (Job(JobKind.RECONCILE, COMPANY.ref, POLL_FINISHED_SECONDS, waited_for=True),)
    assert again.sessions[0].finished_at == NOW + 10


def test_saying_finished_brings_back_a_session_that_was_left_and_emits_that_each_time() -> None:
    first = finished(with_status(HELD, SessionStatus.EXITED), NOW)
    assert first.sessions[0].status is SessionStatus.OPENED
    assert [event.type for event in first.events] == ["session.opened", "session.finished"]
    again = finished(with_status(first.sessions[0], SessionStatus.EXITED), NOW)
    assert again.sessions[0].status is SessionStatus.OPENED
    assert [(event.type, event.data) for event in again.events] == [("session.opened", {"back": True})]


def test_saying_finished_opens_no_session_whose_time_is_over() -> None:
    over = replace(HELD, over_at=NOW, finished_at=NOW, progress=Progress.ATTACHED)
    assert over.status is SessionStatus.EXITED
    assert finished(over, NOW).events == ()


def test_a_users_word_is_never_evidence() -> None:
    changes = finished(HELD, NOW)
    assert (changes.facts, changes.connections, changes.attachments) == ((), (), ())
    assert changes.sessions[0].status is SessionStatus.OPENED


ACTS: list[Callable[[str | None], Changes]] = [
    lambda key: finished(HELD, NOW, key),
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


def test_once_the_grace_is_over_nothing_can_be_finished_any_more() -> None:
    last = HELD.expires_at + GRACE_SECONDS
    assert finished(HELD, last).sessions[0].finished_at == last
    with pytest.raises(Expired):
        finish(HELD, KEY, last + 1, None)
    # A used invitation has not named its account yet.
    waiting = replace(HELD, link_used_at=NOW)
    assert finished(waiting, last + 1).jobs != ()
    assert finish(with_status(HELD, SessionStatus.CONNECTED), KEY, last + 1, None) is None


# staying and leaving


def test_a_heartbeat_is_recorded_and_emits_no_event() -> None:
    changes = record_presence(HELD, KEY, NOW + 30)
    assert changes.sessions[0].seen_at == NOW + 30
    assert changes.events == ()


@pytest.mark.parametrize(("away_seconds", "polls"), [(RECENT_SECONDS, 0), (RECENT_SECONDS + 1, 1)])
def test_a_page_that_is_back_after_more_than_ten_minutes_is_polled_for_soon(away_seconds: float, polls: int) -> None:
    changes = record_presence(replace(HELD, seen_at=NOW - away_seconds), KEY, NOW)
    poll = Job(JobKind.RECONCILE, COMPANY.ref, POLL_PRESENT_SECONDS, waited_for=True)
    assert changes.jobs.count(poll) == len(changes.jobs) - 1 == polls


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
