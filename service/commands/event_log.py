"""Finds places in the log of a running service: its end, a time, the last events that a filter lets through.

Positions grow with time, so each place is found by a binary search over `GET /v1/events`.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from service.commands.api_client import ApiClient, Json, Patience, events

MOST = 10**15 - 1  # the last position for which the API can be asked
# An event gets its position a moment after its time, by another process's clock perhaps.
_MARGIN = timedelta(minutes=2)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Wanted = Callable[[Json], bool]


def wanted(types: tuple[str, ...], session: str | None, user: str | None, since: datetime | None) -> Wanted:
    """Return the filter; a type may end in `*`, as in `connection.*`."""
    earliest = _text(since) if since is not None else ""

    def passes(event: Json) -> bool:
        name = str(event.get("type"))
        return (
            (not types or any(is_of_type(name, one) for one in types))
            and session in {None, event.get("sessionId")}
            and user in {None, event.get("userId")}
            and str(event.get("at")) >= earliest
        )

    return passes


def is_of_type(name: str, wanted_type: str) -> bool:
    """Whether an event's type is the wanted one; that may end in `*`, as in `connection.*`."""
    return name == wanted_type or (wanted_type.endswith("*") and name.startswith(wanted_type[:-1]))


def time_of(text: str, now: datetime) -> datetime:
    """Return a time given as RFC 3339, or as how long ago it was: 90s, 15m, 2h, 7d; in UTC. Raises ValueError."""
    try:
        if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
            at = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"{text!r} is not a time; write it as 2h, 7d or 2027-01-15T08:00:00Z.") from exc
    # Far from the ends of what Python can express, so that a margin can be added.
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError(f"{text!r} is not a time of this log; write one between 1970 and 9998.")
    return at


def end(service: ApiClient) -> int:
    """Return the position of the newest event, 0 without one."""
    return _first(service, lambda event: event is None)


def position_before(service: ApiClient, since: datetime) -> int:
    """Return a position that is before every event since this time."""
    earliest = _text(since - _MARGIN)
    return _first(service, lambda event: event is None or str(event.get("at")) >= earliest)


def tail(service: ApiClient, number: int, passes: Wanted, start: int) -> tuple[list[Json], int]:
    """Return the last `number` events after `start` that pass, and the position to continue after."""
    last, span = end(service), max(number, 1)
    while True:
        after = max(start, last - span)
        rows = list(events(service, str(after)))
        found = [event for event in rows if passes(event)][-number:] if number else []
        if len(found) == number or after == start:
            return found, max([last, *(int(service.checked(event, "seq")["seq"]) for event in rows)])
        span *= 4


def following(service: ApiClient, after: int | None, passes: Wanted, patience: Patience | None) -> Iterator[Json]:
    """Yield the events after a position that pass; with `patience` without end."""
    cursor = None if after is None else str(after)
    return (event for event in events(service, cursor, patience) if passes(event))


def _first(service: ApiClient, reached: Callable[[Json | None], bool]) -> int:
    """Return the smallest position of which `reached` holds for the event that follows it, None where none does."""

    def holds(position: int) -> bool:
        rows, _ = service.events(str(position), most=1)
        return reached(rows[0] if rows else None)

    low, high = 0, 1
    if holds(0):
        return 0
    while high < MOST and not holds(high):
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _text(at: datetime) -> str:
    """As the API writes times, so that texts compare as times do."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
