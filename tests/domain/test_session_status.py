"""A session's status is one pure function: its whole table."""

from itertools import product

import pytest

from service.domain.session_status import (
    ACHIEVED,
    ENDED,
    LINK_EXPIRED,
    LINK_REVOKED,
    Progress,
    SessionStatus,
    progress_of,
    status_of,
)
from service.domain.statuses import ConnectionState

NAMES = ("revoked", "failed", "over", "left", "opened")
ALL = [(progress, dict(zip(NAMES, facts, strict=True))) for progress in Progress for facts in product((0, 1), repeat=5)]


def of(progress: Progress = Progress.NONE, *true: str) -> SessionStatus:
    return status_of(progress, **{name: name in true for name in NAMES})


@pytest.mark.parametrize(
    ("progress", "true", "status"),
    [
        (Progress.NONE, (), "created"),
        (Progress.NONE, ("opened",), "opened"),
        (Progress.NONE, ("opened", "left"), "exited"),
        (Progress.NONE, ("over",), "expired"),
        (Progress.NONE, ("opened", "over"), "expired"),
        (Progress.NONE, ("opened", "left", "over"), "expired"),
        (Progress.NONE, ("failed",), "failed"),
        (Progress.NONE, ("opened", "failed"), "failed"),
        (Progress.NONE, ("opened", "failed", "over"), "failed"),
        (Progress.NONE, ("opened", "revoked"), "revoked"),
        (Progress.ATTACHED, (), "created"),
        (Progress.ATTACHED, ("opened",), "opened"),
        (Progress.ATTACHED, ("opened", "left"), "exited"),
        (Progress.ATTACHED, ("opened", "over"), "exited"),
        (Progress.ATTACHED, ("over",), "exited"),
        (Progress.ATTACHED, ("failed",), "failed"),
        (Progress.ATTACHED, ("opened", "revoked"), "revoked"),
        (Progress.SUBMITTED, (), "submitted"),
        (Progress.SUBMITTED, ("opened", "left", "over", "failed"), "submitted"),
        (Progress.SUBMITTED, ("opened", "revoked"), "revoked"),
        (Progress.CONNECTED, (), "connected"),
        (Progress.CONNECTED, ("opened", "left", "over", "failed"), "connected"),
        (Progress.CONNECTED, ("opened", "revoked"), "revoked"),
    ],
)
def test_each_case_of_the_table(progress: Progress, true: tuple[str, ...], status: str) -> None:
    assert of(progress, *true) == status


@pytest.mark.parametrize(("progress", "facts"), ALL)
def test_what_the_user_has_achieved_is_neither_left_nor_over(progress: Progress, facts: dict[str, bool]) -> None:
    status = status_of(progress, **facts)
    if progress >= Progress.SUBMITTED and not facts["revoked"]:
        assert status in {SessionStatus.SUBMITTED, SessionStatus.CONNECTED}
    else:
        assert status not in {SessionStatus.SUBMITTED, SessionStatus.CONNECTED}


@pytest.mark.parametrize(("progress", "facts"), ALL)
def test_nothing_moves_a_revoked_session(progress: Progress, facts: dict[str, bool]) -> None:
    assert (status_of(progress, **facts) is SessionStatus.REVOKED) == facts["revoked"]


@pytest.mark.parametrize(
    ("state", "progress"),
    [
        ("working", Progress.CONNECTED),
        ("checking", Progress.SUBMITTED),
        ("delayed", Progress.SUBMITTED),
        ("action_needed", Progress.ATTACHED),
        ("empty", Progress.ATTACHED),
        ("inactive", Progress.ATTACHED),
    ],
)
def test_a_connection_brings_its_session_as_far_as_its_state(state: str, progress: Progress) -> None:
    assert progress_of(ConnectionState(state)) is progress


def test_which_statuses_end_the_users_part_and_which_end_the_session() -> None:
    assert {"submitted", "connected"} == ACHIEVED
    assert {"expired", "revoked", "failed"} == ENDED


def test_the_values_that_the_database_and_the_api_keep_stay_as_they_are() -> None:
    assert [int(progress) for progress in Progress] == [0, 1, 2, 3]
    assert (LINK_REVOKED, LINK_EXPIRED) == ("link_revoked", "link_expired")
