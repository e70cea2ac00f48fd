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
    books = RecordedCompany(ADA, *others)
    books.reveal(ADA, -60)
    return books


READINGS = (
    reading(seen(), invitation("inv_bob", uses=1), after=3),
    reading(seen(status="PENDING", provider_updated_at=seen().provider_updated_at - 1), after=1),
    reading(seen(), invitation("inv_bob", "another"), seen("another", after=9), after=150),
    reading(invitation("inv_bob", "another"), after=40),
    reading(after=20),
)


def plain(books: RecordedCompany) -> object:
    """What the outcome is, whenever it came about."""
    return (
        {key: (one.verdict, one.reported) for key, one in books.connections.items()},
        {one.id: one.status for one in books.sessions.values()},
        books.attached,
    )


class Story(NamedTuple):
    """What happened at the provider, in seconds around the creation, and when it was looked at."""

    reveals: dict[str, int]
    revoked: dict[str, int]
    made_by: str | None  # an invitation: "inv_bob" is ours, "inv_operator" is not
    named_after: int
    unused: bool
    looks: list[int]


USERS = {"ada": ADA, "again": with_link(session("ada", "ses_again")), "carol": with_link(session("carol"))}


def look(story: Story, after: int) -> ProviderSnapshot:
    """What the provider says so long after the creation: a use is counted before it is named."""
    there: list[ReportedConnection | ReportedInvitation] = [seen()]
    if story.made_by is not None:
        named = [seen().id] if after >= story.named_after else []
        there.append(invitation(story.made_by, *named, uses=1))
    if story.unused:
        there.append(invitation("inv_unused"))
    return reading(*there, after=after)


def told(story: Story, looks: Sequence[int]) -> object:
    books = RecordedCompany(BOB, *USERS.values())
    for name, after in story.reveals.items():
        books.reveal(USERS[name], after)
    for name, after in story.revoked.items():
        books.revoke(USERS[name], after)
    for after in looks:
        books.read(look(story, after))
    return plain(books)
