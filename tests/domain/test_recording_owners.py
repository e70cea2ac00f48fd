"""Whose a connection becomes while snapshots come in: waiting, presumed, ambiguous, reassigned, claimed."""

from dataclasses import replace

from service.domain.changes import Changes
from service.domain.model import EvidenceKind, Mode, Tenant, Verdict
from service.domain.session_status import Progress, SessionStatus
from service.domain.statuses import ConnectionState
from tests.support.company_records import RecordedCompany, candidate_of, shown_to
from tests.support.domain_values import CONNECTION, NOW, connection, invitation, link, seen, session, with_link

ADA = with_link(session("ada"))
ADA_AGAIN = with_link(session("ada", "ses_ada_again"))
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))
CAROL = with_link(session("carol"))


# magic links


def test_the_only_holder_of_a_magic_link_is_presumed_at_once_where_no_invitation_could_claim_it() -> None:
    company = shown_to(ADA)
    company.take(seen())
    assert company.verdict().presumed
    assert company.events[0].data == {
        "evidence": "sole_candidate",
        "presumed": True,
        "status": "CONNECTED",
        "state": "working",
    }
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_while_an_invitation_may_still_name_it_no_event_is_emitted_and_the_connection_waits() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen(), invitation("inv_bob", uses=1), after=5)
    assert company.verdict().waiting
    assert company.event_types() == []


def test_ada_holds_a_magic_link_and_bobs_invitation_names_what_he_made_later() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen(), invitation("inv_bob", uses=1), after=5)
    company.take(seen(), invitation("inv_bob", CONNECTION), after=30)
    assert company.verdict().owner == candidate_of(BOB)
    assert company.event_types() == ["connection.recorded", "session.connected"]


def test_after_two_minutes_and_a_snapshot_in_which_no_invitation_names_it_the_holder_is_presumed() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen(), invitation("inv_bob"), after=5)
    assert company.take(seen(), invitation("inv_bob"), after=119) == Changes()
    company.take(seen(), invitation("inv_bob"), after=120)
    assert company.verdict().owner == candidate_of(ADA)
    assert company.event_types() == ["connection.recorded", "session.connected"]


def test_two_holders_make_it_ambiguous_and_nobodys_session_is_connected() -> None:
    company = shown_to(ADA, CAROL)
    company.reveal(CAROL, -30)
    company.take(seen())
    assert company.event_types() == ["connection.ambiguous"]
    assert company.events[0].data == {"candidates": [ADA.id, CAROL.id]}
    assert company.attached == {}
    assert company.sessions[ADA.id].status is SessionStatus.OPENED


def test_an_ambiguous_connection_emits_one_event() -> None:
    company = shown_to(ADA, CAROL)
    company.reveal(CAROL, -30)
    company.take(seen())
    company.take(seen(status="PENDING", provider_updated_at=seen().provider_updated_at + 1))
    assert company.event_types() == ["connection.ambiguous", "connection.updated"]
    assert company.events[1].session_id is None


def test_a_further_candidate_emits_an_event() -> None:
    company = shown_to(ADA, CAROL)
    company.reveal(CAROL, -30)
    company.take(seen())
    company.sessions[ADA_AGAIN.id] = ADA_AGAIN
    company.reveal(ADA_AGAIN, 4)
    company.take(seen())
    assert company.event_types() == ["connection.ambiguous"] * 2


def test_what_waited_and_has_no_owner_is_emitted_when_the_waiting_ends() -> None:
    company = RecordedCompany(BOB)
    company.take(seen(), invitation("inv_bob"), after=5)
    assert company.event_types() == []
    company.take(seen(), invitation("inv_bob"), after=121)
    assert company.event_types() == ["connection.ambiguous"]
    assert company.events[0].data == {"candidates": []}


def test_a_use_that_is_never_explained_is_undecided_for_a_day_and_then_ambiguous() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen(), invitation("inv_bob", uses=1), after=86399)
    assert company.event_types() == []
    company.take(seen(), invitation("inv_bob", uses=1), after=86400)
    assert company.event_types() == ["connection.ambiguous"]
    assert company.take(seen(), invitation("inv_bob", uses=1), after=99999) == Changes()


