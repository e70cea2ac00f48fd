"""A session whose connection is taken from it: what it is afterwards, and what the log says."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Job, JobKind
from service.domain.model import Session
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany, candidate_of, shown_to
from tests.support.domain_values import CONNECTION, NOW, invitation, seen, session, with_link, with_status

ADA = with_link(session("ada"))
CAROL = with_link(session("carol"))


def test_a_presumed_session_that_loses_its_connection_is_open_again_and_told_so() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    changes = company.claim(CAROL)
    assert company.sessions[ADA.id].status is SessionStatus.OPENED
    (reopened,) = [one for one in changes.events if one.type == "session.reopened"]
    assert (reopened.session_id, reopened.data) == (ADA.id, {"reason": "reassigned", "status": "opened"})
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert reassigned.data["from"] == {"sessionId": ADA.id, "userId": ADA.user}
    assert reassigned.data["to"] == {"sessionId": CAROL.id, "userId": CAROL.user}


def test_undoing_the_claim_gives_it_back_and_the_other_session_is_open_again() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    company.claim(CAROL)
    changes = company.claim(CAROL, undo=True)
    assert company.sessions[CAROL.id].status is not SessionStatus.CONNECTED
    assert "session.reopened" in [one.type for one in changes.events if one.session_id == CAROL.id]
    assert company.verdict().owner == candidate_of(ADA)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_session_that_has_another_working_connection_stays_connected() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen(), seen("n2"))
    company.claim(CAROL)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert "session.reopened" not in company.event_types()


def test_a_connection_that_does_not_work_does_not_keep_it_connected() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen(), seen("n2", "PASSWORD_INCORRECT"))
    company.claim(CAROL)
    assert company.sessions[ADA.id].status is SessionStatus.OPENED


def test_one_that_is_being_checked_leaves_it_submitted_and_told_so() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen(), seen("n2", "PENDING"))
    changes = company.claim(CAROL)
    (reopened,) = [one for one in changes.events if one.type == "session.reopened"]
    assert reopened.data == {"reason": "reassigned", "status": "submitted"}


def taken_from(owner: Session) -> Changes:
    """The connection of this session is claimed for Carol, two changes after it was recorded."""
    company = RecordedCompany(owner, CAROL)
    company.reveal(owner, -60)
    company.take(seen())
    return company.claim(CAROL)


def test_a_session_whose_page_was_started_is_opened_again_and_its_presence_is_checked() -> None:
    changes = taken_from(replace(ADA, opened_at=NOW, page_hash="digest"))
    (reopened,) = [one for one in changes.sessions if one.id == ADA.id]
    assert reopened.status is SessionStatus.OPENED
    jobs = [job for job in changes.jobs if job.ref == ADA.id]
    assert jobs == [Job(JobKind.PRESENCE, ADA.id, 60.0)]


def test_a_session_without_a_bound_page_has_no_presence_to_check() -> None:
    jobs = [job.kind for job in taken_from(replace(ADA, opened_at=NOW)).jobs if job.ref == ADA.id]
    assert jobs == []


def test_a_session_whose_time_is_over_is_expired_at_once() -> None:
    changes = taken_from(replace(ADA, over_at=NOW - 100))
    (reopened,) = [one for one in changes.events if one.type == "session.reopened"]
    assert reopened.data == {"reason": "reassigned", "status": "expired"}


@pytest.mark.parametrize("status", [SessionStatus.REVOKED])
def test_a_session_that_was_not_connected_is_not_reopened(status: SessionStatus) -> None:
    changes = taken_from(with_status(ADA, status))
    assert "session.reopened" not in [one.type for one in changes.events]


def test_an_invitation_made_elsewhere_leaves_it_unattributed() -> None:
    company = shown_to(ADA)
    company.take(seen())
    changes = company.take(seen(), invitation("inv_of_an_operator", CONNECTION))
    (reopened,) = [one for one in changes.events if one.type == "session.reopened"]
    assert reopened.data == {"reason": "unattributed", "status": "opened"}
