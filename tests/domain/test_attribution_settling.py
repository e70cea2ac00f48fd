"""Can an invitation still claim the connection; and what was announced stays, but for better evidence."""

from dataclasses import replace

from service.domain.attribution import claim_refusal, is_wait_over, judge, judge_again, rules_out_invitations
from service.domain.changes import OwnInvitation
from service.domain.evidence import Claim, Reveal
from service.domain.model import Candidate, ConnectionId, EvidenceKind, InvitationId, Verdict
from tests.support.domain_values import (
    ADA,
    BOB,
    CONNECTION,
    CREATED_AT,
    NOW,
    history,
    invitation,
    named,
    reading,
    revealed,
    seen,
    who,
)

ADA_AGAIN = who("ada", "ses_ada_again")
PRESUMED_ADA = Verdict(EvidenceKind.SOLE_CANDIDATE, ADA, presumed=True, candidates=frozenset({ADA}))


# clearing: can an invitation still claim it?


def test_without_any_invitation_the_verdict_is_immediate() -> None:
    assert rules_out_invitations(seen(), reading(after=0.5))


def test_a_snapshot_older_than_the_connection_clears_nothing() -> None:
    assert not rules_out_invitations(seen(), reading(after=-5.1))
    assert rules_out_invitations(seen(), reading(after=-5.0))


def test_with_an_unused_invitation_nothing_is_cleared_for_two_minutes() -> None:
    assert not rules_out_invitations(seen(), reading(invitation(), after=119.9))
    assert rules_out_invitations(seen(), reading(invitation(), after=120.0))


def test_an_invitation_used_oftener_than_it_names_connections_still_may_claim_it() -> None:
    pending = invitation("inv_1", uses=1)
    assert not rules_out_invitations(seen(), reading(pending, after=86400))


def test_a_fulfilled_invitation_was_used_though_its_uses_are_not_counted_yet() -> None:
    pending = replace(invitation("inv_bob", uses=0), status="FULFILLED")
    assert not rules_out_invitations(seen(), reading(seen(), pending, after=3600))
    explained = replace(invitation("inv_bob", "another", uses=0), status="FULFILLED")
    assert rules_out_invitations(seen(), reading(seen(), explained, after=3600))


def test_an_invitation_whose_every_use_is_named_clears_it() -> None:
    assert rules_out_invitations(seen(), reading(invitation("inv_1", "another"), after=120))


def test_one_pending_invitation_among_many_is_enough_to_wait() -> None:
    both = invitation("inv_1", "another"), invitation("inv_2", uses=1)
    assert not rules_out_invitations(seen(), reading(*both, after=600))


def test_an_invitation_that_names_it_does_not_clear_it() -> None:
    assert not rules_out_invitations(seen(), reading(invitation("inv_1", CONNECTION), after=600))


def test_an_invitation_made_after_the_connection_cannot_have_made_it() -> None:
    assert not rules_out_invitations(seen(), reading(invitation(after=5.0), after=1))
    assert rules_out_invitations(seen(), reading(invitation(after=5.1), after=1))


def test_a_reconnect_invitation_makes_no_connection() -> None:
    edit = replace(invitation(uses=3), edits=ConnectionId("another"))
    assert rules_out_invitations(seen(), reading(edit, after=1))


def ours(given: float = -60.0, ends: float = 3600.0) -> OwnInvitation:
    """An invitation of ours, by seconds after the connection was created."""
    return OwnInvitation(InvitationId("inv_ours"), CREATED_AT + given, CREATED_AT + ends)


def test_an_invitation_of_ours_that_the_list_leaves_out_may_have_made_it() -> None:
    assert not rules_out_invitations(seen(), reading(after=86400), [ours()])
    assert not rules_out_invitations(seen(), reading(invitation("inv_1", "another"), after=86400), [ours()])


def test_our_invitation_that_expired_before_or_began_after_cannot_have_created_it() -> None:
    for usable in (ours(given=5.0), ours(ends=-5.0)):
        assert not rules_out_invitations(seen(), reading(after=600), [usable])
    for over in (ours(given=5.1), ours(ends=-5.1)):
        assert rules_out_invitations(seen(), reading(after=600), [over])


# what stays unclear


def test_a_day_after_the_creation_it_is_waited_for_no_longer() -> None:
    assert not is_wait_over(seen(), reading(after=86399.9))
    assert is_wait_over(seen(), reading(after=86400))


def test_what_stays_unclear_is_emitted_as_ambiguous_with_its_candidates() -> None:
    facts = history(reveals=[revealed(ADA, -60)], unclear=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA}))
    assert judge(history(unclear=True)) == Verdict()


def test_what_was_unclear_and_is_cleared_after_all_is_presumed() -> None:
    assert judge(history(reveals=[revealed(ADA, -60)], unclear=True, cleared=True)) == PRESUMED_ADA


# settling: what was announced stays, but for better evidence