def test_a_use_explained_by_a_connection_that_is_gone_by_now_stays_explained() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen("another", after=-30), invitation("inv_bob", "another"), after=-20)
    company.take(seen(), invitation("inv_bob", uses=1), after=121)
    assert company.verdict().owner == candidate_of(ADA)


def test_candidates_of_another_tenant_are_never_named() -> None:
    stranger = with_link(session("ada", "ses_elsewhere", tenant=Tenant("elsewhere")))
    company = shown_to(ADA, stranger)
    company.reveal(stranger, -30)
    company.take(seen())
    assert company.events[0].data == {"candidates": [ADA.id]}
    assert len(company.verdict().candidates) == 2


def test_a_connection_made_in_the_providers_dashboard_is_emitted_as_ambiguous() -> None:
    company = RecordedCompany(session("ada"))
    company.take(seen())
    assert company.event_types() == ["connection.ambiguous"]


def test_what_a_revoked_link_brings_later_is_ambiguous_with_its_candidate() -> None:
    company = shown_to(ADA)
    company.revoke(ADA, -30)
    company.take(seen())
    assert company.verdict().owner is None
    assert company.events[0].data == {"candidates": [ADA.id]}


def test_a_link_that_reconnects_is_no_candidate_for_new_connections() -> None:
    mending = replace(ADA, mode=Mode.RECONNECT)
    company = RecordedCompany(mending)
    company.reveal(mending, -60, edits=CONNECTION)
    company.take(seen("another"))
    assert company.event_types() == ["connection.ambiguous"]


# reassigned


def test_an_invitation_overturns_who_was_presumed_and_both_sessions_lists_say_so() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen())
    changes = company.take(seen(), invitation("inv_bob", CONNECTION))
    assert company.verdict().owner == candidate_of(BOB)
    assert set(company.attached) == {(BOB.id, CONNECTION)}
    assert changes.events[0].type == "connection.reassigned"
    assert changes.events[0].user == BOB.user
    assert company.sessions[BOB.id].status is SessionStatus.CONNECTED


def test_an_invitation_made_elsewhere_takes_it_from_who_was_presumed() -> None:
    company = shown_to(ADA)
    company.take(seen())
    company.take(seen(), invitation("inv_of_an_operator", CONNECTION))
    assert company.verdict().owner is None
    assert company.attached == {}
    assert company.event_types()[-2] == "connection.ambiguous"


def test_two_invitations_that_contradict_each_other_take_it_from_its_owner() -> None:
    other = with_link(CAROL, link(invitation_id="inv_carol"))
    company = RecordedCompany(BOB, other)
    company.take(seen(), invitation("inv_bob", CONNECTION))
    company.take(seen(), invitation("inv_bob", CONNECTION), invitation("inv_carol", CONNECTION))
    assert company.verdict().owner is None
    assert company.events[-2].data == {"candidates": [BOB.id, other.id]}


def test_a_page_started_just_after_the_creation_does_not_take_it_from_who_was_presumed() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    company.reveal(CAROL, 3)
    assert company.take(seen()) == Changes()
    assert company.verdict().owner == candidate_of(ADA)


def test_an_invitation_that_became_ours_after_it_was_first_seen_still_names_its_session() -> None:
    early = replace(BOB, link=None)
    company = RecordedCompany(early)
    company.take(seen(), invitation("inv_bob", CONNECTION))
    assert company.verdict().owner is None
    company.sessions[BOB.id] = BOB
    company.take(seen(), invitation("inv_bob", CONNECTION))
    assert company.verdict().owner == candidate_of(BOB)


# claims


def ambiguous() -> RecordedCompany:
    company = shown_to(ADA, CAROL)
    company.reveal(CAROL, -30)
    company.take(seen())
    return company


