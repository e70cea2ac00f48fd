"""What is told, word for word; what stays as it was; and whose session a connection changes, and whose not."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind
from service.domain.events import NewEvent
from service.domain.model import ConnectionId, EvidenceKind, InvitationId, ProviderCompanyId, SessionStatus, Verdict
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
)

ADA = with_link(session("ada"), link())
BOB = with_link(session("bob"), link(invitation_id="inv_2"))
OTHER = ConnectionId("connection-2")
LATER = seen().provider_updated_at + 60


def recorded(status: str = "CONNECTED") -> RecordedCompany:
    books = RecordedCompany(ADA, BOB)
    books.take(seen(status=status), invitation("inv_1", CONNECTION))
    return books


def presumed(status: str = "PENDING") -> RecordedCompany:
    """Ada is presumed to have made the connection; then Bob's invitation is known."""
    books = RecordedCompany(ADA, facts=(reveal_row(ADA, -60),))
    books.take(seen(status=status))
    books.sessions[BOB.id] = BOB
    return books


# word for word


def test_a_connected_session_is_told_with_its_connection_user_and_status() -> None:
    told = NewEvent("session.connected", ADA.id, CONNECTION, ADA.user_id, {"status": "CONNECTED"})
    assert recorded().events[-1] == told


def test_a_changed_status_is_told_with_its_session_connection_and_user() -> None:
    books = recorded()
    books.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER))
    data = {"status": "WEBSITE_DOWN", "from": "CONNECTED"}
    assert books.events[-1] == NewEvent("connection.updated", ADA.id, CONNECTION, ADA.user_id, data)


def test_an_ambiguous_connection_is_told_without_a_session_or_a_user() -> None:
    books = RecordedCompany(ADA)
    books.take(seen())
    assert books.events == [NewEvent("connection.ambiguous", None, CONNECTION, None, {"candidates": []})]


def test_a_connection_that_loses_its_owner_is_told_as_nobodys_again() -> None:
    books = RecordedCompany(ADA)
    books.take(seen())
    books.claim(ADA)
    books.claim(ADA, undo=True)
    assert books.told().count("connection.ambiguous") == 2


# what stays


def test_what_was_recorded_keeps_its_times_while_its_owner_stays() -> None:
    books = recorded()
    (changed,) = books.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER)).connections
    assert (changed.recorded_at, changed.evidence_at, changed.updated_at) == (NOW, NOW, NOW + 1)


def test_another_owner_by_the_same_kind_of_evidence_is_new_evidence() -> None:
    books = recorded()
    there = books.connections[CONNECTION]
    books.connections[CONNECTION] = replace(there, verdict=Verdict(EvidenceKind.INVITATION, who("bob")))
    (changed,) = books.take(seen(), invitation("inv_1", CONNECTION)).connections
    assert (changed.recorded_at, changed.evidence_at) == (NOW, NOW + 1)


def test_nobodys_connection_has_no_time_of_evidence() -> None:
    (made,) = RecordedCompany(ADA).take(seen()).connections
    assert made.evidence_at is None


def test_a_page_taken_over_after_the_connection_was_recorded_does_not_mark_it() -> None:
    books = recorded()
    assert not books.connections[CONNECTION].cross_device
    books.sessions[ADA.id] = replace(books.sessions[ADA.id], taken_over=True)
    books.take(seen(status="WEBSITE_DOWN", provider_updated_at=LATER))
    assert not books.connections[CONNECTION].cross_device


def test_a_new_owners_page_decides_anew_whether_it_was_taken_over() -> None:
    books = presumed()
    books.sessions[BOB.id] = replace(BOB, taken_over=True)
    books.take(seen(status="PENDING"), invitation("inv_2", CONNECTION))
    assert books.connections[CONNECTION].cross_device


def test_a_payload_that_names_another_company_is_no_news() -> None:
    books = recorded()
    again = seen(company_id=ProviderCompanyId("company-2"))
    assert books.take(again, invitation("inv_1", CONNECTION)) == Changes()


@pytest.mark.parametrize(("missing_at", "removed_at"), [(NOW, None), (None, NOW)])
def test_a_connection_that_is_back_is_news_whether_it_was_missing_or_removed(
    missing_at: float | None, removed_at: float | None
) -> None:
    books = recorded()
    books.connections[CONNECTION] = replace(books.connections[CONNECTION], missing_at=missing_at, removed_at=removed_at)
    (back,) = books.take(seen()).connections
    assert (back.missing_at, back.removed_at) == (None, None)


def test_what_was_cleared_is_not_called_unclear_a_day_later() -> None:
    books = presumed()
    assert books.take(seen(status="PENDING"), after=UNDECIDED_SECONDS + 1) == Changes()


def test_each_connection_is_cleared_by_itself() -> None:
    books = RecordedCompany(ADA, facts=(reveal_row(ADA, -60),))
    books.take(seen())
    books.take(seen(), seen(OTHER, after=60), after=61)
    assert books.verdict(OTHER).presumed


def test_our_own_invitation_that_names_another_connection_does_not_make_an_old_one_ours() -> None:
    assert RecordedCompany(ADA).take(seen(after=-9999), invitation("inv_1", OTHER)).connections == ()


def test_a_fact_about_an_invitation_that_names_no_connection_explains_no_use() -> None:
    shown = row(Fact(FactKind.REVEALED, session_id=ADA.id, invitation_id=InvitationId("inv_1"), provider_at=1.0), ADA)
    books = RecordedCompany(ADA, facts=(shown,))
    books.take(seen(), invitation("inv_1", uses=1), after=600)
    assert books.verdict().waiting


# whose session


def test_a_session_in_the_list_of_a_working_connection_is_connected_by_the_next_look() -> None:
    books = recorded()
    books.sessions[ADA.id] = replace(books.sessions[ADA.id], status=SessionStatus.OPENED)
    books.take(seen(), invitation("inv_1", CONNECTION))
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_working_connection_connects_no_session_of_another_connection() -> None:
    books = RecordedCompany(ADA, BOB)
    both = invitation("inv_1", CONNECTION), invitation("inv_2", OTHER)
    books.take(seen(status="PENDING"), seen(OTHER), *both)
    assert (books.sessions[ADA.id].status, books.sessions[BOB.id].status) == ("opened", "connected")
    books.take(seen(status="PENDING"), seen(OTHER, provider_updated_at=LATER), *both)
    assert books.sessions[ADA.id].status is SessionStatus.OPENED


def test_who_loses_a_connection_is_not_connected_by_it() -> None:
    books = presumed()
    books.take(seen(provider_updated_at=LATER), invitation("inv_2", CONNECTION))
    assert (books.sessions[ADA.id].status, books.sessions[BOB.id].status) == ("opened", "connected")


def test_who_loses_one_connection_is_still_connected_by_another() -> None:
    books = presumed()
    books.take(
        seen(provider_updated_at=LATER),
        seen(OTHER),
        invitation("inv_2", CONNECTION),
        invitation("inv_1", OTHER),
    )
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED
