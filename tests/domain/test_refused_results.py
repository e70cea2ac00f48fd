"""A result that is presented for another user: when it is recorded, and that nothing else changes."""

import pytest

from service.domain.changes import Changes, RefusedResult
from service.domain.model import UserRef
from service.domain.refused_results import USERS_MOST, refuse_result
from service.domain.session_status import SessionStatus
from tests.support.domain_values import session, with_status

ADA = session("ada")
MALLORY, BOB = UserRef("mallory"), UserRef("bob")


def test_the_user_for_whom_it_is_recorded_already_is_not_recorded_again() -> None:
    assert refuse_result(ADA, MALLORY, [BOB, MALLORY]) is None


def test_five_users_are_recorded_and_no_more() -> None:
    earlier: list[UserRef] = []
    for name in "abcdefgh":
        changes = refuse_result(ADA, UserRef(name), earlier)
        earlier += [one.user for one in changes.refused_results] if changes else []
    assert earlier == list("abcde")
    assert len(earlier) == USERS_MOST


def test_the_sessions_own_user_is_never_recorded() -> None:
    assert refuse_result(ADA, ADA.user, []) is None


@pytest.mark.parametrize("status", SessionStatus)
def test_the_session_stays_as_it_is_whatever_its_status(status: SessionStatus) -> None:
    owner = with_status(ADA, status)
    changes = refuse_result(owner, MALLORY, [BOB])
    assert changes is not None
    (event,) = changes.events
    assert changes == Changes(events=(event,), refused_results=(RefusedResult(ADA.id, MALLORY),))
    assert (event.type, event.session_id, event.user) == ("session.verify_failed", ADA.id, ADA.user)
    assert event.data == {"presentedFor": "mallory"}
