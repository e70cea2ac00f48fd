"""Maps rows of `deliveries` to values and back."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.domain.deliveries import Attempt, AttemptError, Delivery, DeliveryKind, DeliveryStatus
from service.domain.model import EventId, Tenant, UserRef
from service.store.engine import Row, Transaction
from service.store.users import hold_user

# Also the users of all sessions on whose timelines the event is: an ambiguous connection has candidates and no owner.
_USERS = (
    "SELECT e.id, COALESCE(s.user_ref, e.user_ref) AS user_ref, s.id AS session_id FROM events e "
    "LEFT JOIN sessions s ON s.id = e.session_id WHERE e.id IN (:among) "
    "UNION ALL SELECT x.event_id AS id, s.user_ref, s.id AS session_id FROM event_sessions x "
    "JOIN sessions s ON s.id = x.session_id WHERE x.event_id IN (:among)"
)


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    names = ("tenant", "endpoint_id", "event_id", "url", "lane", "created_at")
    return {
        **{name: getattr(delivery, name) for name in names},
        "kind": delivery.kind.value,
        "aside": int(delivery.is_aside),
        "drawn": 0,
        **changed_values(delivery),
    }


def attempted_values(tx: Transaction, deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    """Return the columns that an attempt changes; without answers where the event is about an erased user.

    The attempt, or the earlier ones that the sender has in memory, may be from before the erasure. Other users are not
    erased before the commit, so that their erasure finds what is written here. It finds it by the user's sessions, so
    what belongs to no session, such as `user.exported`, is written without answers too.
    """
    answered = {one.event_id for one in deliveries if any(attempt.response_start for attempt in one.attempts)}
    rows = [row for row in tx.among(_USERS, answered) if row["user_ref"] is not None]
    refs = sorted({UserRef(row["user_ref"]) for row in rows if row["session_id"] is not None})
    kept = {user for user in refs if hold_user(tx, user)}
    silent = {row["id"] for row in rows if row["session_id"] is None or row["user_ref"] not in kept}
    return [changed_values(_without_answers(one) if one.event_id in silent else one) for one in deliveries]


def _without_answers(delivery: Delivery) -> Delivery:
    return replace(delivery, attempts=tuple(replace(one, response_start=None) for one in delivery.attempts))


def attempts_without_answers(stored: str) -> str:
    """Return the column `attempts` without what the receivers answered."""
    return json.dumps([[*attempt[:-1], None] for attempt in json.loads(stored)])


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
