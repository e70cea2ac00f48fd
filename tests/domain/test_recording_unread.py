"""Invitations that cannot be read, or not whole: what they leave in doubt, how long, and what not."""

from dataclasses import replace

import pytest

from service.domain.changes import FactKind
from service.domain.model import EvidenceKind, ReportedInvitation
from service.domain.timing import UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, MAGIC, invitation, link, reading, seen, session, with_link

ADA = with_link(session("ada"), MAGIC)
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))
DAY = UNDECIDED_SECONDS


def unread(name: str = "inv_x", *created: str, status: str = "ACTIVE", after: float = -60.0) -> ReportedInvitation:
    return replace(invitation(name, *created, uses=0, after=after), doubtful=True, status=status)


def company() -> RecordedCompany:
    recorded = RecordedCompany(ADA, BOB)
    recorded.reveal(ADA, -30 * DAY)
    return recorded


def test_an_invitation_that_cannot_be_read_keeps_a_magic_links_connection_waiting_and_then_ambiguous() -> None:
    recorded = company()
    recorded.take(seen(), unread(), after=600)
    assert (recorded.verdict().owner, recorded.verdict().waiting) == (None, True)
    recorded.take(seen(), unread(), after=DAY)
    assert (recorded.verdict().owner, recorded.verdict().waiting) == (None, False)
    assert recorded.event_types().count("connection.ambiguous") == 1


def test_so_does_one_of_which_not_even_the_id_can_be_read() -> None:
    recorded = company()
    recorded.read(replace(reading(seen(), after=600), unread_invitations=True))
    assert (recorded.verdict().owner, recorded.verdict().waiting) == (None, True)


def test_once_it_can_be_read_the_verdict_is_that_of_what_it_says() -> None:
    recorded = company()
    recorded.take(seen(), unread(), after=DAY)
    recorded.take(seen(), invitation("inv_x"), after=DAY + 20)
    assert recorded.verdict().kind is EvidenceKind.SOLE_CANDIDATE


def test_exact_evidence_does_not_wait_for_it() -> None:
    recorded = company()
    recorded.read(replace(reading(seen(), invitation("inv_bob", CONNECTION), unread()), unread_invitations=True))
    assert recorded.verdict().kind is EvidenceKind.INVITATION


def test_what_an_invitation_of_ours_names_counts_whatever_else_of_it_cannot_be_read() -> None:
    recorded = company()
    recorded.take(seen(), unread("inv_bob", CONNECTION))
    owner = recorded.verdict().owner
    assert owner is not None
    assert (recorded.verdict().kind, owner.session_id) == (EvidenceKind.INVITATION, BOB.id)


def test_an_invitation_of_ours_that_has_named_its_one_connection_made_no_other() -> None:
    recorded = company()
    recorded.take(seen("another"), invitation("inv_bob", "another"))
    recorded.take(seen(), seen("another"), unread("inv_bob"), after=200)
    assert recorded.verdict().kind is EvidenceKind.SOLE_CANDIDATE


def test_another_unread_one_may_have_made_more_than_it_is_seen_to_name() -> None:
    recorded = company()
    recorded.take(seen(), seen("another"), unread("inv_x", "another"), after=600)
    assert recorded.verdict().waiting


def test_an_unread_one_that_was_made_after_the_connection_did_not_make_it() -> None:
    recorded = company()
    recorded.take(seen(), unread(after=10))
    assert recorded.verdict().kind is EvidenceKind.SOLE_CANDIDATE


@pytest.mark.parametrize("status", ["FULFILLED", "EXPIRED", "REVOKED"])
@pytest.mark.parametrize("doubtful", [True, False])
def test_one_that_had_ended_a_day_before_the_connection_does_not_switch_magic_links_off_for_good(
    status: str, *, doubtful: bool
) -> None:
    recorded = company()
    gone = replace(unread("inv_x", status=status, after=-9 * DAY), doubtful=doubtful, use_count=1)
    recorded.take(gone, after=-2 * DAY)
    recorded.take(seen(), gone, after=1)
    assert recorded.verdict().kind is EvidenceKind.SOLE_CANDIDATE


def test_one_that_ended_within_a_day_may_have_been_finished_after_it() -> None:
    recorded = company()
    gone = unread("inv_x", status="FULFILLED", after=-9 * DAY)
    recorded.take(gone, after=-DAY + 60)
    recorded.take(seen(), gone, after=600)
    assert recorded.verdict().waiting


def test_a_day_is_enough() -> None:
    recorded = company()
    gone = unread("inv_x", status="FULFILLED", after=-9 * DAY)
    recorded.take(gone, after=-DAY)
    recorded.take(seen(), gone)
    assert recorded.verdict().kind is EvidenceKind.SOLE_CANDIDATE


def test_its_end_is_written_once_and_not_for_one_that_explains_its_uses() -> None:
    recorded = company()
    ended = unread("inv_x", status="FULFILLED")
    whole = replace(invitation("inv_y", "gone"), status="FULFILLED")
    first = recorded.take(ended, whole)
    assert [one.invitation_id for one in first.facts if one.kind is FactKind.ENDED] == ["inv_x"]
    assert recorded.take(ended, whole, after=60).facts == ()


def test_a_snapshot_without_a_time_says_nothing_about_when_it_ended() -> None:
    recorded = company()
    recorded.read(replace(reading(unread("inv_x", status="FULFILLED")), provider_at=0.0))
    assert [row for row in recorded.facts if row.fact.kind is FactKind.ENDED] == []
