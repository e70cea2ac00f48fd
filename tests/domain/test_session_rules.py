"""What the host and time do to a session: it expires, is revoked, is renewed."""

from dataclasses import replace

import pytest

from service.domain.changes import Fact, FactKind, Job, JobKind
from service.domain.model import LinkStatus, Session
from service.domain.provider_steps import LogStep
from service.domain.session_rules import (
    expire,
    renew,
    revoke,
    settle,
)
from service.domain.session_status import ACHIEVED, Progress, SessionStatus
from service.errors import SessionClosed
from tests.support.domain_values import (
    COMPANY,
    CREATED_AT,
    MAGIC,
    NOW,
    link,
    session,
    with_link,
    with_status,
)

ENDS = NOW + 3600
OVER = {SessionStatus.EXPIRED, SessionStatus.REVOKED, SessionStatus.FAILED}
OPEN = session()
INVITED = with_link(OPEN, link())
MAGICAL = with_link(OPEN, MAGIC)


# time


@pytest.mark.parametrize("status", sorted(set(SessionStatus) - OVER - ACHIEVED))
def test_a_session_whose_time_is_over_expires_emits_its_event_and_is_polled_once_more(status: SessionStatus) -> None:
    changes = expire(with_status(OPEN, status), ENDS)
    assert changes is not None
    assert changes.sessions[0].status is SessionStatus.EXPIRED
    assert [event.type for event in changes.events] == ["session.expired"]
    assert Job(JobKind.RECONCILE, COMPANY.ref) in changes.jobs


@pytest.mark.parametrize("status", sorted(OVER))
def test_what_is_closed_does_not_expire(status: SessionStatus) -> None:
    assert expire(with_status(OPEN, status), ENDS) is None


@pytest.mark.parametrize("status", sorted(ACHIEVED))
def test_what_its_user_has_achieved_stays_when_its_time_is_over_and_is_not_reported(status: SessionStatus) -> None:
    changes = expire(with_status(OPEN, status), ENDS)
    assert changes is not None
    (over,) = changes.sessions
    assert (over.status, over.over_at, over.closed) == (status, ENDS, False)
    assert (changes.events, changes.jobs) == ((), ())
    assert expire(over, ENDS + 1) is None


def test_a_session_whose_connection_still_asks_something_of_its_user_is_left_when_its_time_is_over() -> None:
    changes = expire(replace(OPEN, progress=Progress.ATTACHED), ENDS)
    assert changes is not None
    assert (changes.sessions[0].status, changes.sessions[0].closed) == (SessionStatus.EXITED, True)
    (event,) = changes.events
    assert (event.type, event.data["reason"]) == ("session.exited", "time")


@pytest.mark.parametrize("used_at", [None, NOW])
def test_the_end_of_a_session_says_whether_its_link_was_used_all_the_same(used_at: float | None) -> None:
    changes = expire(replace(INVITED, link_used_at=used_at), ENDS)
    assert changes is not None
    assert changes.events[0].data == {"linkUsed": used_at is not None}


# settling


def test_the_first_end_or_achievement_stays_and_reopening_clears_it() -> None:
    done = settle(replace(OPEN, progress=Progress.SUBMITTED), NOW)
    assert done.settled_at == NOW
    connected = settle(replace(done, progress=Progress.CONNECTED), NOW + 9)
    assert connected.settled_at == NOW
    assert settle(replace(connected, progress=Progress.NONE), NOW + 10).settled_at is None
    assert settle(replace(OPEN, left_at=NOW), NOW).settled_at is None


# revoke


@pytest.mark.parametrize("status", sorted(set(SessionStatus) - {SessionStatus.REVOKED}))
def test_a_session_is_revoked_at_once_whatever_it_was(status: SessionStatus) -> None:
    changes = revoke(with_status(OPEN, status), NOW, None)
    assert changes is not None
    assert (changes.sessions[0].status, changes.sessions[0].revoked_at) == (SessionStatus.REVOKED, NOW)
    assert [event.type for event in changes.events] == ["session.revoked"]


def test_revoking_again_changes_nothing() -> None:
    assert revoke(with_status(OPEN, SessionStatus.REVOKED), NOW, None) is None


