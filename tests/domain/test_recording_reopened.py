"""A session whose connection is taken from it: what it is afterwards, and what the log says."""

from service.domain.changes import JobKind
from service.domain.model import Candidate, Session, SessionStatus
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import link, seen, session, with_link

ADA = with_link(session("ada"))
ADA_AGAIN = with_link(session("ada", "ses_ada_again"))
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))
CAROL = with_link(session("carol"))


def who(one: Session) -> Candidate:
    return Candidate(one.id, one.tenant, one.user_id)


def with_ada(*others: Session) -> RecordedCompany:
    """Ada was shown a magic link a minute before the connection."""
    company = RecordedCompany(ADA, *others)
    company.reveal(ADA, -60)
    return company


def test_a_presumed_session_that_loses_its_connection_is_open_again_and_told_so() -> None:
    company = with_ada(CAROL)
    company.take(seen())
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    changes = company.claim(CAROL)
    assert company.sessions[ADA.id].status is SessionStatus.CREATED
    (reopened,) = [one for one in changes.events if one.type == "session.reopened"]
    assert (reopened.session_id, reopened.data) == (ADA.id, {"reason": "reassigned", "status": "created"})
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert reassigned.data["from"] == {"sessionId": ADA.id, "userId": ADA.user_id}
    assert reassigned.data["to"] == {"sessionId": CAROL.id, "userId": CAROL.user_id}
    assert {job.kind for job in changes.jobs if job.ref == ADA.id} >= {JobKind.EXPIRE}


def test_undoing_the_claim_gives_it_back_and_the_other_session_is_open_again() -> None:
    company = with_ada(CAROL)
    company.take(seen())
    company.claim(CAROL)
    changes = company.claim(CAROL, undo=True)
    assert company.sessions[CAROL.id].status is not SessionStatus.CONNECTED
    assert "session.reopened" in [one.type for one in changes.events if one.session_id == CAROL.id]
    assert company.verdict().owner == who(ADA)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_session_that_has_another_working_connection_stays_connected() -> None:
    company = with_ada(CAROL)
    company.take(seen(), seen("n2"))
    company.claim(CAROL)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert "session.reopened" not in company.event_types()
