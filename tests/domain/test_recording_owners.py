"""Whose a connection becomes while news comes in: waiting, presumed, ambiguous, reassigned, claimed."""

from dataclasses import replace

from service.domain.changes import Changes
from service.domain.model import Candidate, EvidenceKind, Mode, Session, SessionStatus, Tenant
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, NOW, invitation, link, seen, session, with_link

ADA = with_link(session("ada"))
ADA_AGAIN = with_link(session("ada", "ses_ada_again"))
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))
CAROL = with_link(session("carol"))


def who(one: Session) -> Candidate:
    return Candidate(one.id, one.tenant, one.user_id)


def with_ada(*others: Session) -> RecordedCompany:
    """Ada was shown a magic link a minute before the connection."""
    books = RecordedCompany(ADA, *others)
    books.reveal(ADA, -60)
    return books


# magic links


def test_the_only_holder_of_a_magic_link_is_presumed_at_once_where_no_invitation_could_claim_it() -> None:
    books = with_ada()
    books.take(seen())
    assert books.verdict().presumed
    assert books.events[0].data == {"evidence": "sole_candidate", "presumed": True, "status": "CONNECTED"}
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_while_an_invitation_may_claim_it_nothing_is_told_and_the_connection_waits() -> None:
    books = with_ada(BOB)
    books.take(seen(), invitation("inv_bob", uses=1), after=5)
    assert books.verdict().waiting
    assert books.told() == []


def test_ada_holds_a_magic_link_and_bobs_invitation_names_what_he_made_later() -> None:
    books = with_ada(BOB)
    books.take(seen(), invitation("inv_bob", uses=1), after=5)
    books.take(seen(), invitation("inv_bob", CONNECTION), after=30)
    assert books.verdict().owner == who(BOB)
    assert books.told() == ["connection.recorded", "session.connected"]


def test_after_two_minutes_and_a_reading_in_which_no_invitation_names_it_the_holder_is_presumed() -> None:
    books = with_ada(BOB)
    books.take(seen(), invitation("inv_bob"), after=5)
    assert books.take(seen(), invitation("inv_bob"), after=119) == Changes()
    books.take(seen(), invitation("inv_bob"), after=120)
    assert books.verdict().owner == who(ADA)
    assert books.told() == ["connection.recorded", "session.connected"]


def test_two_holders_make_it_ambiguous_and_nobodys_session_is_connected() -> None:
    books = with_ada(CAROL)
    books.reveal(CAROL, -30)
    books.take(seen())
    assert books.told() == ["connection.ambiguous"]
    assert books.events[0].data == {"candidates": [ADA.id, CAROL.id]}
    assert books.attached == set()
    assert books.sessions[ADA.id].status is SessionStatus.OPENED


def test_an_ambiguous_connection_is_told_once() -> None:
    books = with_ada(CAROL)
    books.reveal(CAROL, -30)
    books.take(seen())
    books.take(seen(status="PENDING", provider_updated_at=seen().provider_updated_at + 1))
    assert books.told() == ["connection.ambiguous", "connection.updated"]
    assert books.events[1].session_id is None


def test_a_further_candidate_is_told() -> None:
    books = with_ada(CAROL)
    books.reveal(CAROL, -30)
    books.take(seen())
    books.sessions[ADA_AGAIN.id] = ADA_AGAIN
    books.reveal(ADA_AGAIN, 4)
    books.take(seen())
    assert books.told() == ["connection.ambiguous"] * 2


def test_what_waited_and_is_nobodys_is_told_when_the_waiting_is_over() -> None:
    books = RecordedCompany(BOB)
    books.take(seen(), invitation("inv_bob"), after=5)
    assert books.told() == []
    books.take(seen(), invitation("inv_bob"), after=121)
    assert books.told() == ["connection.ambiguous"]
    assert books.events[0].data == {"candidates": []}


def test_a_use_that_is_never_explained_is_waited_for_a_day_and_then_told_as_nobodys() -> None:
    books = with_ada(BOB)
    books.take(seen(), invitation("inv_bob", uses=1), after=86399)
    assert books.told() == []
    books.take(seen(), invitation("inv_bob", uses=1), after=86400)
    assert books.told() == ["connection.ambiguous"]
    assert books.take(seen(), invitation("inv_bob", uses=1), after=99999) == Changes()


def test_a_use_explained_by_a_connection_that_is_gone_by_now_stays_explained() -> None:
    books = with_ada(BOB)
    books.take(seen("another", after=-30), invitation("inv_bob", "another"), after=-20)
    books.take(seen(), invitation("inv_bob", uses=1), after=121)
    assert books.verdict().owner == who(ADA)


def test_candidates_of_another_tenant_are_never_told() -> None:
    stranger = with_link(session("ada", "ses_elsewhere", tenant=Tenant("elsewhere")))
    books = with_ada(stranger)
    books.reveal(stranger, -30)
    books.take(seen())
    assert books.events[0].data == {"candidates": [ADA.id]}
    assert len(books.verdict().candidates) == 2


def test_a_connection_made_in_the_providers_dashboard_is_told_as_nobodys() -> None:
    books = RecordedCompany(session("ada"))
    books.take(seen())
    assert books.told() == ["connection.ambiguous"]


