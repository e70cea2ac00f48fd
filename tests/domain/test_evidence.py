"""From rows to the history of one connection: what counts for it, and what does not."""

from service.domain.changes import Fact, FactKind, StoredFact
from service.domain.evidence import Claim, CompanyFacts, ConnectionFacts, NamedByInvitation, Reveal, new_namings
from service.domain.model import Candidate, ConnectionId, InvitationId, SessionId
from tests.support.domain_values import (
    CONNECTION,
    CREATED_AT,
    NOW,
    TENANT,
    invitation,
    link,
    records,
    reveal_row,
    row,
    seen,
    session,
    with_link,
)

ADA = with_link(session("ada"), link())
WHO = Candidate(ADA.id, TENANT, ADA.user)
INVITED = InvitationId("inv_1")


def test_a_reveal_in_the_company_counts_for_each_of_its_connections() -> None:
    company = records(ADA, facts=(reveal_row(ADA, -60),))
    for one in (seen(), seen("another")):
        assert CompanyFacts(company, NOW).about(one).reveals == {Reveal(WHO, CREATED_AT - 60)}


def test_the_reveal_of_an_edit_link_counts_for_none() -> None:
    assert (
        CompanyFacts(records(ADA, facts=(reveal_row(ADA, -60, CONNECTION),)), NOW).about(seen()).reveals == frozenset()
    )


def test_a_reveal_whose_session_is_gone_counts_for_nobody() -> None:
    lost = row(Fact(FactKind.REVEALED, session_id=ADA.id, provider_at=1.0))
    nameless = row(Fact(FactKind.REVEALED, provider_at=1.0), ADA)
    assert CompanyFacts(records(facts=(lost, nameless)), NOW).about(seen()).reveals == frozenset()


def test_a_reveal_of_unknown_time_came_before_everything() -> None:
    untimed = row(Fact(FactKind.REVEALED, session_id=ADA.id), ADA)
    assert CompanyFacts(records(facts=(untimed,)), NOW).about(seen()).reveals == {Reveal(WHO, 0.0)}


def test_a_revocation_stands_with_the_reveal_it_ends() -> None:
    revoked = row(Fact(FactKind.REVOKED, session_id=ADA.id, provider_at=CREATED_AT - 9), ADA)
    facts = CompanyFacts(records(ADA, facts=(revoked, reveal_row(ADA, -60))), NOW).about(seen())
    assert facts.reveals == {Reveal(WHO, CREATED_AT - 60, CREATED_AT - 9)}


def test_each_time_at_which_the_user_said_to_have_finished_stands_with_the_reveal() -> None:
    bob = with_link(session("bob"), link())
    finished = [
        row(Fact(FactKind.FINISHED, session_id=ADA.id, provider_at=CREATED_AT - 9), ADA),
        row(Fact(FactKind.FINISHED, session_id=ADA.id), ADA),  # no answer of the provider had told its time yet
        row(Fact(FactKind.FINISHED, session_id=bob.id, provider_at=CREATED_AT - 5), bob),
    ]
    company = records(ADA, bob, facts=(*finished, reveal_row(ADA, -60)))
    (reveal,) = CompanyFacts(company, NOW).about(seen()).reveals
    assert reveal.provider_finished_at == {CREATED_AT - 9, 0.0}


def test_a_connection_of_which_nothing_is_known_is_neither_cleared_nor_unclear() -> None:
    facts = ConnectionFacts(CONNECTION, CREATED_AT)
    assert (facts.cleared, facts.unclear) == (False, False)


def test_facts_about_to_be_written_count_already() -> None:
    reported = (Fact(FactKind.NAMED, CONNECTION, ADA.id, INVITED), Fact(FactKind.CLEARED, CONNECTION))
    facts = CompanyFacts(records(ADA), NOW, reported).about(seen())
    assert facts.namings == {NamedByInvitation(INVITED, WHO)}
    assert facts.cleared


