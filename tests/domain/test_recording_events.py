"""Each event field by field; what stays unchanged; which session a connection changes, and which not."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind
from service.domain.events import NewEvent
from service.domain.model import ConnectionId, EvidenceKind, InvitationId, ProviderCompanyId, Verdict
from service.domain.session_status import SessionStatus
from service.domain.timing import UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import (
    CONNECTION,
    NOW,
    invitation,
    link,
    reveal_row,
    row,
    seen,
    session,
    who,
    with_link,
    with_status,
)

ADA = with_link(session("ada"), link())
BOB = with_link(session("bob"), link(invitation_id="inv_2"))
OTHER = ConnectionId("connection-2")
LATER = seen().provider_updated_at + 60


def recorded(status: str = "CONNECTED") -> RecordedCompany:
    company = RecordedCompany(ADA, BOB)
    company.take(seen(status=status), invitation("inv_1", CONNECTION))
    return company


def presumed(status: str = "PENDING") -> RecordedCompany:
    """Ada is presumed to have made the connection; then Bob's invitation is known."""
    company = RecordedCompany(ADA, facts=(reveal_row(ADA, -60),))
    company.take(seen(status=status))
    company.sessions[BOB.id] = BOB
    return company


# word for word


def test_the_event_of_a_connected_session_names_connection_user_and_status() -> None:
    data = {"status": "CONNECTED", "state": "working"}
    reported = NewEvent("session.connected", ADA.id, CONNECTION, ADA.user, data)
    assert recorded().events[-1] == reported


def test_the_event_of_a_changed_status_names_session_connection_and_user() -> None:
    company = recorded()
    company.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER))
    data = {"status": "WEBSITE_DOWN", "state": "delayed", "from": "CONNECTED"}
    assert company.events[-1] == NewEvent("connection.updated", ADA.id, CONNECTION, ADA.user, data)


def test_the_event_of_an_ambiguous_connection_names_no_session_and_no_user() -> None:
    company = RecordedCompany(ADA)
    company.take(seen())
    assert company.events == [NewEvent("connection.ambiguous", None, CONNECTION, None, {"candidates": []})]


def test_a_connection_that_loses_its_owner_is_emitted_as_ambiguous_again() -> None:
    company = RecordedCompany(ADA)
    company.take(seen())
    company.claim(ADA)
    company.claim(ADA, undo=True)
    assert company.event_types().count("connection.ambiguous") == 2


# what stays


def test_what_was_recorded_keeps_its_times_while_its_owner_stays() -> None:
    company = recorded()
    (changed,) = company.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER)).connections
    assert (changed.recorded_at, changed.evidence_at, changed.updated_at) == (NOW, NOW, NOW + 1)


def test_another_owner_by_the_same_kind_of_evidence_is_new_evidence() -> None:
    company = recorded()
    there = company.connections[CONNECTION]
    company.connections[CONNECTION] = replace(there, verdict=Verdict(EvidenceKind.INVITATION, who("bob")))
    (changed,) = company.take(seen(), invitation("inv_1", CONNECTION)).connections
    assert (changed.recorded_at, changed.evidence_at) == (NOW, NOW + 1)


def test_a_connection_without_an_owner_has_no_time_of_evidence() -> None:
    (made,) = RecordedCompany(ADA).take(seen()).connections
    assert made.evidence_at is None


def test_a_page_taken_over_after_the_connection_was_recorded_does_not_mark_it() -> None:
    company = recorded()
    assert not company.connections[CONNECTION].cross_device
    company.sessions[ADA.id] = replace(company.sessions[ADA.id], taken_over=True)
    company.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER))
    assert not company.connections[CONNECTION].cross_device


def test_a_new_owners_page_decides_again_whether_it_was_taken_over() -> None:
    company = presumed()
    company.sessions[BOB.id] = replace(BOB, taken_over=True)
    company.take(seen(status="PENDING"), invitation("inv_2", CONNECTION))
    assert company.connections[CONNECTION].cross_device


