"""Reads the activity log of an invitation: tolerantly, since neither its key nor the shape of an entry is documented.

Only what happened and when is kept: an entry may hold e-mail and IP addresses.
"""

from collections.abc import Mapping
from re import search
from typing import Any

from service.domain.provider_steps import LogEntry, LogStep
from service.provider.lists import seconds_of

# Reference: docs/provider.md, 7: the log is an array, oldest first, of four families of entries.
_LOGS = ("events", "eventLog", "auditLog", "activityLog", "log")
_KINDS = ("type", "eventType", "event", "action", "name")
_TIMES = ("createdAt", "created", "timestamp", "occurredAt", "time")
_WORDS = (
    (LogStep.VIEWED, "view|open"),
    (LogStep.VERIFIED, "verif"),
    (LogStep.SUBMITTED, "use(?!r)|submit|redeem|accept|complete"),
    (LogStep.REVOKED, "revok"),
)
# Not steps: a verification that was only requested, and a submission that failed.
_NOT_DONE = "sent|send|request|fail|reject|denied"
# An array of objects in the detail that is never the log.
_CREATED = "createdConnections"
_MOST_ENTRIES = 1000


def read_log(detail: Any) -> tuple[LogEntry, ...]:
    """Return the entries that can be read of an invitation's detail, oldest first; never raises."""
    entries = _array(detail) if isinstance(detail, Mapping) else []
    read = [_entry(one) for one in entries[-_MOST_ENTRIES:] if isinstance(one, Mapping)]
    return tuple(entry for entry in read if entry is not None)


def _array(detail: Mapping[str, Any]) -> list[Any]:
    named = [detail[name] for name in _LOGS if isinstance(detail.get(name), list)]
    if named:
        return list(named[0])
    others = [value for name, value in detail.items() if name != _CREATED and _holds_objects(value)]
    return list(others[0]) if len(others) == 1 else []


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _entry(entry: Mapping[str, Any]) -> LogEntry | None:
    kind = next((entry[name] for name in _KINDS if isinstance(entry.get(name), str)), "").lower()
    step = next((step for step, words in _WORDS if search(words, kind) and not search(_NOT_DONE, kind)), None)
    return LogEntry(step, _time(entry)) if step is not None else None


def _time(entry: Mapping[str, Any]) -> float | None:
    given = next((entry[name] for name in _TIMES if name in entry), None)
    try:
        return seconds_of(given)
    except (ValueError, OverflowError):
        return None
