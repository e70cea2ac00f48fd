"""What `/v1/webhook-endpoints` and `/v1/deliveries` answer, as types and as JSON."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from service.domain.deliveries import Attempt, AttemptError, Delivery, DeliveryKind, DeliveryStatus
from service.domain.endpoints import DisabledReason, EndpointStatus
from service.domain.event_json import iso
from service.domain.model import EventId
from service.usecases.webhooks_out import EndpointDetails
from service.web.api.answers import Next, Time, Uri


def _words(*kinds: Any) -> WithJsonSchema:
    return WithJsonSchema({"enum": [*(one.value for kind in kinds for one in kind)]})


def _words_or_null(*kinds: Any) -> WithJsonSchema:
    return WithJsonSchema({"enum": [*(one.value for kind in kinds for one in kind), None]})


OptionalTime = Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "format": "date-time"})]


class EndpointHealthJson(TypedDict):
    """What the endpoint's answers to events say; tests, replays and a session's own `webhookUrl` change nothing."""

    failingSince: Annotated[OptionalTime, Field(description="The first failure after the last success, or null.")]
    lastSuccessAt: Annotated[OptionalTime, Field(description="When it last took an event.")]
    lastFailureAt: Annotated[OptionalTime, Field(description="When an event last failed to be delivered.")]
    oldestPendingAt: Annotated[OptionalTime, Field(description="Since when its oldest delivery is pending.")]


class EndpointJson(TypedDict):
    """Where events are delivered."""

    id: Annotated[str, Field(pattern="^whe_", description="Ours.")]
    url: Annotated[Uri, Field(description="Where events are posted.")]
    description: Annotated[str, Field(description="For your people.")]
    types: Annotated[list[str], Field(description="The types that are delivered; empty means all.")]
    companyId: Annotated[str | None, Field(description="Only this company's events; null means all.")]
    status: Annotated[EndpointStatus, _words(EndpointStatus)]
    disabledReason: Annotated[
        DisabledReason | None,
        _words_or_null(DisabledReason),
        Field(description="`host`: you did; `gone`: it answered 410; `failing`: five days of nothing but failures."),
    ]
    publicKey: Annotated[str | None, Field(description="`whpk_…`: verifies the signatures of v1a.")]
    health: EndpointHealthJson
    createdAt: Annotated[Time, Field(description="UTC.")]
    createdBy: Annotated[str, Field(description="The id of the API key.")]
    changedAt: Annotated[Time, Field(description="UTC.")]
    changedBy: Annotated[str, Field(description="The id of the API key.")]
    secret: NotRequired[
        Annotated[str, Field(description="`whsec_…`, only in the answer to the call that made it: keep it.")]
    ]


class AttemptJson(TypedDict):
    """One POST."""

    at: Annotated[Time, Field(description="UTC.")]
    status: Annotated[int | None, Field(description="The HTTP status of the answer; null where there was none.")]
    milliseconds: Annotated[int, Field(description="How long it took.")]
    error: Annotated[
        AttemptError | None, _words_or_null(AttemptError), Field(description="Why there was no answer; a closed list.")
    ]
    responseStart: Annotated[
        str | None,
        Field(
            description="The first 1 KB of the answer; null for an address in the operator's networks, for an event of "
            "a user who was erased, and for `user.exported` and `user.erased`."
        ),
    ]


class DeliveryJson(TypedDict):
    """One event for one endpoint."""

    id: Annotated[str, Field(pattern="^whd_", description="Ours.")]
    eventId: Annotated[EventId, Field(description="Also the header `webhook-id`, at every attempt and replay.")]
    endpointId: Annotated[str, Field(description="To which endpoint.")]
    kind: Annotated[
        DeliveryKind,
        _words(DeliveryKind),
        Field(description="`own`: to the session's `webhookUrl`. `replay` and `test` are attempted once."),
    ]
    status: Annotated[DeliveryStatus, _words(DeliveryStatus)]
    attempts: Annotated[list[AttemptJson], Field(description="Oldest first.")]
    nextAttemptAt: Annotated[OptionalTime, Field(description="Null after the last.")]
    createdAt: Annotated[Time, Field(description="UTC.")]


class ReplayJson(TypedDict):
    """A replay that has begun."""

    id: Annotated[str, Field(description="Ours.")]
    endpointId: Annotated[str, Field(description="Of which endpoint.")]
    since: Annotated[Time, Field(description="Events since then are delivered again.")]


class EndpointListJson(TypedDict):
    """A page of endpoints."""

    data: list[EndpointJson]
    next: Next


class DeliveryListJson(TypedDict):
    """A page of deliveries."""

    data: list[DeliveryJson]
    next: Next


ENDPOINT_ANSWERS = (EndpointJson, DeliveryJson, ReplayJson, EndpointListJson, DeliveryListJson)


def endpoint_json(details: EndpointDetails) -> EndpointJson:
    """An endpoint, without its secret."""
    endpoint, health = details.endpoint, details.endpoint.health
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": list(endpoint.types),
        "companyId": endpoint.company_id,
        "status": endpoint.status,
        "disabledReason": endpoint.disabled_reason,
        "publicKey": details.public_key,
        "health": {
            "failingSince": _time(health.failing_since),
            "lastSuccessAt": _time(health.last_success_at),
            "lastFailureAt": _time(health.last_failure_at),
            "oldestPendingAt": _time(details.oldest_pending_at),
        },
        "createdAt": iso(endpoint.created_at),
        "createdBy": endpoint.created_by,
        "changedAt": iso(endpoint.changed_at),
        "changedBy": endpoint.changed_by,
    }


def delivery_json(delivery: Delivery) -> DeliveryJson:
    """A delivery with its attempts."""
    return {
        "id": delivery.id,
        "eventId": delivery.event_id,
        "endpointId": delivery.endpoint_id,
        "kind": delivery.kind,
        "status": delivery.status,
        "attempts": [_attempt(one) for one in delivery.attempts],
        # The first attempt is due at once.
        "nextAttemptAt": None if delivery.next_at is None else iso(max(delivery.next_at, delivery.created_at)),
        "createdAt": iso(delivery.created_at),
    }


def _attempt(attempt: Attempt) -> AttemptJson:
    return {
        "at": iso(attempt.at),
        "status": attempt.status,
        "milliseconds": attempt.milliseconds,
        "error": attempt.error,
        "responseStart": attempt.response_start,
    }


def _time(at: float | None) -> str | None:
    return None if at is None else iso(at)
