"""What an answer means, when the next attempt is due, and what a body holds."""

from dataclasses import replace

import pytest

from service.domain.deliveries import (
    Attempt,
    AttemptError,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Meaning,
    attempted,
    delivery_body,
    event_of_test,
    in_order,
    meaning_of,
    next_attempt_at,
)
from service.domain.events import Event
from service.domain.model import EventId, SessionId
from tests.support.domain_values import NOW, TENANT


def attempt(status: int | None, error: AttemptError | None = None) -> Attempt:
    return Attempt(NOW, status, 5, error)


def delivery(kind: DeliveryKind = DeliveryKind.EVENT, made: int = 0, *, blocks: bool = False) -> Delivery:
    return Delivery(
        id="whd_1",
        tenant=TENANT,
        endpoint_id="whe_1",
        event_id=EventId("evt_1"),
        kind=kind,
        url=None,
        lane="ses_1",
        status=DeliveryStatus.PENDING,
        attempts=(attempt(500),) * made,
        next_at=NOW,
        created_at=NOW,
        blocks=blocks,
    )


def event(seq: int) -> Event:
    return Event(EventId(f"evt_{seq}"), seq, TENANT, "session.created", NOW, SessionId("ses_1"), None, None, {"a": 1})


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (None, Meaning.BLOCKS),
        (408, Meaning.BLOCKS),
        (429, Meaning.BLOCKS),
        (500, Meaning.BLOCKS),
        (599, Meaning.BLOCKS),
        (410, Meaning.GONE),
        (400, Meaning.PASSES),
        (404, Meaning.PASSES),
        (301, Meaning.PASSES),
        (200, Meaning.DELIVERED),
        (299, Meaning.DELIVERED),
        (199, Meaning.PASSES),
    ],
)
def test_the_meaning_of_an_answer(status: int | None, meaning: Meaning) -> None:
    assert meaning_of(attempt(status)) is meaning


def test_ten_attempts_span_75_hours_at_least_and_jitter_only_delays() -> None:
    for roll in (0.0, 0.5, 1.0):
        at, made = 0.0, 1
        while (following := next_attempt_at(made, at, roll)) is not None:
            assert following > at
            at, made = following, made + 1
        assert made == 10
        assert 75 * 3600 <= at <= 84 * 3600


def test_a_failure_that_may_pass_blocks_its_lane_and_its_end_releases_it() -> None:
    blocked = attempted(delivery(), attempt(503), 0.0)
    assert (blocked.delivery.blocks, blocked.delivery.status, blocked.releases) == (True, DeliveryStatus.PENDING, False)
    for status in (200, 404):
        assert attempted(delivery(made=1, blocks=True), attempt(status), 0.0).releases
    last = attempted(delivery(made=9, blocks=True), attempt(503), 0.0)
    assert (last.delivery.status, last.delivery.next_at, last.releases) == (DeliveryStatus.FAILED, None, True)


@pytest.mark.parametrize("kind", [DeliveryKind.REPLAY, DeliveryKind.TEST])
@pytest.mark.parametrize("status", [None, 404, 410, 500])
def test_a_replay_and_a_test_are_attempted_once(kind: DeliveryKind, status: int | None) -> None:
    result = attempted(delivery(kind), attempt(status), 0.0)
    assert (result.delivery.status, result.delivery.blocks, result.delivery.next_at) == (
        DeliveryStatus.FAILED,
        False,
        None,
    )


@pytest.mark.parametrize("error", [AttemptError.MOVED, AttemptError.NO_EVENT])
def test_what_cannot_succeed_later_is_not_attempted_again(error: AttemptError) -> None:
    result = attempted(delivery(DeliveryKind.OWN), attempt(None, error), 0.0)
    assert (result.delivery.status, result.delivery.blocks) == (DeliveryStatus.FAILED, False)


def test_a_body_is_the_event_with_its_type_and_time() -> None:
    body = delivery_body(event(7))
    assert (body["type"], body["timestamp"], body["data"]["seq"]) == ("session.created", body["data"]["at"], 7)
    assert delivery_body(event_of_test(delivery(DeliveryKind.TEST)))["data"]["data"] == {"endpointId": "whe_1"}


def test_deliveries_are_in_the_order_of_their_events() -> None:
    shuffled = [replace(delivery(), id=f"whd_{seq}", event=event(seq)) for seq in (3, 1, 2)]
    assert [one.event.seq for one in in_order(shuffled) if one.event] == [1, 2, 3]
