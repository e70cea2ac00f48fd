"""No change to anything that we signed is accepted, and none raises anything but its one documented error."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadState, NotFound
from tests.support.signed_texts import READERS, mutated, refused

SEEDED_MUTATIONS = 15_000
KINDS = st.sampled_from(sorted(READERS))


@given(KINDS, st.data(), st.characters())
def test_any_single_changed_character_is_refused(kind: str, data: st.DataObject, character: str) -> None:
    good = READERS[kind][1]
    at = data.draw(st.integers(0, len(good) - 1))
    assert refused(kind, good[:at] + character + good[at + 1 :])


@given(KINDS, st.data())
def test_any_truncation_is_refused(kind: str, data: st.DataObject) -> None:
    good = READERS[kind][1]
    cut = data.draw(st.integers(0, len(good) - 1))
    assert refused(kind, good[:cut])
    assert refused(kind, good[len(good) - cut :])


@given(KINDS, st.text(min_size=1), st.text())
def test_any_extension_is_refused(kind: str, more: str, before: str) -> None:
    good = READERS[kind][1]
    assert refused(kind, before + good + more)
    assert refused(kind, good + more)
    assert refused(kind, more + good)


@given(KINDS, st.text())
def test_any_text_is_refused(kind: str, text: str) -> None:
    assert refused(kind, text)


@given(KINDS, st.text(st.characters(exclude_categories=[])))
def test_any_text_is_refused_even_what_cannot_be_encoded(kind: str, text: str) -> None:
    assert refused(kind, text)


@given(KINDS, KINDS, st.data())
def test_parts_of_two_good_texts_do_not_make_a_third(kind: str, other: str, data: st.DataObject) -> None:
    good, second = READERS[kind][1], READERS[other][1]
    cut = data.draw(st.integers(1, min(len(good), len(second)) - 1))
    assert refused(kind, good[:cut] + second[cut:])


@pytest.mark.parametrize("kind", sorted(READERS))
def test_many_thousand_seeded_mutations_are_refused(kind: str) -> None:
    good, rng = READERS[kind][1], random.Random(kind)  # noqa: S311 - a seed, so that a failure can be repeated
    accepted = [text for text in (mutated(good, rng) for _ in range(SEEDED_MUTATIONS)) if not refused(kind, text)]
    assert accepted == []


def test_the_mutations_do_change_what_they_are_given() -> None:
    rng, (_, good, _) = random.Random(1), READERS["state"]  # noqa: S311 - a seed
    assert sum(mutated(good, rng) != good for _ in range(1000)) > 900


def test_the_unchanged_text_is_accepted() -> None:
    assert {kind: refusal for kind, (read, good, refusal) in READERS.items() if read(good) is None} == {}
    assert {refusal for _, _, refusal in READERS.values()} == {NotFound, BadState}
