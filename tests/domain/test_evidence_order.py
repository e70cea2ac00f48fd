"""Facts of one connection in any order: what they say together, and the verdict, are the same."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random

from service.domain.attribution import judge, judge_again
from service.domain.changes import Fact, FactKind, StoredFact
from service.domain.evidence import CompanyFacts, ConnectionFacts
from service.domain.model import EvidenceKind, InvitationId, Session
from tests.support.domain_values import CONNECTION, CREATED_AT, NOW, link, records, reveal_row, row, seen, session
from tests.support.domain_values import with_link as linked

ADA = linked(session("ada"), link(invitation_id="inv_ada"))
AGAIN = linked(session("ada", "ses_again"))
BOB = linked(session("bob"), link(invitation_id="inv_bob"))
SESSIONS = (ADA, AGAIN, BOB)


def of_session(kind: FactKind, owner: Session, after: int) -> StoredFact:
    return row(Fact(kind, session_id=owner.id, provider_at=CREATED_AT + after, nonce=str(after)), owner)


def named(invitation: str, owner: Session | None) -> StoredFact:
    return row(Fact(FactKind.NAMED, CONNECTION, owner.id if owner else None, InvitationId(invitation)), owner)


def claim(kind: FactKind, owner: Session, number: int) -> StoredFact:
    return row(Fact(kind, CONNECTION, owner.id, nonce=f"clm_{number}"), owner, NOW + number)


FACTS = (
    reveal_row(ADA, -60),
    reveal_row(AGAIN, -30),
    reveal_row(BOB, 3),
    of_session(FactKind.REVOKED, ADA, -20),
    of_session(FactKind.FINISHED, ADA, 30),
    of_session(FactKind.FINISHED, AGAIN, 20),
    named("inv_ada", ADA),
    named("inv_elsewhere", None),
    claim(FactKind.CLAIMED, ADA, 1),
    claim(FactKind.UNCLAIMED, ADA, 1),
    claim(FactKind.CLAIMED, BOB, 2),
    row(Fact(FactKind.CLEARED, CONNECTION)),
    row(Fact(FactKind.UNCLEAR, CONNECTION)),
)


def together(facts: Sequence[StoredFact]) -> ConnectionFacts:
    return CompanyFacts(records(*SESSIONS, facts=tuple(facts)), NOW).about(seen())


def shuffled() -> Iterator[tuple[list[StoredFact], list[StoredFact]]]:
    """Every choice of up to six of these facts, and the same in another order."""
    chance = Random(1)  # noqa: S311 - an order, not a secret
    for number in range(7):
        for some in combinations(FACTS, number):
            yield list(some), chance.sample(some, number)


def test_in_any_order_facts_say_the_same() -> None:
    for some, others in shuffled():
        assert together(others) == together(some)
        assert judge(together(others)) == judge(together(some))


def test_judged_after_each_fact_they_end_alike_unless_who_was_presumed_stays() -> None:
    for some, others in shuffled():
        last = judge_again(None, together([]))
        for number in range(1, len(others) + 1):
            last = judge_again(last, together(others[:number]))
        at_once = judge(together(some))
        if last.presumed:  # only an invitation or a claim overturns that
            assert at_once.kind in {None, EvidenceKind.SOLE_CANDIDATE}, others
        else:
            assert last == at_once, others