def test_facts_of_another_connection_do_not_count() -> None:
    other = ConnectionId("another")
    reported = (
        Fact(FactKind.NAMED, other, ADA.id, INVITED),
        Fact(FactKind.CLEARED, other),
        Fact(FactKind.CLAIMED, other, ADA.id, nonce="n"),
    )
    facts = CompanyFacts(records(ADA), NOW, reported).about(seen())
    assert (facts.namings, facts.claims, facts.cleared) == (frozenset(), frozenset(), False)


def test_an_invitation_made_elsewhere_names_nobody() -> None:
    reported = (Fact(FactKind.NAMED, CONNECTION, None, INVITED),)
    assert CompanyFacts(records(), NOW, reported).about(seen()).namings == {NamedByInvitation(INVITED, None)}


def test_an_invitation_known_as_ours_later_does_not_contradict_itself() -> None:
    reported = (Fact(FactKind.NAMED, CONNECTION, None, INVITED), Fact(FactKind.NAMED, CONNECTION, ADA.id, INVITED))
    assert CompanyFacts(records(ADA), NOW, reported).about(seen()).namings == {NamedByInvitation(INVITED, WHO)}


def test_a_naming_without_an_invitation_is_none() -> None:
    assert (
        CompanyFacts(records(ADA), NOW, (Fact(FactKind.NAMED, CONNECTION, ADA.id),)).about(seen()).namings
        == frozenset()
    )


def test_a_claim_counts_until_the_same_claim_is_undone() -> None:
    claims = [row(Fact(FactKind.CLAIMED, CONNECTION, ADA.id, nonce=nonce), ADA) for nonce in ("one", "two")]
    undone = row(Fact(FactKind.UNCLAIMED, CONNECTION, ADA.id, nonce="one"), ADA)
    facts = CompanyFacts(records(ADA, facts=(*claims, undone)), NOW).about(seen())
    assert facts.claims == {Claim(WHO, NOW, undone=True), Claim(WHO, NOW)}


def test_a_claim_for_a_session_that_is_gone_counts_for_nobody() -> None:
    claim = row(Fact(FactKind.CLAIMED, CONNECTION, ADA.id, nonce="n"))
    assert CompanyFacts(records(facts=(claim,)), NOW).about(seen()).claims == frozenset()


def test_only_a_claim_is_a_claim_and_only_a_naming_names() -> None:
    named = Fact(FactKind.NAMED, CONNECTION, ADA.id, INVITED)
    claimed = Fact(FactKind.CLAIMED, CONNECTION, ADA.id, INVITED, nonce="n")
    assert CompanyFacts(records(ADA), NOW, (named,)).about(seen()).claims == frozenset()
    assert CompanyFacts(records(ADA), NOW, (claimed,)).about(seen()).namings == frozenset()


def test_half_a_name_is_nobody() -> None:
    reveal = Fact(FactKind.REVEALED, session_id=ADA.id, provider_at=1.0)
    halves = StoredFact(reveal, NOW, TENANT, None), StoredFact(reveal, NOW, None, ADA.user)
    assert CompanyFacts(records(ADA, facts=halves), NOW).about(seen()).reveals == frozenset()


# what invitations name


def test_every_entry_of_an_invitation_is_a_fact() -> None:
    facts = new_namings(records(ADA), [invitation("inv_1", CONNECTION, "another"), invitation("inv_x", CONNECTION)])
    assert [(fact.connection_id, fact.session_id, fact.invitation_id) for fact in facts] == [
        ("another", ADA.id, "inv_1"),
        (CONNECTION, ADA.id, "inv_1"),
        (CONNECTION, None, "inv_x"),
    ]


def test_what_is_known_emits_no_event_again() -> None:
    known = row(Fact(FactKind.NAMED, CONNECTION, ADA.id, INVITED), ADA)
    assert new_namings(records(ADA, facts=(known,)), [invitation("inv_1", CONNECTION)]) == []


def test_an_invitation_that_became_ours_is_a_fact_again_with_its_session() -> None:
    known = row(Fact(FactKind.NAMED, CONNECTION, None, INVITED))
    (fact,) = new_namings(records(ADA, facts=(known,)), [invitation("inv_1", CONNECTION)])
    assert fact.session_id == SessionId(ADA.id)
