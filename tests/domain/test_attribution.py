"""Whose connection is it: every row of the evidence table, every conflict between rows, and whole scenarios."""

import pytest

from service.domain.attribution import claim_refusal, judge, rules_out_invitations
from service.domain.evidence import Claim, ConnectionFacts
from service.domain.model import EvidenceKind, Verdict
from tests.support.domain_values import ADA, BOB, NOW, history, invitation, named, reading, revealed, seen, who

ADA_AGAIN = who("ada", "ses_ada_again")
NAMESAKE = who("ada", "ses_other", tenant="elsewhere")
PRESUMED_ADA = Verdict(EvidenceKind.SOLE_CANDIDATE, ADA, presumed=True, candidates=frozenset({ADA}))


def presumed(facts: ConnectionFacts) -> object:
    verdict = judge(facts)
    return verdict.owner if verdict.presumed else None


# invitation


def test_a_connection_that_an_invitation_names_belongs_to_its_session() -> None:
    assert judge(history(namings=[named(ADA)])) == Verdict(EvidenceKind.INVITATION, ADA)


def test_several_invitations_of_one_session_that_name_it_agree() -> None:
    both = [named(ADA, "inv_1"), named(ADA, "inv_2")]
    assert judge(history(namings=both)) == Verdict(EvidenceKind.INVITATION, ADA)


def test_an_invitation_wins_over_a_lone_magic_link() -> None:
    facts = history(namings=[named(BOB)], reveals=[revealed(ADA, -60)], cleared=True)
    assert judge(facts) == Verdict(EvidenceKind.INVITATION, BOB)


def test_an_invitation_wins_over_a_claim() -> None:
    facts = history(namings=[named(BOB)], claims=[Claim(ADA, NOW)])
    assert judge(facts) == Verdict(EvidenceKind.INVITATION, BOB)


def test_invitations_that_contradict_each_other_prove_nothing() -> None:
    facts = history(namings=[named(ADA, "inv_1"), named(BOB, "inv_2")], reveals=[revealed(ADA, -60)], cleared=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA, BOB}))


def test_an_invitation_made_elsewhere_leaves_the_connection_without_an_owner() -> None:
    facts = history(namings=[named(None)], reveals=[revealed(ADA, -60)], cleared=True)
    assert judge(facts) == Verdict()


def test_an_invitation_of_ours_and_one_made_elsewhere_contradict_each_other() -> None:
    assert judge(history(namings=[named(ADA), named(None, "inv_2")])) == Verdict(candidates=frozenset({ADA}))


# claimed


def test_a_claim_settles_what_nothing_else_shows() -> None:
    assert judge(history(claims=[Claim(ADA, NOW)])) == Verdict(EvidenceKind.CLAIMED, ADA)


def test_a_claim_wins_over_a_lone_magic_link() -> None:
    facts = history(claims=[Claim(BOB, NOW)], reveals=[revealed(ADA, -60)], cleared=True)
    assert judge(facts) == Verdict(EvidenceKind.CLAIMED, BOB)


def test_a_claim_settles_what_an_invitation_made_elsewhere_brought() -> None:
    facts = history(claims=[Claim(ADA, NOW)], namings=[named(None)])
    assert judge(facts) == Verdict(EvidenceKind.CLAIMED, ADA)


def test_a_claim_settles_what_its_own_invitation_and_one_made_elsewhere_both_name() -> None:
    facts = history(claims=[Claim(ADA, NOW)], namings=[named(ADA), named(None, "inv_2")])
    assert judge(facts) == Verdict(EvidenceKind.CLAIMED, ADA)


def test_a_claim_that_was_undone_counts_for_nothing() -> None:
    assert judge(history(claims=[Claim(ADA, NOW, undone=True)], cleared=True)) == Verdict()


def test_the_earliest_claim_that_was_not_undone_holds() -> None:
    claims = [Claim(ADA, NOW, undone=True), Claim(BOB, NOW + 1), Claim(ADA_AGAIN, NOW + 2)]
    assert judge(history(claims=claims)) == Verdict(EvidenceKind.CLAIMED, BOB)


def test_a_claim_is_allowed_where_nothing_is_known() -> None:
    assert claim_refusal(history(), ADA) is None


def test_a_claim_is_allowed_where_the_owner_was_only_presumed() -> None:
    assert claim_refusal(history(reveals=[revealed(ADA, -60)], cleared=True), BOB) is None


def test_a_claim_is_allowed_where_the_invitation_was_made_elsewhere() -> None:
    assert claim_refusal(history(namings=[named(None)]), ADA) is None


def test_a_claim_against_the_invitation_of_another_session_is_refused() -> None:
    assert "invitation" in str(claim_refusal(history(namings=[named(BOB)]), ADA))


def test_a_claim_by_another_session_of_the_same_user_is_refused_where_an_invitation_says_otherwise() -> None:
    assert claim_refusal(history(namings=[named(ADA)]), ADA_AGAIN) is not None


def test_a_claim_where_two_invitations_contradict_each_other_is_refused() -> None:
    assert claim_refusal(history(namings=[named(ADA, "inv_1"), named(BOB, "inv_2")]), ADA) is not None


