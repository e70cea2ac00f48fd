"""An invitation that was revoked at the provider: whose session fails by it, and whose does not."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.model import InvitationId, ReportedInvitation, Session
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, NOW, invitation, link, seen, session, with_link, with_status

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


@pytest.mark.parametrize("status", ["ACTIVE", "EXPIRED", "FULFILLED"])
def test_another_status_is_no_revocation(status: str) -> None:
    assert after(ADA, replace(revoked(), status=status)).sessions[ADA.id] == ADA


def test_a_used_invitation_is_waited_for() -> None:
    used = after(ADA, revoked(use_count=1)).sessions[ADA.id]
    assert used == replace(ADA, link_used_at=NOW)


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