def test_a_payload_that_names_another_company_changes_nothing() -> None:
    company = recorded()
    again = seen(company_id=ProviderCompanyId("company-2"))
    assert company.take(again, invitation("inv_1", CONNECTION)) == Changes()


@pytest.mark.parametrize(("missing_at", "removed_at"), [(NOW, None), (None, NOW)])
def test_a_connection_that_is_back_is_a_change_whether_it_was_missing_or_removed(
    missing_at: float | None, removed_at: float | None
) -> None:
    company = recorded()
    company.connections[CONNECTION] = replace(
        company.connections[CONNECTION], missing_at=missing_at, removed_at=removed_at
    )
    (back,) = company.take(seen()).connections
    assert (back.missing_at, back.removed_at) == (None, None)


def test_what_was_cleared_is_not_called_unclear_a_day_later() -> None:
    company = presumed()
    assert company.take(seen(status="PENDING"), after=UNDECIDED_SECONDS + 1) == Changes()


def test_each_connection_is_cleared_by_itself() -> None:
    company = RecordedCompany(ADA, facts=(reveal_row(ADA, -60),))
    company.take(seen())
    company.take(seen(), seen(OTHER, after=60), after=61)
    assert company.verdict(OTHER).presumed


def test_our_own_invitation_that_names_another_connection_does_not_make_an_old_one_ours() -> None:
    assert RecordedCompany(ADA).take(seen(after=-9999), invitation("inv_1", OTHER)).connections == ()


def test_a_fact_about_an_invitation_that_names_no_connection_explains_no_use() -> None:
    shown = row(Fact(FactKind.REVEALED, session_id=ADA.id, invitation_id=InvitationId("inv_1"), provider_at=1.0), ADA)
    company = RecordedCompany(ADA, facts=(shown,))
    company.take(seen(), invitation("inv_1", uses=1), after=600)
    assert company.verdict().waiting


# whose session


def test_a_session_attached_to_a_working_connection_is_connected_by_the_next_poll() -> None:
    company = recorded()
    company.sessions[ADA.id] = with_status(company.sessions[ADA.id], SessionStatus.OPENED)
    company.take(seen(), invitation("inv_1", CONNECTION))
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_working_connection_connects_no_session_of_another_connection() -> None:
    company = RecordedCompany(ADA, BOB)
    both = invitation("inv_1", CONNECTION), invitation("inv_2", OTHER)
    company.take(seen(status="PENDING"), seen(OTHER), *both)
    assert (company.sessions[ADA.id].status, company.sessions[BOB.id].status) == ("submitted", "connected")
    company.take(seen(status="PENDING"), seen(OTHER, provider_updated_at=LATER), *both)
    assert company.sessions[ADA.id].status is SessionStatus.SUBMITTED


def test_who_loses_a_connection_is_not_connected_by_it() -> None:
    company = presumed()
    company.take(seen(provider_updated_at=LATER), invitation("inv_2", CONNECTION))
    assert (company.sessions[ADA.id].status, company.sessions[BOB.id].status) == ("opened", "connected")


def test_who_loses_one_connection_is_still_connected_by_another() -> None:
    company = presumed()
    company.take(
        seen(provider_updated_at=LATER),
        seen(OTHER),
        invitation("inv_2", CONNECTION),
        invitation("inv_1", OTHER),
    )
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_corrected_password_is_not_lost_to_a_clock_that_is_seconds_ahead() -> None:
    company = recorded("PASSWORD_INCORRECT")
    company.take(seen(provider_updated_at=seen().provider_updated_at - 4), invitation("inv_1", CONNECTION))
    assert company.connections[CONNECTION].reported.status == "CONNECTED"
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_snapshot_that_is_older_than_the_clocks_may_differ_is_not_taken() -> None:
    company = recorded("PASSWORD_INCORRECT")
    company.take(seen(provider_updated_at=seen().provider_updated_at - 6), invitation("inv_1", CONNECTION))
    assert company.connections[CONNECTION].reported.status == "PASSWORD_INCORRECT"
