"""The limits of a session's pages: a burst, and then so many a second, also for those who call too often."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from service.errors import RateLimited
from service.web.pages.rate_limit import PageRateLimit
from tests.support.clock import Clock

HOUR = 3600.0


def accepted(take: Callable[[str], None], clock: Clock, every: float) -> int:
    """How many calls are accepted in an hour after the burst is used up, with a call `every` so many seconds."""
    with suppress(RateLimited):
        while True:
            take("ses_1")
    count = 0
    for _ in range(int(HOUR / every)):
        clock.advance(every)
        with suppress(RateLimited):
            take("ses_1")
            count += 1
    return count


@pytest.mark.parametrize("every", [0.2, 0.4, 0.45])
def test_a_page_that_calls_too_often_still_has_two_calls_a_second(every: float) -> None:
    clock = Clock()
    assert accepted(PageRateLimit(clock.now).take, clock, every) == pytest.approx(2 * HOUR, rel=0.01)


def test_two_tabs_that_try_to_start_again_do_not_keep_each_other_out() -> None:
    clock = Clock()
    assert accepted(PageRateLimit(clock.now).take_start, clock, 7.5) == pytest.approx(0.1 * HOUR, rel=0.01)