def test_a_claim_settles_an_ambiguous_connection() -> None:
    company = ambiguous()
    company.claim(CAROL)
    assert company.verdict().kind is EvidenceKind.CLAIMED
    assert set(company.attached) == {(CAROL.id, CONNECTION)}
    assert company.event_types()[1:] == ["connection.recorded", "session.connected"]


def test_a_claim_overturns_who_was_presumed() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    company.claim(CAROL)
    assert company.verdict().owner == candidate_of(CAROL)
    assert "connection.reassigned" in company.event_types()


def test_a_claim_for_the_presumed_owner_makes_it_certain_and_emits_no_event() -> None:
    company = shown_to(ADA)
    company.take(seen())
    count = len(company.events)
    company.claim(ADA)
    assert not company.verdict().presumed
    assert company.connections[CONNECTION].evidence_at == NOW + 1
    assert len(company.events) == count


def test_a_claim_undone_leaves_it_to_the_evidence_that_remains() -> None:
    company = ambiguous()
    company.claim(CAROL)
    company.claim(CAROL, undo=True)
    assert company.verdict().owner is None
    assert company.attached == {}
    assert company.event_types()[-2] == "connection.ambiguous"


def test_a_claim_undone_gives_it_back_to_who_was_presumed() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    company.claim(CAROL)
    company.claim(CAROL, undo=True)
    assert company.verdict().owner == candidate_of(ADA)
    assert company.verdict().presumed


def test_a_claim_undone_twice_takes_nothing_from_who_was_presumed_meanwhile() -> None:
    company = shown_to(ADA, CAROL)
    company.take(seen())
    company.claim(CAROL)
    company.claim(CAROL, undo=True)
    company.reveal(CAROL, 3.0)  # within the uncertainty: a verdict found now would name no owner
    count = len(company.events)
    company.claim(CAROL, undo=True)
    assert company.verdict().owner == candidate_of(ADA)
    assert len(company.events) == count


def test_a_claim_survives_every_later_snapshot() -> None:
    company = ambiguous()
    company.claim(CAROL)
    assert company.take(seen(), after=600) == Changes()
    assert company.verdict().owner == candidate_of(CAROL)


def test_an_invitation_that_names_it_later_overturns_a_claim() -> None:
    company = ambiguous()
    company.sessions[BOB.id] = BOB
    company.claim(CAROL)
    company.take(seen(), invitation("inv_bob", CONNECTION))
    assert company.verdict().owner == candidate_of(BOB)


def test_a_claim_and_its_undoing_bring_no_connection_back_that_was_removed() -> None:
    company = shown_to(ADA, CAROL)
    company.reveal(CAROL, -30)
    company.take(seen())
    gone = replace(company.connections[CONNECTION], missing_at=NOW - 600, removed_at=NOW)
    company.connections[CONNECTION] = gone
    for undo in (False, True):
        company.claim(CAROL, undo=undo)
        settled = company.connections[CONNECTION]
        assert (settled.missing_at, settled.removed_at, settled.state) == (NOW - 600, NOW, ConnectionState.INACTIVE)
    assert "session.connected" not in company.event_types()
    company.take(seen())  # the provider lists it again
    assert company.connections[CONNECTION].removed_at is None


def test_a_reconnect_that_owned_by_a_claim_stays_attached_when_the_maker_is_named_in_the_same_poll() -> None:
    mending = session("bob", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
    mending = with_link(mending, link(invitation_id="inv_edit"))
    company = RecordedCompany(BOB, mending)
    company.connections[CONNECTION] = connection(Verdict(EvidenceKind.CLAIMED, candidate_of(mending)))
    company.attached[mending.id, CONNECTION] = Progress.ATTACHED
    edited = replace(invitation("inv_edit", uses=1), edits=CONNECTION)
    company.take(seen(), edited, invitation("inv_bob", CONNECTION))
    assert company.verdict() == Verdict(EvidenceKind.INVITATION, candidate_of(BOB))
    assert set(company.attached) == {(BOB.id, CONNECTION), (mending.id, CONNECTION)}
    assert company.sessions[mending.id].status is SessionStatus.CONNECTED