def test_a_first_verdict_is_what_the_facts_say() -> None:
    assert judge_again(None, history(claims=[Claim(ADA, NOW)])) == Verdict(EvidenceKind.CLAIMED, ADA)


def test_a_presumed_owner_stays_when_a_page_started_just_after_the_creation() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(BOB, 3)], cleared=True)
    assert judge(facts).owner is None
    assert judge_again(PRESUMED_ADA, facts) == PRESUMED_ADA


def test_a_presumed_session_stays_when_the_same_user_started_another_just_after_the_creation() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(ADA_AGAIN, 3)], cleared=True)
    assert judge(facts).owner == ADA
    assert judge_again(PRESUMED_ADA, facts) == PRESUMED_ADA


def test_a_presumed_owner_is_overturned_by_an_invitation() -> None:
    facts = history(reveals=[revealed(ADA, -60)], namings=[named(BOB)], cleared=True)
    assert judge_again(PRESUMED_ADA, facts).owner == BOB


def test_a_presumed_owner_is_overturned_by_an_invitation_made_elsewhere() -> None:
    facts = history(reveals=[revealed(ADA, -60)], namings=[named(None)], cleared=True)
    assert judge_again(PRESUMED_ADA, facts) == Verdict()


def test_a_presumed_owner_is_overturned_by_a_claim() -> None:
    facts = history(reveals=[revealed(ADA, -60)], claims=[Claim(BOB, NOW)], cleared=True)
    assert judge_again(PRESUMED_ADA, facts) == Verdict(EvidenceKind.CLAIMED, BOB)


def test_an_owner_by_invitation_is_lost_when_another_invitation_contradicts() -> None:
    facts = history(namings=[named(ADA, "inv_1"), named(BOB, "inv_2")])
    assert judge_again(Verdict(EvidenceKind.INVITATION, ADA), facts).owner is None


# claims, at the edges


def test_a_claim_for_the_session_that_its_own_invitation_shows_is_not_refused() -> None:
    assert claim_refusal(history(namings=[named(ADA)]), ADA) is None


def test_a_refused_claim_names_the_reason() -> None:
    shown = "an invitation shows that another session made this connection"
    assert claim_refusal(history(namings=[named(BOB)]), ADA) == shown
    assert claim_refusal(history(claims=[Claim(BOB, NOW)]), ADA) == "this connection is already attributed"


def test_a_claim_does_not_settle_what_another_sessions_invitation_names_too() -> None:
    facts = history(claims=[Claim(ADA, NOW)], namings=[named(ADA, "inv_1"), named(BOB, "inv_2")])
    assert judge(facts) == Verdict(candidates=frozenset({ADA, BOB}))


# which of one user's sessions


def finished(candidate: Candidate, after: float, *finishes: float) -> Reveal:
    """Shown so many seconds after the connection was created, and said to be finished at these."""
    shown = revealed(candidate, after)
    return replace(shown, provider_finished_at=frozenset(CREATED_AT + one for one in finishes))


def owner_of(*reveals: Reveal) -> Candidate | None:
    return judge(history(reveals=reveals, cleared=True)).owner


def test_the_session_that_was_finished_gets_it_though_another_was_opened_later() -> None:
    assert owner_of(finished(ADA, -120, 30), revealed(ADA_AGAIN, -60)) == ADA


def test_of_two_that_were_finished_the_one_finished_next_after_it_gets_it() -> None:
    assert owner_of(finished(ADA, -120, 200), finished(ADA_AGAIN, -60, 30)) == ADA_AGAIN
    assert owner_of(finished(ADA, -120, 30, 400), finished(ADA_AGAIN, -60, 200)) == ADA


def test_what_was_finished_before_the_connection_was_made_is_about_another_one() -> None:
    assert owner_of(finished(ADA, -120, -30), revealed(ADA_AGAIN, -60)) == ADA_AGAIN


def test_within_the_uncertainty_a_finish_may_be_the_one_after_it() -> None:
    assert owner_of(finished(ADA, -120, -4), revealed(ADA_AGAIN, -60)) == ADA


def test_a_finish_never_makes_an_owner_of_two_users() -> None:
    verdict = judge(history(reveals=[finished(ADA, -120, 30), revealed(BOB, -60)], cleared=True))
    assert verdict.owner is None


def test_a_page_opened_just_after_the_creation_is_not_the_one_opened_last_before_it() -> None:
    assert owner_of(revealed(ADA, 2), revealed(ADA_AGAIN, 4)) == ADA


def test_a_presumed_connection_moves_to_the_session_in_which_its_user_says_finished() -> None:
    facts = history(reveals=[revealed(ADA, -60), finished(ADA_AGAIN, -120, 30)], cleared=True)
    assert judge_again(PRESUMED_ADA, facts).owner == ADA_AGAIN


def test_it_does_not_move_to_another_user_whatever_is_finished() -> None:
    facts = history(reveals=[revealed(ADA, -60), finished(BOB, 2, 30)], cleared=True)
    assert judge_again(PRESUMED_ADA, facts) == PRESUMED_ADA
