"""How times look on the provider's wire."""

from datetime import UTC, datetime


def rest_time(at: float) -> str:
    """RFC 3339 in UTC, as the API's answers write it."""
    return naive_time(at) + "Z"


def naive_time(at: float) -> str:
    """UTC without a zone suffix and with a fraction, as the provider's webhooks write it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def maybe_time(at: float | None) -> str | None:
    """The same for a time that may be missing."""
    return None if at is None else rest_time(at)


def day(at: float) -> str:
    """The UTC date."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
