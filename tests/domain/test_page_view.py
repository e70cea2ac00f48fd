"""What is known of what a user has finished, for the words of a page that waits."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.model import Connection, Verdict
from service.domain.page_view import PageSnapshot, Waiting, has_arrived, waiting_for
from service.domain.timing import SETTLE_SECONDS
from tests.support.domain_values import ADA, COMPANY, NOW, connection, session

FINISHED = session(finished_at=NOW)


def waiting(
    *, connections: tuple[Connection, ...] = (), undecided: tuple[Connection, ...] = (), at: float = NOW, **fields: Any
) -> Waiting:
    company = replace(COMPANY, **{name: fields.pop(name) for name in ("polled_at", "failed_at") if name in fields})
    owner = replace(FINISHED, company=company, **fields)
    snapshot = PageSnapshot(owner, connections, 1, at, undecided=undecided)
    found = waiting_for(snapshot)
    assert has_arrived(snapshot) == (found not in {"asking", "nothing", "unreachable"})
    return found


@pytest.mark.parametrize(
    ("polled_at", "known"), [(None, Waiting.ASKING), (NOW - 1, Waiting.ASKING), (NOW, Waiting.NOTHING)]
)
def test_nothing_has_arrived_only_after_a_poll_that_began_when_the_user_had_finished(
    polled_at: float | None, known: Waiting
) -> None:
    assert waiting(polled_at=polled_at) is known


@pytest.mark.parametrize("polled_at", [None, NOW - 1, NOW + 1])
def test_a_provider_that_answers_no_more_is_told_whatever_it_said_before(polled_at: float | None) -> None:
    assert waiting(polled_at=polled_at, failed_at=NOW + 2) is Waiting.UNREACHABLE


@pytest.mark.parametrize("failed_at", [None, NOW])
def test_a_used_link_has_brought_something(failed_at: float | None) -> None:
    assert waiting(polled_at=NOW + 1, failed_at=failed_at, link_used_at=NOW) is Waiting.USED


UNDECIDED = connection(Verdict(waiting=True, candidates=frozenset({ADA})))


def test_an_undecided_account_is_being_settled_and_ambiguous_after_two_minutes() -> None:
    assert waiting(undecided=(UNDECIDED,), at=NOW + SETTLE_SECONDS - 1) is Waiting.SETTLING
    assert waiting(undecided=(UNDECIDED,), at=NOW + SETTLE_SECONDS) is Waiting.AMBIGUOUS
    announced = replace(UNDECIDED, verdict=replace(UNDECIDED.verdict, waiting=False))
    assert waiting(undecided=(announced,)) is Waiting.AMBIGUOUS


def test_who_has_not_finished_learns_of_no_undecided_account() -> None:
    assert waiting(undecided=(UNDECIDED,), finished_at=None, polled_at=NOW) is Waiting.NOTHING


def test_a_recorded_connection_has_arrived_whatever_else_is_known() -> None:
    assert waiting(connections=(connection(),), failed_at=NOW, undecided=(UNDECIDED,)) is Waiting.ARRIVED