def test_what_a_withdrawn_link_brings_later_is_told_as_nobodys_with_its_candidate() -> None:
    books = with_ada()
    books.revoke(ADA, -30)
    books.take(seen())
    assert books.verdict().owner is None
    assert books.events[0].data == {"candidates": [ADA.id]}


def test_a_link_that_mends_a_connection_is_no_candidate_for_new_ones() -> None:
    mending = replace(ADA, mode=Mode.RECONNECT)
    books = RecordedCompany(mending)
    books.reveal(mending, -60, edits=CONNECTION)
    books.take(seen("another"))
    assert books.told() == ["connection.ambiguous"]


# reassigned


def test_an_invitation_overturns_who_was_presumed_and_both_sessions_lists_say_so() -> None:
    books = with_ada(BOB)
    books.take(seen())
    changes = books.take(seen(), invitation("inv_bob", CONNECTION))
    assert books.verdict().owner == who(BOB)
    assert books.attached == {(BOB.id, CONNECTION)}
    assert changes.events[0].type == "connection.reassigned"
    assert changes.events[0].user_id == BOB.user_id
    assert books.sessions[BOB.id].status is SessionStatus.CONNECTED


def test_an_invitation_made_elsewhere_takes_it_from_who_was_presumed() -> None:
    books = with_ada()
    books.take(seen())
    books.take(seen(), invitation("inv_of_an_operator", CONNECTION))
    assert books.verdict().owner is None
    assert books.attached == set()
    assert books.told()[-2] == "connection.ambiguous"


def test_two_invitations_that_contradict_each_other_take_it_from_its_owner() -> None:
    other = with_link(CAROL, link(invitation_id="inv_carol"))
    books = RecordedCompany(BOB, other)
    books.take(seen(), invitation("inv_bob", CONNECTION))
    books.take(seen(), invitation("inv_bob", CONNECTION), invitation("inv_carol", CONNECTION))
    assert books.verdict().owner is None
    assert books.events[-2].data == {"candidates": [BOB.id, other.id]}


def test_a_page_started_just_after_the_creation_does_not_take_it_from_who_was_presumed() -> None:
    books = with_ada(CAROL)
    books.take(seen())
    books.reveal(CAROL, 3)
    assert books.take(seen()) == Changes()
    assert books.verdict().owner == who(ADA)


def test_an_invitation_that_became_ours_after_it_was_first_seen_still_names_its_session() -> None:
    early = replace(BOB, link=None)
    books = RecordedCompany(early)
    books.take(seen(), invitation("inv_bob", CONNECTION))
    assert books.verdict().owner is None
    books.sessions[BOB.id] = BOB
    books.take(seen(), invitation("inv_bob", CONNECTION))
    assert books.verdict().owner == who(BOB)


# claims


def ambiguous() -> RecordedCompany:
    books = with_ada(CAROL)
    books.reveal(CAROL, -30)
    books.take(seen())
    return books


def test_a_claim_settles_an_ambiguous_connection() -> None:
    books = ambiguous()
    books.claim(CAROL)
    assert books.verdict().kind is EvidenceKind.CLAIMED
    assert books.attached == {(CAROL.id, CONNECTION)}
    assert books.told()[1:] == ["connection.recorded", "session.connected"]


def test_a_claim_overturns_who_was_presumed() -> None:
    books = with_ada(CAROL)
    books.take(seen())
    books.claim(CAROL)
    assert books.verdict().owner == who(CAROL)
    assert "connection.reassigned" in books.told()


def test_a_claim_for_who_was_presumed_already_makes_it_certain_and_tells_nothing_new() -> None:
    books = with_ada()
    books.take(seen())
    count = len(books.events)
    books.claim(ADA)
    assert not books.verdict().presumed
    assert books.connections[CONNECTION].evidence_at == NOW + 1
    assert len(books.events) == count


def test_a_claim_undone_leaves_it_to_the_evidence_that_remains() -> None:
    books = ambiguous()
    books.claim(CAROL)
    books.claim(CAROL, undo=True)
    assert books.verdict().owner is None
    assert books.attached == set()
    assert books.told()[-2] == "connection.ambiguous"


def test_a_claim_undone_gives_it_back_to_who_was_presumed() -> None:
    books = with_ada(CAROL)
    books.take(seen())
    books.claim(CAROL)
    books.claim(CAROL, undo=True)
    assert books.verdict().owner == who(ADA)
    assert books.verdict().presumed


def test_a_claim_undone_twice_takes_nothing_from_who_was_presumed_meanwhile() -> None:
    books = with_ada(CAROL)
    books.take(seen())
    books.claim(CAROL)
    books.claim(CAROL, undo=True)
    books.reveal(CAROL, 3.0)  # within the uncertainty: a verdict found now would be nobody's
    count = len(books.events)
    books.claim(CAROL, undo=True)
    assert books.verdict().owner == who(ADA)
    assert len(books.events) == count


def test_a_claim_survives_every_later_reading() -> None:
    books = ambiguous()
    books.claim(CAROL)
    assert books.take(seen(), after=600) == Changes()
    assert books.verdict().owner == who(CAROL)


def test_an_invitation_that_names_it_later_overturns_a_claim() -> None:
    books = ambiguous()
    books.sessions[BOB.id] = BOB
    books.claim(CAROL)
    books.take(seen(), invitation("inv_bob", CONNECTION))
    assert books.verdict().owner == who(BOB)
