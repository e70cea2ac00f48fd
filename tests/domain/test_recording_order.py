"""In any order, any number of times, with our clock wrong: the outcome is the same, and each event is emitted once."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.company_records import RecordedCompany
from tests.support.recording_orders import BOB, READINGS, USERS, Scenario, outcome_of, plain, snapshot_after, with_ada


def outcome(order: tuple[int, ...]) -> object:
    company = with_ada(BOB)
    for number in order:
        company.read(READINGS[number])
    return plain(company)


def test_every_order_of_a_scenario_ends_alike() -> None:
    outcomes = [outcome(order) for order in permutations(range(len(READINGS)))]
    assert all(each == outcomes[0] for each in outcomes)


@given(st.lists(st.integers(0, len(READINGS) - 1), max_size=12))
def test_repetitions_in_any_order_end_alike(extra: list[int]) -> None:
    assert outcome((*extra, *range(len(READINGS)))) == outcome(tuple(range(len(READINGS))))


@given(st.permutations(range(len(READINGS))), st.lists(st.integers(0, len(READINGS) - 1)))
def test_no_event_is_emitted_twice(order: list[int], again: list[int]) -> None:
    company = with_ada(BOB)
    for number in (*order, *again):
        company.read(READINGS[number])
    reported = [(event.type, event.connection_id) for event in company.events if event.type != "connection.updated"]
    assert len(reported) == len(set(reported))


@pytest.mark.parametrize("clock_is_off", [-600.0, 600.0])
def test_our_clock_is_ten_minutes_off_and_nothing_changes(clock_is_off: float) -> None:
    company, shifted = with_ada(BOB), with_ada(BOB)
    shifted.now += clock_is_off
    for one in READINGS:
        company.read(one)
        shifted.read(one)
    assert plain(company) == plain(shifted)


# any scenario

BEFORE = st.integers(-600, -6)
SCENARIOS = st.builds(
    Scenario,
    reveals=st.dictionaries(st.sampled_from(sorted(USERS)), BEFORE | st.integers(6, 60)),
    revoked=st.dictionaries(st.sampled_from(sorted(USERS)), BEFORE | st.integers(6, 60), max_size=1),
    made_by=st.sampled_from([None, "inv_bob", "inv_operator"]),
    named_after=st.integers(0, 400),
    unused=st.booleans(),
    polls=st.lists(st.integers(0, 900), min_size=1, max_size=5),
)


@given(SCENARIOS, st.randoms(use_true_random=False))
def test_any_scenario_polled_in_any_order_any_number_of_times_ends_alike(scenario: Scenario, chance: Random) -> None:
    shuffled = [*scenario.polls, *chance.choices(scenario.polls, k=len(scenario.polls))]
    chance.shuffle(shuffled)
    assert outcome_of(scenario, shuffled) == outcome_of(scenario, sorted(scenario.polls))


@given(SCENARIOS)
def test_many_polls_end_as_the_last_one_alone_does(scenario: Scenario) -> None:
    last = max(scenario.polls)
    assert outcome_of(scenario, [*scenario.polls, last]) == outcome_of(scenario, sorted(scenario.polls))
    if last >= 120:
        assert outcome_of(scenario, [last]) == outcome_of(scenario, sorted(scenario.polls))


@given(SCENARIOS)
def test_who_is_not_presumed_is_never_wrong(scenario: Scenario) -> None:
    company = RecordedCompany(BOB, *USERS.values())
    for name, after in scenario.reveals.items():
        company.reveal(USERS[name], after)
    for after in sorted(scenario.polls):
        company.read(snapshot_after(scenario, after))
        verdict = company.verdict()
        if verdict.owner is not None and not verdict.presumed:
            assert (verdict.owner.session_id, scenario.made_by) == (BOB.id, "inv_bob")
        if scenario.made_by is not None and after < 120:
            assert not verdict.presumed, "an invitation may still claim it"
