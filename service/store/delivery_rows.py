"""Maps rows of `deliveries` to values and back."""

import json
from typing import Any

from service.domain.deliveries import Attempt, AttemptError, Delivery, DeliveryKind, DeliveryStatus
from service.domain.model import EventId, Tenant
from service.store.engine import Row


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    names = ("tenant", "endpoint_id", "event_id", "url", "lane", "created_at")
    return {
        **{name: getattr(delivery, name) for name in names},
        "kind": delivery.kind.value,
        "aside": int(delivery.is_aside),
        "drawn": 0,
        **changed_values(delivery),
    }


def changed_values(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "status": delivery.status.value,
        "attempts": json.dumps([_attempt_values(one) for one in delivery.attempts]),
        "next_at": delivery.next_at,
        "blocks": int(delivery.blocks),
    }


def _attempt_values(attempt: Attempt) -> list[Any]:
    return [attempt.at, attempt.status, attempt.milliseconds, attempt.error, attempt.response_start]


def delivery_of(row: Row) -> Delivery:
    """Return the delivery in a row of `deliveries`, without its event."""
    attempts = (
        Attempt(at, status, milliseconds, AttemptError(error) if error else None, start)
        for at, status, milliseconds, error, start in json.loads(row["attempts"])
    )
    return Delivery(
        id=row["id"],
        tenant=Tenant(row["tenant"]),
        endpoint_id=row["endpoint_id"],
        event_id=EventId(row["event_id"]),
        kind=DeliveryKind(row["kind"]),
        url=row["url"],
        lane=row["lane"],
        status=DeliveryStatus(row["status"]),
        attempts=tuple(attempts),
        next_at=row["next_at"],
        created_at=row["created_at"],
        blocks=bool(row["blocks"]),
    )
