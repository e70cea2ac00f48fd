"""An invitation that was revoked at the provider, or expired there: whose session fails, and whose gets another."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.changes import Fact, FactKind, Job, JobKind
from service.domain.model import EvidenceKind, InvitationId, LinkStatus, ReportedInvitation, Session
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, NOW, invitation, link, row, seen, session, with_link, with_status

ADA = with_link(session("ada"), link(invitation_id="inv_ada"))


def revoked(name: str = "inv_ada", **fields: Any) -> ReportedInvitation:
    return replace(invitation(name, uses=0), status="REVOKED", **fields)


def after(owner: Session, *invitations: ReportedInvitation) -> RecordedCompany:
    company = RecordedCompany(owner)
    company.take(*invitations)
    return company


def test_the_session_of_an_unused_invitation_fails_and_the_log_says_why() -> None:
    company = after(ADA, revoked())
    failed = company.sessions[ADA.id]
    assert (failed.status, failed.failure) == (SessionStatus.FAILED, "link_revoked")
    (event,) = company.events
    assert (event.type, event.session_id, event.data) == ("session.failed", ADA.id, {"code": "link_revoked"})


def test_the_same_snapshot_again_changes_nothing() -> None:
    company = after(ADA, revoked())
    assert company.take(revoked()).events == ()


@pytest.mark.parametrize("status", ["ACTIVE", "FULFILLED", "UNKNOWN"])
def test_with_another_status_it_is_not_dead(status: str) -> None:
    assert after(ADA, replace(revoked(), status=status)).sessions[ADA.id] == ADA


@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED", "FULFILLED"])
@pytest.mark.parametrize("used", [{"use_count": 1}, {"doubtful": True}, {"created": frozenset({CONNECTION})}])
def test_a_used_invitation_is_waited_for(status: str, used: dict[str, Any]) -> None:
    company = after(ADA, replace(revoked(**used), status=status))
    assert replace(company.sessions[ADA.id], link_used_at=None) == ADA
    assert company.events == []


@pytest.mark.parametrize("name", ["inv_of_before_the_renewal", "inv_of_an_operator"])
def test_an_invitation_that_is_not_the_sessions_link_does_not_matter(name: str) -> None:
    assert after(ADA, revoked(name)).sessions[ADA.id] == ADA


def test_nor_does_one_of_a_session_whose_next_link_is_being_made() -> None:
    company = RecordedCompany(ADA)
    records = replace(company.records(), by_invitation={InvitationId("inv_before"): ADA.id})
    company.records = lambda: records  # type: ignore[method-assign]
    company.take(revoked("inv_before"))
    assert company.sessions[ADA.id] == ADA


@pytest.mark.parametrize("link_of_it", [None, link(invitation_id="inv_new")])
def test_an_earlier_invitation_of_the_session_does_not_fail_it(link_of_it: Any) -> None:
    owner = replace(ADA, link=link_of_it)
    company = RecordedCompany(owner)
    records = replace(company.records(), by_invitation={InvitationId("inv_ada"): owner.id})
    company.records = lambda: records  # type: ignore[method-assign]
    company.take(revoked())
    assert company.sessions[owner.id] == owner


@pytest.mark.parametrize("status", [SessionStatus.EXPIRED, SessionStatus.REVOKED, SessionStatus.CONNECTED])
def test_a_session_that_is_closed_or_connected_stays_as_it_is(status: SessionStatus) -> None:
    owner = with_status(ADA, status)
    assert after(owner, revoked()).sessions[ADA.id] == owner


@pytest.mark.parametrize("status", [SessionStatus.CREATED, SessionStatus.OPENED, SessionStatus.EXITED])
def test_a_session_that_may_still_be_used_fails(status: SessionStatus) -> None:
    assert after(with_status(ADA, status), revoked()).sessions[ADA.id].status is SessionStatus.FAILED


def test_a_connection_that_comes_late_all_the_same_connects_it() -> None:
    company = after(ADA, revoked())
    company.take(seen(), replace(invitation("inv_ada", CONNECTION), status="REVOKED"))
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


@pytest.mark.parametrize("asked", [1, 2])
def test_the_link_of_a_further_account_that_expired_unused_is_replaced_although_the_first_is_connected(
    asked: int,
) -> None:
    owner = replace(with_status(ADA, SessionStatus.CONNECTED), more_asked=asked)
    fresh = after(owner, expired()).sessions[ADA.id]
    assert (fresh.status, fresh.link, fresh.link_status) == (SessionStatus.CONNECTED, None, LinkStatus.PENDING)


def test_the_link_of_a_further_account_is_not_replaced_once_its_use_was_reported() -> None:
    owner = replace(with_status(ADA, SessionStatus.CONNECTED), more_asked=1, link_used_at=NOW)
    assert after(owner, expired()).sessions[ADA.id] == owner


@pytest.mark.parametrize("status", [SessionStatus.SUBMITTED, SessionStatus.CONNECTED])
def test_the_link_of_a_further_account_that_was_revoked_is_given_up_and_fails_nothing(status: SessionStatus) -> None:
    owner = replace(with_status(ADA, status), more_asked=2)
    company = after(owner, revoked())
    left = company.sessions[owner.id]
    assert (left.status, left.failure, left.settled_at) == (status, None, owner.settled_at)
    assert (left.link, left.link_status, left.more_asked) == (None, LinkStatus.FAILED, 1)
    assert company.event_types() == []
    assert company.take(revoked()).sessions == ()


def test_the_fourth_link_of_a_further_account_that_expires_is_given_up_too() -> None:
    company = RecordedCompany(replace(with_status(ADA, SessionStatus.CONNECTED), more_asked=1))
    for number in range(4):
        company.take(expired(f"inv_{number}" if number else "inv_ada"))
        if number < 3:
            give_again(company, f"inv_{number + 1}")
    left = company.sessions[ADA.id]
    assert (left.status, left.link_status, left.more_asked) == (SessionStatus.CONNECTED, LinkStatus.FAILED, 0)
    assert company.event_types() == ["session.link_expired"] * 3


# expired


def expired(name: str = "inv_ada", **fields: Any) -> ReportedInvitation:
    return replace(revoked(name, **fields), status="EXPIRED")


def test_an_unused_one_that_expired_is_replaced_and_the_page_knows_no_url_until_the_next_is_there() -> None:
    company = RecordedCompany(replace(ADA, revealed_at=NOW, finished_at=NOW))
    changes = company.take(expired())
    fresh = company.sessions[ADA.id]
    assert (fresh.status, fresh.failure) == (SessionStatus.OPENED, None)
    assert (fresh.link, fresh.link_status, fresh.revealed_at, fresh.finished_at) == (
        None,
        LinkStatus.PENDING,
        None,
        None,
    )
    assert [event.type for event in changes.events] == ["session.link_expired"]
    assert changes.jobs == (Job(JobKind.PREPARE, ADA.id, waited_for=True),)


def give_again(company: RecordedCompany, name: str) -> None:
    company.sessions[ADA.id] = with_link(company.sessions[ADA.id], link(invitation_id=name))


def test_three_are_replaced_and_the_fourth_fails_the_session() -> None:
    company = RecordedCompany(ADA)
    for number in range(3):
        company.take(expired(f"inv_{number}" if number else "inv_ada"))
        assert company.sessions[ADA.id].link is None
        give_again(company, f"inv_{number + 1}")
    company.take(expired("inv_3"))
    failed = company.sessions[ADA.id]
    assert (failed.status, failed.failure) == (SessionStatus.FAILED, "link_expired")
    assert company.event_types() == ["session.link_expired"] * 3 + ["session.failed"]


def test_another_sessions_replacements_are_not_counted() -> None:
    bob = with_link(session("bob"), link(invitation_id="inv_bob"))
    company = RecordedCompany(ADA, bob)
    for number in range(3):
        company.take(expired(f"inv_{number}" if number else "inv_ada"))
        give_again(company, f"inv_{number + 1}")
    company.take(expired("inv_bob"))
    assert company.sessions[bob.id].failure is None


def test_other_facts_of_the_session_are_no_replacements() -> None:
    company = RecordedCompany(ADA)
    for kind in (FactKind.REVEALED, FactKind.REVOKED, FactKind.CLAIMED):
        company.facts.append(row(Fact(kind, session_id=ADA.id, provider_at=NOW), ADA))
    company.take(expired())
    assert company.sessions[ADA.id].failure is None


def test_the_expiry_of_one_that_was_replaced_already_changes_nothing() -> None:
    company = RecordedCompany(ADA)
    company.take(expired())
    give_again(company, "inv_2")
    assert company.take(expired(), replace(revoked("inv_2"), status="ACTIVE")).sessions == ()


def test_nothing_is_replaced_after_the_sessions_own_end() -> None:
    company = RecordedCompany(replace(ADA, expires_at=NOW))
    assert company.take(expired()).events == ()


def test_what_the_replaced_one_made_all_the_same_is_still_the_sessions() -> None:
    company = RecordedCompany(ADA)
    company.take(expired())
    records = replace(company.records(), by_invitation={InvitationId("inv_ada"): ADA.id})
    company.records = lambda: records  # type: ignore[method-assign]
    company.take(seen(), replace(invitation("inv_ada", CONNECTION), status="EXPIRED"))
    assert company.verdict().kind is EvidenceKind.INVITATION
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
