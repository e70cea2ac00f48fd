"""Which sessions lose a connection with its owner, and whose timelines say so."""

from dataclasses import replace

from service.domain.model import Mode, Session, Tenant
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany, shown_to
from tests.support.domain_values import CONNECTION, invitation, link, seen, session, with_link

ADA = with_link(session("ada"))
CAROL = with_link(session("carol"))
MENDING = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
MENDING = with_link(MENDING, link(invitation_id="inv_edit"))


def mended(*others: Session) -> RecordedCompany:
    """Ada's presumed connection, which her session `MENDING` has mended."""
    company = shown_to(ADA, MENDING, *others)
    company.take(seen())
    company.take(seen(), replace(invitation("inv_edit", uses=1), edits=CONNECTION))
    assert company.sessions[MENDING.id].status is SessionStatus.CONNECTED
    return company


def test_a_session_that_mended_it_loses_it_with_the_user_and_both_timelines_say_so() -> None:
    company = mended(CAROL)
    changes = company.claim(CAROL)
    assert set(company.attached) == {(CAROL.id, CONNECTION)}
    assert company.sessions[MENDING.id].status is SessionStatus.OPENED
    reopened = [(one.session_id, one.data["reason"]) for one in changes.events if one.type == "session.reopened"]
    assert reopened == [(ADA.id, "reassigned"), (MENDING.id, "reassigned")]
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert (reassigned.session_id, reassigned.also_of) == (CAROL.id, (ADA.id, MENDING.id))


def test_it_loses_it_too_where_no_other_owner_follows() -> None:
    company = mended()
    changes = company.take(seen(), invitation("inv_of_an_operator", CONNECTION))
    assert company.attached == {}
    reopened = [(one.session_id, one.data["reason"]) for one in changes.events if one.type == "session.reopened"]
    assert reopened == [(ADA.id, "unattributed"), (MENDING.id, "unattributed")]


def test_it_keeps_what_moves_to_another_session_of_the_same_user() -> None:
    again = with_link(session("ada", "ses_ada_again"))
    company = mended(again)
    changes = company.claim(again)
    assert set(company.attached) == {(again.id, CONNECTION), (MENDING.id, CONNECTION)}
    assert [one.session_id for one in changes.events if one.type == "session.reopened"] == [ADA.id]


def test_a_user_of_the_same_name_in_another_tenant_is_another_user() -> None:
    company = mended(CAROL)
    company.sessions[MENDING.id] = replace(company.sessions[MENDING.id], tenant=Tenant("other"))
    company.sessions[CAROL.id] = replace(CAROL, user=ADA.user)
    changes = company.claim(CAROL)
    assert (MENDING.id, CONNECTION) not in company.attached
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert reassigned.also_of == (ADA.id,)
