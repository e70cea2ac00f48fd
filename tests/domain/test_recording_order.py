"""In any order, any number of times, with our clock wrong: the outcome is the same, and is told once."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.company_records import RecordedCompany
from tests.support.recording_orders import BOB, READINGS, USERS, Story, look, plain, told, with_ada


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
