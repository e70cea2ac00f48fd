"""In any order, any number of times, with our clock wrong: the outcome is the same, and is told once."""

from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def outcome(order: tuple[int, ...]) -> object:
    books = with_ada(BOB)
    for number in order:
        books.read(READINGS[number])
    return plain(books)


def test_every_order_of_a_story_ends_alike() -> None:
    outcomes = [outcome(order) for order in permutations(range(len(READINGS)))]
    assert all(each == outcomes[0] for each in outcomes)


@given(st.lists(st.integers(0, len(READINGS) - 1), max_size=12))
def test_repetitions_in_any_order_end_alike(extra: list[int]) -> None:
    assert outcome((*extra, *range(len(READINGS)))) == outcome(tuple(range(len(READINGS))))


@given(st.permutations(range(len(READINGS))), st.lists(st.integers(0, len(READINGS) - 1)))
def test_nothing_that_was_told_is_told_twice(order: list[int], again: list[int]) -> None:
    books = with_ada(BOB)
    for number in (*order, *again):
        books.read(READINGS[number])
    told = [(news.type, news.connection_id) for news in books.events if news.type != "connection.updated"]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("clock_is_off", [-600.0, 600.0])
def test_our_clock_is_ten_minutes_off_and_nothing_changes(clock_is_off: float) -> None:
    books, shifted = with_ada(BOB), with_ada(BOB)
    shifted.now += clock_is_off
    for one in READINGS:
        books.read(one)
        shifted.read(one)
    assert plain(books) == plain(shifted)


# any story


class Story(NamedTuple):
    """What happened at the provider, in seconds around the creation, and when it was looked at."""

    reveals: dict[str, int]
    revoked: dict[str, int]
    made_by: str | None  # an invitation: "inv_bob" is ours, "inv_operator" is not
    named_after: int
    unused: bool
    looks: list[int]


USERS = {"ada": ADA, "again": with_link(session("ada", "ses_again")), "carol": with_link(session("carol"))}
BEFORE = st.integers(-600, -6)
STORIES = st.builds(
    Story,
    reveals=st.dictionaries(st.sampled_from(sorted(USERS)), BEFORE | st.integers(6, 60)),
    revoked=st.dictionaries(st.sampled_from(sorted(USERS)), BEFORE | st.integers(6, 60), max_size=1),
    made_by=st.sampled_from([None, "inv_bob", "inv_operator"]),
    named_after=st.integers(0, 400),
    unused=st.booleans(),
    looks=st.lists(st.integers(0, 900), min_size=1, max_size=5),
)


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


@given(STORIES, st.randoms(use_true_random=False))
def test_any_story_looked_at_in_any_order_any_number_of_times_ends_alike(story: Story, chance: Random) -> None:
    shuffled = [*story.looks, *chance.choices(story.looks, k=len(story.looks))]
    chance.shuffle(shuffled)
    assert told(story, shuffled) == told(story, sorted(story.looks))


@given(STORIES)
def test_many_looks_end_as_the_last_one_alone_does(story: Story) -> None:
    last = max(story.looks)
    assert told(story, [*story.looks, last]) == told(story, sorted(story.looks))
    if last >= 120:
        assert told(story, [last]) == told(story, sorted(story.looks))


@given(STORIES)
def test_who_is_not_presumed_is_never_wrong(story: Story) -> None:
    books = RecordedCompany(BOB, *USERS.values())
    for name, after in story.reveals.items():
        books.reveal(USERS[name], after)
    for after in sorted(story.looks):
        books.read(look(story, after))
        verdict = books.verdict()
        if verdict.owner is not None and not verdict.presumed:
            assert (verdict.owner.session_id, story.made_by) == (BOB.id, "inv_bob")
        if story.made_by is not None and after < 120:
            assert not verdict.presumed, "an invitation may still claim it"
