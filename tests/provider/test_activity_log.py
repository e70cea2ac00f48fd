"""The activity log of an invitation, in every shape that it may have: none of them is documented."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.provider_steps import LogEntry, LogStep
from service.provider.activity_log import read_log
from tests.support.untidy import CHANGES, changed, places

AT = datetime(2026, 1, 6, 9, 40, tzinfo=UTC).timestamp()
DETAIL = {
    "id": "inv_1",
    "allowedEmails": ["ada@example.com"],
    "createdConnections": [{"id": "c1", "status": "PENDING", "created": "2026-01-06T09:40:00"}],
    "events": [
        {"type": "VIEWED", "createdAt": "2026-01-06T09:40:00"},
        {"type": "EMAIL_VERIFIED", "createdAt": "2026-01-06T09:41:00", "email": "ada@example.com"},
        {"type": "USED", "createdAt": "2026-01-06T09:42:00", "connectionId": "c1"},
        {"type": "REVOKED", "createdAt": "2026-01-06T09:43:00"},
    ],
}


def steps(detail: Any) -> list[LogStep]:
    return [entry.step for entry in read_log(detail)]


@pytest.mark.parametrize(
    "detail", [None, [], "odd", 5, {}, {"events": None}, {"events": {}}, {"events": [5, None, []]}]
)
def test_what_is_no_log_tells_nothing(detail: Any) -> None:
    assert read_log(detail) == ()


def test_the_connections_that_it_made_are_not_its_log() -> None:
    assert steps({"createdConnections": [{"id": "c1", "type": "USED"}]}) == []


def test_two_unnamed_arrays_of_objects_leave_it_open_which_is_the_log() -> None:
    assert steps({"notes": [{"type": "VIEWED"}], "more": [{"type": "USED"}]}) == []


@pytest.mark.parametrize(
    "word",
    [
        "EMAIL_VERIFICATION_SENT",
        "verification requested",
        "submission_failed",
        "user.created",
        "use denied",
        "resend",
        "",
    ],
)
def test_what_was_asked_for_or_failed_is_no_step(word: str) -> None:
    assert steps({"events": [{"type": word}]}) == []


def test_the_log_of_the_sandbox_tells_every_step_in_its_order_with_its_time() -> None:
    assert steps(DETAIL) == [LogStep.VIEWED, LogStep.VERIFIED, LogStep.SUBMITTED, LogStep.REVOKED]
    assert read_log(DETAIL)[0] == LogEntry(LogStep.VIEWED, AT)


@pytest.mark.parametrize("name", ["events", "eventLog", "auditLog", "activityLog", "log", "history"])
@pytest.mark.parametrize("kind", ["type", "eventType", "event", "action", "name"])
def test_the_log_and_its_words_are_found_under_every_name(name: str, kind: str) -> None:
    assert steps({"id": "inv_1", "createdConnections": [{"id": "c1"}], name: [{kind: "page_viewed"}]}) == [
        LogStep.VIEWED
    ]


@pytest.mark.parametrize(
    ("word", "step"),
    [
        ("invitation.opened", LogStep.VIEWED),
        ("Verified their e-mail", LogStep.VERIFIED),
        ("use", LogStep.SUBMITTED),
        ("Redeemed", LogStep.SUBMITTED),
        ("accepted", LogStep.SUBMITTED),
        ("invitation_completed", LogStep.SUBMITTED),
        ("revocation.revoked", LogStep.REVOKED),
    ],
)
def test_each_family_has_several_words(word: str, step: LogStep) -> None:
    assert steps({"log": [{"action": word}]}) == [step]


@pytest.mark.parametrize("name", ["createdAt", "created", "timestamp", "occurredAt", "time"])
def test_its_time_is_found_under_every_name_and_an_odd_one_is_none(name: str) -> None:
    assert read_log({"log": [{"type": "viewed", name: "2026-01-06T09:40:00"}]}) == (LogEntry(LogStep.VIEWED, AT),)
    assert read_log({"log": [{"type": "viewed", name: 10**30}]}) == (LogEntry(LogStep.VIEWED, None),)


def test_whatever_is_odd_in_it_only_that_is_lost() -> None:
    for place in places(DETAIL):
        for change in CHANGES.values():
            assert set(steps(changed(DETAIL, place, change))) <= set(LogStep)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["events", "log", "type", "action", "createdAt", "time", "x"]), inner)
        ),
    )
)
def test_no_answer_of_the_provider_makes_it_raise(detail: Any) -> None:
    assert all(entry.provider_at is None or entry.provider_at >= 0 for entry in read_log(detail))
