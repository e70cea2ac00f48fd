"""The formats of the provider's times."""

from datetime import UTC, datetime


def rest_time(at: float) -> str:
    """Return RFC 3339 in UTC, as the API's answers have it."""
    return naive_time(at) + "Z"


def naive_time(at: float) -> str:
    """Return UTC with a fraction and without a zone suffix, as the provider's webhooks have it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def maybe_time(at: float | None) -> str | None:
    """Return what `rest_time` does, or None for a time that is missing."""
    return None if at is None else rest_time(at)


def day(at: float) -> str:
    """Return the UTC date."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
