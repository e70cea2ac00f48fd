"""An event as JSON, the same wherever it is read or delivered; and times as all of our JSON has them."""

from datetime import UTC, datetime
from typing import Any

from service.domain.events import Event


def event_fields(event: Event) -> dict[str, Any]:
    """The event as every reader gets it: in a timeline, in the list of all events and in a delivery."""
    return {
        "id": event.id,
        "seq": event.seq,
        "type": event.type,
        "at": iso(event.at),
        "sessionId": event.session_id,
        "connectionId": event.connection_id,
        "userId": event.user_id,
        "data": dict(event.data),
    }


def iso(at: float) -> str:
    """The time as RFC 3339 in UTC, with milliseconds."""
    # Always the same length and zone, so that hosts may sort the texts.
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
