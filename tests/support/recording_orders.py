"""Provider snapshots of one company that come in any order, for the rules in memory and for both databases."""

from collections.abc import Sequence
from typing import NamedTuple

from service.domain.model import ProviderSnapshot, ReportedConnection, ReportedInvitation, Session
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import invitation, link, reading, seen, session, with_link

ADA = with_link(session("ada"))
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))


def with_ada(*others: Session) -> RecordedCompany:
    """Ada was shown a magic link a minute before the connection."""
    company = RecordedCompany(ADA, *others)
    company.reveal(ADA, -60)
    return company


READINGS = (
    reading(seen(), invitation("inv_bob", uses=1), after=3),
    reading(seen(status="PENDING", provider_updated_at=seen().provider_updated_at - 9), after=1),
    reading(seen(), invitation("inv_bob", "another"), seen("another", after=9), after=150),
    reading(invitation("inv_bob", "another"), after=40),
    reading(after=20),
)


def plain(company: RecordedCompany) -> object:
    """What the outcome is, whenever it came about."""
    return (
        {key: (one.verdict, one.reported) for key, one in company.connections.items()},
        {one.id: one.status for one in company.sessions.values()},
        set(company.attached),
    )


class Scenario(NamedTuple):
    """What happened at the provider, in seconds around the creation, and when it was polled."""

    reveals: dict[str, int]
    revoked: dict[str, int]
    made_by: str | None  # an invitation: "inv_bob" is ours, "inv_operator" is not
    named_after: int
    unused: bool
    polls: list[int]


USERS = {"ada": ADA, "again": with_link(session("ada", "ses_again")), "carol": with_link(session("carol"))}


def snapshot_after(scenario: Scenario, after: int) -> ProviderSnapshot:
    """What the provider says so long after the creation: a use is counted before it is named."""
    there: list[ReportedConnection | ReportedInvitation] = [seen()]
    if scenario.made_by is not None:
        named = [seen().id] if after >= scenario.named_after else []
        there.append(invitation(scenario.made_by, *named, uses=1))
    if scenario.unused:
        there.append(invitation("inv_unused"))
    return reading(*there, after=after)


def outcome_of(scenario: Scenario, polls: Sequence[int]) -> object:
    company = RecordedCompany(BOB, *USERS.values())
    for name, after in scenario.reveals.items():
        company.reveal(USERS[name], after)
    for name, after in scenario.revoked.items():
        company.revoke(USERS[name], after)
    for after in polls:
        company.read(snapshot_after(scenario, after))
    return plain(company)
