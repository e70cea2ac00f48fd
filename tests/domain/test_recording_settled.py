"""What the provider forgets, and what its clock says wrongly, keeps nothing undecided and loses nothing."""

from dataclasses import replace

import pytest

from service.domain.model import ConnectionId, EvidenceKind
from service.domain.timing import UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, CREATED_AT, invitation, link, reading, seen, session, with_link

ADA = with_link(session("ada"), link())
BOB = session("bob")
OTHER = ConnectionId("connection-2")
LONG_AFTER = UNDECIDED_SECONDS + 1


def test_what_our_own_invitation_made_is_recorded_though_the_providers_clock_was_set_back() -> None:
    company = RecordedCompany(ADA)
    company.take(seen(after=-9999), invitation("inv_1", CONNECTION))
    assert company.verdict().kind is EvidenceKind.INVITATION


def test_what_an_invitation_made_elsewhere_names_is_still_not_recorded_where_it_is_older() -> None:
    assert RecordedCompany(ADA).take(seen(after=-9999), invitation("inv_elsewhere", CONNECTION)).connections == ()


def test_an_invitation_whose_connection_is_gone_has_named_it_all_the_same() -> None:
    company = RecordedCompany(ADA, BOB)
    company.reveal(BOB, -60)
    company.take(seen(OTHER, after=-30), invitation("inv_1", OTHER))
    company.take(seen(), invitation("inv_1", uses=1), after=121)
    assert (company.verdict().kind, company.verdict().presumed) == (EvidenceKind.SOLE_CANDIDATE, True)


def test_a_use_that_is_never_explained_leaves_it_ambiguous_after_a_day_and_nobody_presumed() -> None:
    company = RecordedCompany(ADA, BOB)
    company.reveal(BOB, -60)
    company.take(seen(), invitation("inv_1", uses=1), after=LONG_AFTER - 2)
    assert company.verdict().waiting
    company.take(seen(), invitation("inv_1", uses=1), after=LONG_AFTER)
    assert (company.verdict().owner, company.verdict().waiting) == (None, False)
    assert company.event_types() == ["connection.ambiguous"]
    assert company.events[0].data == {"candidates": [BOB.id]}


def test_a_use_that_is_explained_after_all_still_decides() -> None:
    company = RecordedCompany(ADA, BOB)
    company.reveal(BOB, -60)
    company.take(seen(), invitation("inv_1", uses=1), after=LONG_AFTER)
    company.take(seen(), invitation("inv_1", CONNECTION), after=LONG_AFTER + 1)
    assert company.verdict().kind is EvidenceKind.INVITATION
    assert company.event_types()[:2] == ["connection.ambiguous", "connection.recorded"]


def test_what_was_left_open_is_presumed_once_the_use_turns_out_to_be_another_connections() -> None:
    company = RecordedCompany(ADA, BOB)
    company.reveal(BOB, -60)
    company.take(seen(), invitation("inv_1", uses=1), after=LONG_AFTER)
    company.take(seen(), seen(OTHER), invitation("inv_1", OTHER), after=LONG_AFTER + 1)
    assert company.verdict().kind is EvidenceKind.SOLE_CANDIDATE


@pytest.mark.parametrize("provider_at", [0.0, CREATED_AT + LONG_AFTER], ids=["without a date", "long before it"])
def test_one_that_the_providers_clock_never_lets_decide_is_ambiguous_a_day_after_it_was_recorded(
    provider_at: float,
) -> None:
    company = RecordedCompany(ADA, BOB)
    company.reveal(BOB, -60)
    snapshot = replace(reading(seen(after=10**9), invitation("inv_1", uses=1)), provider_at=provider_at)
    company.read(snapshot)
    company.now += UNDECIDED_SECONDS - 2
    company.read(snapshot)
    assert company.verdict().waiting
    company.now += 2
    company.read(snapshot)
    assert (company.verdict().owner, company.verdict().waiting) == (None, False)
    assert company.event_types() == ["connection.ambiguous"]


def test_a_status_from_the_future_does_not_stay_when_the_provider_reports_another() -> None:
    company = RecordedCompany(ADA)
    ours = invitation("inv_1", CONNECTION)
    company.take(seen(provider_updated_at=CREATED_AT + 10**9), ours)
    company.take(seen(status="PASSWORD_INCORRECT", provider_updated_at=CREATED_AT + 60), ours, after=61)
    assert company.connections[CONNECTION].reported.status == "PASSWORD_INCORRECT"


def test_without_a_date_a_status_from_the_future_cannot_be_told_from_a_newer_one() -> None:
    company = RecordedCompany(ADA)
    ours = invitation("inv_1", CONNECTION)
    later = replace(reading(seen(provider_updated_at=CREATED_AT + 10**9), ours), provider_at=0.0)
    company.read(later)
    company.read(replace(reading(seen(status="PENDING"), ours), provider_at=0.0))
    assert company.connections[CONNECTION].reported.status == "CONNECTED"
