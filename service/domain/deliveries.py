"""Deliveries of events to webhook endpoints: the body, what an answer means, and when the next attempt is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any

from service.domain.event_json import event_fields, iso
from service.domain.events import Event
from service.domain.model import EventId, Tenant
from service.domain.timing import DELIVERY_PAUSES_SECONDS

TEST_TYPE = "endpoint.test"
# Like a 5xx, these say that the receiver is overloaded or absent: later events of the session wait for it.
_BLOCKING_STATUSES = frozenset({408, 429})


class DeliveryStatus(StrEnum):
    """Whether the delivery may still be attempted."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryKind(StrEnum):
    """Why a delivery exists. A test and a replay are attempted once."""

    EVENT = "event"
    OWN = "own"  # to the session's own address
    REPLAY = "replay"
    TEST = "test"


class AttemptError(StrEnum):
    """Why an attempt got no status; a closed list that hosts see."""

    BLOCKED = "blocked_address"  # the host leads to an address that must not be reached from here
    NO_NAME = "name_not_resolved"
    REFUSED = "connection_failed"
    TLS = "tls_failed"
    TIMEOUT = "timed_out"
    CLOSED = "closed_early"
    INVALID = "invalid_answer"  # what came is not HTTP
    MOVED = "not_beneath_endpoint"  # the session's own address is no longer beneath its endpoint's
    UNREADABLE = "secret_unreadable"  # the endpoint's secret was encrypted with a secret key that was removed
    NO_EVENT = "event_deleted"


class Meaning(Enum):
    """What follows from an answer."""

    DELIVERED = "delivered"
    BLOCKS = "blocks"  # attempted again; later deliveries of the lane wait for it
    PASSES = "passes"  # attempted again; later ones pass it
    GONE = "gone"  # 410: the endpoint is disabled


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST: `status` where there was an answer, else `error`; `response_start` is at most 1 KB of the answer."""

    at: float
    status: int | None
    milliseconds: int
    error: AttemptError | None = None
    response_start: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint, or for a session's own address `url`; `lane` names those that keep their order."""

    id: str
    tenant: Tenant
    endpoint_id: str
    event_id: EventId
    kind: DeliveryKind
    url: str | None
    lane: str
    status: DeliveryStatus
    attempts: tuple[Attempt, ...]
    next_at: float | None
    created_at: float
    blocks: bool = False
    event: Event | None = field(default=None, compare=False)

    @property
    def is_aside(self) -> bool:
        """Whether its answers say nothing of the endpoint's health."""
        return self.kind is not DeliveryKind.EVENT

    @property
    def keeps_order(self) -> bool:
        """Whether later deliveries of its lane may have to wait for it."""
        return self.kind in {DeliveryKind.EVENT, DeliveryKind.OWN}


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """A delivery after an attempt, as it is to be written. `releases`: the deliveries that waited for it may go on."""

    delivery: Delivery
    meaning: Meaning
    releases: bool


def meaning_of(attempt: Attempt) -> Meaning:
    """Any 2xx is delivered; 410 ends the endpoint; no answer, 408, 429 and 5xx keep the order of what follows."""
    status = attempt.status
    if status is None or status in _BLOCKING_STATUSES or status >= 500:
        return Meaning.BLOCKS
    if 200 <= status < 300:
        return Meaning.DELIVERED
    return Meaning.GONE if status == 410 else Meaning.PASSES


def next_attempt_at(made: int, now: float, roll: float) -> float | None:
    """When the next attempt is due after `made` attempts, None after the last; `roll` from 0 to 1 only delays it."""
    if made > len(DELIVERY_PAUSES_SECONDS):
        return None
    return now + DELIVERY_PAUSES_SECONDS[made - 1] * (1 + roll / 10)


def attempted(delivery: Delivery, attempt: Attempt, roll: float) -> DeliveryResult:
    """What the attempt makes of the delivery."""
    meaning = meaning_of(attempt)
    once = not delivery.keeps_order or attempt.error in {AttemptError.MOVED, AttemptError.NO_EVENT}
    attempts = (*delivery.attempts, attempt)
    next_at = None
    if meaning in {Meaning.BLOCKS, Meaning.PASSES} and not once:
        next_at = next_attempt_at(len(attempts), attempt.at, roll)
    status = DeliveryStatus.PENDING if next_at is not None else DeliveryStatus.FAILED
    if meaning is Meaning.DELIVERED:
        status = DeliveryStatus.DELIVERED
    blocks = meaning is Meaning.BLOCKS and status is DeliveryStatus.PENDING
    after = replace(delivery, status=status, attempts=attempts, next_at=next_at, blocks=blocks)
    return DeliveryResult(after, meaning, releases=delivery.blocks and not blocks)


def delivery_body(event: Event) -> Mapping[str, Any]:
    """The body of a delivery. Reference: the Standard Webhooks specification, "Payload structure"."""
    return {"type": event.type, "timestamp": iso(event.at), "data": event_fields(event)}


def event_of_test(delivery: Delivery) -> Event:
    """The event of a test, which is in no log: its `seq` is 0."""
    data = {"endpointId": delivery.endpoint_id}
    return Event(delivery.event_id, 0, delivery.tenant, TEST_TYPE, delivery.created_at, None, None, None, data)


def in_order(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Deliveries by the position of their events, in which a lane is sent."""
    return sorted(deliveries, key=lambda one: (one.event.seq if one.event else 0, one.id))
