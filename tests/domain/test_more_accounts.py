"""Another account in the same session: when its page may ask for the next invitation, and what that leaves as it is."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.changes import Job, JobKind
from service.domain.model import Link, LinkKind, LinkStatus, Mode, Session
from service.domain.more_accounts import AnotherAccount, another_of, ask_for_another, count_asked_again, give_up_another
from service.domain.session_rules import renew
from service.domain.session_status import Progress
from service.domain.timing import GRACE_SECONDS
from service.domain.tokens import digest
from service.errors import NotFound, Revoked, TakenOver
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import MAGIC, NOW, invitation, link, seen, session, with_link

KEY = "page-key"


def connected(**fields: Any) -> Session:
    """A session whose first account works, by its invitation; it may have three."""
    plain: dict[str, Any] = {
        "max_connections": 3,
        "progress": Progress.CONNECTED,
        "page_hash": digest(KEY),
        "revealed_at": NOW,
    }
    plain |= {"finished_at": NOW, "link_used_at": NOW, "opened_at": NOW}
    return replace(with_link(session("ada"), link(invitation_id="inv_1")), **(plain | fields))


def asked(before: Session, recorded: int = 1) -> Session | None:
    changes = ask_for_another(before, KEY, recorded, NOW + 1)
    return changes.sessions[0] if changes is not None else None


@pytest.mark.parametrize(("key", "error"), [(None, NotFound), ("another-pages", TakenOver)])
def test_only_the_page_that_is_bound_may_ask(key: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask_for_another(connected(), key, 1, NOW)


def test_a_revoked_session_gives_no_further_link() -> None:
    with pytest.raises(Revoked):
        ask_for_another(connected(revoked_at=NOW), KEY, 1, NOW)


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({"max_connections": 1}, 1),
        ({}, 0),  # what it had was taken away
        ({"progress": Progress.ATTACHED}, 1),  # something is still asked of the user
        ({"mode": Mode.RECONNECT}, 1),
        ({"link_kind": LinkKind.MAGIC_LINK}, 1),
        ({"more_asked": 2}, 3),
        ({"more_asked": 1}, 3),  # its provider recorded two for one use
        ({"expires_at": NOW - GRACE_SECONDS}, 1),
    ],
)
def test_without_room_time_or_a_recorded_account_nothing_is_made(fields: dict[str, Any], recorded: int) -> None:
    assert asked(connected(**fields), recorded) is None
    assert another_of(connected(**fields), recorded, NOW) is None


def test_the_next_link_is_made_and_what_was_reached_stays() -> None:
    before = connected()
    changes = ask_for_another(before, KEY, 1, NOW + 1)
    assert changes is not None
    (after,) = changes.sessions
    assert (after.more_asked, after.link, after.link_status) == (1, None, LinkStatus.PENDING)
    assert (after.revealed_at, after.finished_at, after.link_used_at) == (None, None, None)
    assert (after.status, after.settled_at, after.page_hash) == (before.status, before.settled_at, before.page_hash)
    assert changes.jobs == (Job(JobKind.PREPARE, before.id, waited_for=True),)
    assert changes.events == ()


def test_a_second_click_changes_nothing_until_the_account_is_recorded() -> None:
    after = asked(connected())
    assert after is not None
    assert another_of(after, 1, NOW + 1) is AnotherAccount.ASKED
    assert asked(after) is None
    assert another_of(after, 2, NOW + 1) is AnotherAccount.POSSIBLE
    last = asked(after, 2)
    assert last is not None
    assert another_of(last, 2, NOW + 1) is AnotherAccount.ASKED
    assert another_of(last, 3, NOW + 1) is None


def test_a_refused_further_link_leaves_the_session_as_it_was_and_may_be_asked_for_again() -> None:
    after = asked(connected())
    assert after is not None
    changes = give_up_another(after)
    assert changes is not None
    (without,) = changes.sessions
    assert (without.status, without.failure, without.link_status) == (after.status, None, LinkStatus.FAILED)
    assert another_of(without, 1, NOW + 1) is AnotherAccount.POSSIBLE
    assert give_up_another(connected()) is None


def test_the_use_of_the_first_invitation_is_not_taken_for_a_use_of_the_second() -> None:
    second = with_link(asked(connected()) or connected(), link(invitation_id="inv_2"))
    company = RecordedCompany(second)
    company.take(seen("account-1"), invitation("inv_1", "account-1"), invitation("inv_2", uses=0))
    assert company.sessions[second.id].link_used_at is None
    company.take(seen("account-1"), invitation("inv_1", "account-1"), invitation("inv_2", uses=1))
    assert company.sessions[second.id].link_used_at is not None


def test_an_expired_second_invitation_is_replaced_like_a_first_one() -> None:
    second = with_link(asked(connected()) or connected(), link(invitation_id="inv_2"))
    company = RecordedCompany(second)
    company.take(replace(invitation("inv_2", uses=0), status="EXPIRED"))
    assert company.sessions[second.id].link_status is LinkStatus.PENDING


@pytest.mark.parametrize(
    ("used_at", "link_then", "awaited"),
    [(None, link(invitation_id="inv_2"), 0), (NOW, link(invitation_id="inv_2"), 1), (None, MAGIC, 1)],
)
def test_a_renewal_takes_an_unused_further_invitation_away_and_its_page_may_ask_again(
    used_at: float | None, link_then: Link, awaited: int
) -> None:
    second = replace(
        asked(connected()) or connected(), link=link_then, link_status=LinkStatus.READY, link_used_at=used_at
    )
    fresh = renew(second, NOW + 600, "k9").sessions[0]
    assert fresh.more_asked == awaited
    again = renew(fresh, NOW + 700, "k9").sessions[0]
    assert again.more_asked == awaited
    expected = AnotherAccount.ASKED if awaited else AnotherAccount.POSSIBLE
    assert another_of(again, 1, NOW + 700) is expected


def test_a_renewal_leaves_a_further_link_that_is_being_made() -> None:
    second = asked(connected()) or connected()
    fresh = renew(second, NOW + 600, "k9").sessions[0]
    assert (fresh.more_asked, fresh.link_status) == (1, LinkStatus.PENDING)


def test_a_renewal_of_a_session_that_asked_for_nothing_counts_nothing() -> None:
    assert renew(connected(link_used_at=None), NOW + 600, "k9").sessions[0].more_asked == 0


@pytest.mark.parametrize(
    ("asked", "left", "fields", "awaited"),
    [
        (1, 1, {}, 0),  # the further account is recorded: nothing more is asked for
        (1, 1, {"link_used_at": None}, 1),  # its invitation is still unused
        (2, 1, {"link_used_at": None}, 1),
        (2, 1, {"link_used_at": None, "link": None, "link_status": LinkStatus.PENDING}, 1),
        (2, 1, {"link_used_at": None, "link": None}, 0),
        (1, 0, {"link_used_at": None}, 0),  # this invitation is for the first account now
        (1, 0, {}, 0),
        (0, 1, {"link_used_at": None}, 0),
    ],
)
def test_what_is_asked_for_when_a_connection_was_taken_away(
    asked: int, left: int, fields: dict[str, Any], awaited: int
) -> None:
    assert count_asked_again(connected(**{"more_asked": asked} | fields), left).more_asked == awaited