def test_a_second_claim_for_another_session_is_refused() -> None:
    assert "already" in str(claim_refusal(history(claims=[Claim(ADA, NOW)]), BOB))


def test_the_same_claim_again_is_not_refused() -> None:
    assert claim_refusal(history(claims=[Claim(ADA, NOW)]), ADA) is None


def test_a_claim_after_the_first_was_undone_is_allowed() -> None:
    assert claim_refusal(history(claims=[Claim(ADA, NOW, undone=True)]), BOB) is None


# sole candidate


def test_the_only_user_with_a_magic_link_is_presumed_once_no_invitation_can_claim_it() -> None:
    assert judge(history(reveals=[revealed(ADA, -60)], cleared=True)) == PRESUMED_ADA


def test_nobody_is_presumed_while_an_invitation_may_still_claim_it() -> None:
    facts = history(reveals=[revealed(ADA, -60)])
    assert judge(facts) == Verdict(waiting=True, candidates=frozenset({ADA}))


def test_two_users_with_magic_links_are_candidates_and_neither_is_guessed() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(BOB, -30)], cleared=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA, BOB}))


def test_the_same_user_name_in_another_tenant_is_another_user() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(NAMESAKE, -30)], cleared=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA, NAMESAKE}))


def test_of_one_users_sessions_the_one_revealed_last_is_presumed() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(ADA_AGAIN, -30)], cleared=True)
    assert presumed(facts) == ADA_AGAIN


def test_of_two_sessions_revealed_at_one_moment_the_choice_is_always_the_same() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(ADA_AGAIN, -60)], cleared=True)
    assert presumed(facts) == ADA_AGAIN


def test_a_link_revealed_after_the_creation_is_no_candidate() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(BOB, 5.1)], cleared=True)
    assert judge(facts) == PRESUMED_ADA


def test_a_link_revealed_within_the_uncertainty_is_a_candidate() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(BOB, 5.0)], cleared=True)
    assert presumed(facts) is None


def test_without_any_candidate_it_is_nobodys_once_no_invitation_can_claim_it() -> None:
    assert judge(history()) == Verdict(waiting=True)
    assert judge(history(cleared=True)) == Verdict()


def test_a_withdrawn_link_of_another_user_is_still_a_candidate() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(BOB, -600, revoked_after=-500)], cleared=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA, BOB}))


def test_what_a_revoked_link_brings_later_has_no_owner() -> None:
    facts = history(reveals=[revealed(ADA, -60, revoked_after=-30)], cleared=True)
    assert judge(facts) == Verdict(candidates=frozenset({ADA}))


def test_before_it_is_cleared_a_withdrawn_link_waits_too() -> None:
    assert judge(history(reveals=[revealed(ADA, -60, revoked_after=-30)])).waiting


@pytest.mark.parametrize(("revoked_after", "owner"), [(-0.1, None), (5.0, None), (5.1, ADA)])
def test_within_the_uncertainty_a_revocation_wins(revoked_after: float, owner: object) -> None:
    assert presumed(history(reveals=[revealed(ADA, -60, revoked_after)], cleared=True)) == owner


def test_a_users_withdrawn_link_does_not_hide_the_link_that_still_works() -> None:
    facts = history(reveals=[revealed(ADA, -60), revealed(ADA_AGAIN, -30, revoked_after=-20)], cleared=True)
    assert presumed(facts) == ADA


# scenarios


def test_ada_holds_a_magic_link_and_bob_finishes_his_invitation_before_the_provider_names_it() -> None:
    """Ada looks like the only candidate until the invitation names what Bob made."""
    connection, reveals = seen(), [revealed(ADA, -300)]
    pending = invitation("inv_bob", uses=1)
    early = reading(pending, after=2)
    assert not rules_out_invitations(connection, early)
    assert judge(history(reveals=reveals, cleared=rules_out_invitations(connection, early))).owner is None
    assert judge(history(reveals=reveals, namings=[named(BOB, "inv_bob")])) == Verdict(EvidenceKind.INVITATION, BOB)


def test_ada_holds_a_magic_link_and_bobs_invitation_is_not_yet_even_counted_as_used() -> None:
    unused = invitation("inv_bob")
    assert not rules_out_invitations(seen(), reading(unused, after=2))


def test_a_leaked_link_used_by_a_stranger_gives_the_connection_to_its_user_as_presumed_only() -> None:
    verdict = judge(history(reveals=[revealed(ADA, -86400)], cleared=True))
    assert verdict.presumed


def test_mallory_holding_a_session_of_her_own_turns_a_guess_into_an_ambiguity_and_never_into_hers() -> None:
    mallory = who("mallory")
    facts = history(reveals=[revealed(ADA, -60), revealed(mallory, -1)], cleared=True)
    assert judge(facts).owner is None


def test_a_connection_made_in_the_providers_dashboard_has_no_owner() -> None:
    assert judge(history(cleared=rules_out_invitations(seen(), reading(after=1)))) == Verdict()


def test_the_order_of_evidence_kinds_is_from_the_strongest() -> None:
    assert list(EvidenceKind) == ["invitation", "claimed", "reconnect", "sole_candidate"]
