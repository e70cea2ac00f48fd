"""The word by which the done page chooses its sentences: each must be true of the session's accounts."""

from dataclasses import replace

import pytest

from service.domain.model import Connection
from service.domain.page_view import PageSnapshot
from service.domain.session_status import Progress, SessionStatus
from service.web.pages.page_fields import outcome_of
from tests.support.domain_values import NOW, connection, seen, session, with_status


def account(status: str, removed_at: float | None = None) -> Connection:
    return connection(reported=replace(seen(), status=status), removed_at=removed_at)


WORKING, REFUSED, INACTIVE = account("CONNECTED"), account("PASSWORD_INCORRECT"), account("COMPANY_INACTIVE")
REMOVED = account("CONNECTED", NOW)


@pytest.mark.parametrize(
    ("connections", "outcome"),
    [
        ((), "connected"),
        ((WORKING,), "connected"),
        ((WORKING, REFUSED), "connected"),
        ((WORKING, REMOVED), "connected"),
        ((REFUSED,), "attention"),
        ((REMOVED,), "attention"),
        ((INACTIVE,), "attention"),
        ((REMOVED, REFUSED), "attention"),
    ],
)
def test_a_connected_session_is_called_connected_only_while_an_account_may_still_work(
    connections: tuple[Connection, ...], outcome: str
) -> None:
    connected = with_status(session(), SessionStatus.CONNECTED)
    assert outcome_of(PageSnapshot(connected, connections, 0, NOW)) == outcome


@pytest.mark.parametrize(("connections", "outcome"), [((REFUSED,), "attention"), ((INACTIVE,), "expired")])
def test_a_session_that_is_over_with_an_account_that_does_not_work_has_not_been_left(
    connections: tuple[Connection, ...], outcome: str
) -> None:
    over = replace(session(), over_at=NOW, progress=Progress.ATTACHED)
    assert over.status is SessionStatus.EXITED
    assert outcome_of(PageSnapshot(over, connections, 0, NOW)) == outcome


def test_a_user_who_has_left_is_told_so_whatever_the_account_needs() -> None:
    left = replace(session(), left_at=NOW, progress=Progress.ATTACHED)
    assert outcome_of(PageSnapshot(left, (REFUSED,), 0, NOW)) == "exited"
