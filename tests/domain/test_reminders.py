"""Reminders: each step once, late rather than never, and none without an episode or of what no poll confirms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.reminders import DAY_SECONDS, ReminderStep, reminder_step
from service.domain.timing import CONFIRMED_SECONDS, REMINDER_DAYS

BEGAN = 1_800_000_000.0


def test_without_an_episode_there_is_nothing_to_do() -> None:
    assert reminder_step(None, 3, BEGAN, None) == ReminderStep(None, 0, None)


def at(seconds: float, told: int = 0, polled_before: float = 0.0) -> ReminderStep:
    now = BEGAN + seconds
    return reminder_step(BEGAN, told, now, now - polled_before)


def test_too_early_it_waits_until_the_step() -> None:
    assert reminder_step(BEGAN, 0, BEGAN + 60, None) == ReminderStep(None, 0, DAY_SECONDS - 60)


def test_of_several_missed_steps_the_last_is_told() -> None:
    assert at(11 * DAY_SECONDS) == ReminderStep(10, 3, 19 * DAY_SECONDS)


def test_after_the_last_there_is_no_further() -> None:
    assert at(30 * DAY_SECONDS, 3) == ReminderStep(30, 4, None)
    assert at(99 * DAY_SECONDS, 4) == ReminderStep(None, 4, None)


@pytest.mark.parametrize(("late", "again"), [(0.0, 60.0), (90.0, 60.0), (600.0, 300.0), (DAY_SECONDS, 3600.0)])
def test_a_step_waits_while_no_recent_poll_confirms_that_it_is_needed(late: float, again: float) -> None:
    assert at(DAY_SECONDS + late, polled_before=CONFIRMED_SECONDS + 1) == ReminderStep(None, 0, again)
    assert at(DAY_SECONDS + late, polled_before=CONFIRMED_SECONDS - 1).day == 1
    assert reminder_step(BEGAN, 0, BEGAN + DAY_SECONDS + late, None) == ReminderStep(None, 0, again)


def test_a_poll_that_our_clock_dates_later_than_now_confirms_nothing() -> None:
    """Our clock was set back after that poll, so it may be hours old."""
    assert at(DAY_SECONDS, polled_before=-1) == ReminderStep(None, 0, 60.0)


@given(st.lists(st.floats(0, 40 * DAY_SECONDS), max_size=30))
def test_whenever_the_job_runs_no_step_is_told_twice_and_none_early(times: list[float]) -> None:
    told, days = 0, []
    for seconds in sorted(times):
        step = at(seconds, told)
        if step.day is not None:
            assert step.day * DAY_SECONDS <= seconds
            days.append(step.day)
        told = step.steps_done
    assert days == sorted(set(days))
    assert set(days) <= set(REMINDER_DAYS)
    last = max(times, default=0.0)
    if last >= DAY_SECONDS:
        assert days[-1] == max(day for day in REMINDER_DAYS if day * DAY_SECONDS <= last)
