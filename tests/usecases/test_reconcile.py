"""How often the provider is polled; whole use cases are in integration/."""

from dataclasses import replace

import pytest

from service.domain.changes import CompanyActivity
from service.domain.timing import POLL_DAILY_SECONDS
from service.usecases.reconcile import poll_interval

QUIET = CompanyActivity(**dict.fromkeys(CompanyActivity.__slots__, False))


def test_a_company_that_never_had_a_link_is_not_polled() -> None:
    assert poll_interval(QUIET) is None
    assert poll_interval(replace(QUIET, present=True)) is None


def test_the_providers_page_outlives_our_session_and_the_webhook_is_dropped() -> None:
    """Daily, for ever, for every company that had a link."""
    assert poll_interval(replace(QUIET, linked=True)) == POLL_DAILY_SECONDS


def test_who_said_to_be_finished_is_polled_for_within_seconds() -> None:
    busy = replace(QUIET, just_finished=True, present=True, open_sessions=True, undecided=True, linked=True)
    assert poll_interval(busy) == 3.0


@pytest.mark.parametrize("waiting", ["open_sessions", "undecided"])
def test_while_a_page_is_there_a_poll_comes_well_within_a_minute(waiting: str) -> None:
    assert (poll_interval(replace(QUIET, present=True, linked=True, **{waiting: True})) or 99) <= 30


def test_an_open_question_is_asked_again_though_nobody_is_there() -> None:
    assert poll_interval(replace(QUIET, undecided=True, linked=True)) == 30.0


def test_a_link_that_can_still_be_used_is_polled_for_within_ten_minutes() -> None:
    assert poll_interval(replace(QUIET, linked=True, open_sessions=True)) == 600.0


def test_a_page_that_is_there_with_nothing_open_is_no_reason_to_hurry() -> None:
    assert poll_interval(replace(QUIET, present=True, linked=True)) == POLL_DAILY_SECONDS