def test_an_invitation_is_to_be_withdrawn_at_the_provider_and_needs_no_fact() -> None:
    changes = revoke(INVITED, NOW, CREATED_AT)
    assert changes is not None
    assert changes.facts == ()
    assert Job(JobKind.WITHDRAW, OPEN.id) in changes.jobs


def test_a_renewed_sessions_older_invitations_are_to_be_withdrawn_too() -> None:
    changes = revoke(replace(INVITED, link=None), NOW, None)
    assert changes is not None
    assert Job(JobKind.WITHDRAW, OPEN.id) in changes.jobs


@pytest.mark.parametrize(
    ("provider_now", "revoked_at"),
    [(None, MAGIC.provider_given_at), (CREATED_AT, CREATED_AT), (0.0, MAGIC.provider_given_at)],
)
def test_a_magic_link_cannot_be_withdrawn_so_the_providers_time_of_it_is_kept(
    provider_now: float | None, revoked_at: float
) -> None:
    changes = revoke(MAGICAL, NOW, provider_now)
    assert changes is not None
    assert changes.facts == (Fact(FactKind.REVOKED, session_id=OPEN.id, provider_at=revoked_at),)


def test_a_session_without_a_link_leaves_no_fact_when_it_is_revoked() -> None:
    changes = revoke(OPEN, NOW, None)
    assert changes is not None
    assert changes.facts == ()


# renew


def renewed(one: Session) -> Session:
    return renew(one, NOW + 600.7, "k9").sessions[0]


@pytest.mark.parametrize("status", [SessionStatus.REVOKED, SessionStatus.FAILED])
def test_what_is_revoked_or_failed_cannot_be_renewed(status: SessionStatus) -> None:
    with pytest.raises(SessionClosed, match=status.value):
        renew(with_status(OPEN, status), NOW, "k1")


def test_a_renewed_session_has_a_new_url_and_its_full_time_again() -> None:
    fresh = renewed(OPEN)
    assert (fresh.serial, fresh.issued_at, fresh.key_id) == (2, int(NOW) + 600, "k9")
    assert fresh.expires_at == int(NOW) + 600 + 3600


def test_five_renewals_keep_the_duration() -> None:
    one = OPEN
    for _ in range(5):
        one = renewed(one)
    assert one.expires_at - one.issued_at == 3600


@pytest.mark.parametrize(("opened_at", "status"), [(None, SessionStatus.CREATED), (NOW, SessionStatus.OPENED)])
def test_an_expired_session_is_open_again(opened_at: float | None, status: SessionStatus) -> None:
    assert renewed(with_status(OPEN, SessionStatus.EXPIRED, opened_at=opened_at)).status is status


@pytest.mark.parametrize("status", [SessionStatus.OPENED, SessionStatus.EXITED, SessionStatus.CONNECTED])
def test_otherwise_a_renewal_does_not_change_where_the_session_stands(status: SessionStatus) -> None:
    assert renewed(with_status(OPEN, status)).status is status


def test_an_invitation_ends_with_its_url_so_that_another_is_made() -> None:
    used = replace(INVITED, revealed_at=NOW, finished_at=NOW, link_used_at=NOW, provider_steps=(LogStep.VIEWED,))
    fresh = renewed(used)
    assert (fresh.link, fresh.link_status) == (None, LinkStatus.PENDING)
    assert (fresh.revealed_at, fresh.finished_at, fresh.link_used_at, fresh.provider_steps) == (None, None, None, ())


@pytest.mark.parametrize("link_status", list(LinkStatus))
def test_a_session_without_a_link_is_given_one(link_status: LinkStatus) -> None:
    assert renewed(replace(OPEN, link=None, link_status=link_status)).link_status is LinkStatus.PENDING


def test_a_magic_link_does_not_end_so_it_stays() -> None:
    fresh = renewed(replace(MAGICAL, revealed_at=NOW))
    assert (fresh.link, fresh.revealed_at) == (MAGIC, NOW)


def test_a_renewed_session_is_prepared_at_once_and_expires_at_its_new_end() -> None:
    work = renew(OPEN, NOW + 0.5, "k1").jobs
    assert Job(JobKind.PREPARE, OPEN.id) in work
    assert Job(JobKind.EXPIRE, OPEN.id, 3599.5) in work
