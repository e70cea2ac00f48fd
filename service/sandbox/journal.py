"""The log of requests that the control API shows: each with its answer's status, without keys and passwords."""

from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

from service.sandbox.wire.answers import parse

KEPT = 2_000
BODY_MOST = 20_000
REDACTED = "[redacted]"
SECRET_HEADERS = {"x-api-key", "authorization", "cookie"}
SECRET_FIELDS = {"password", "code", "answer1", "answer2"}


class RequestJournal:
    """The last requests, oldest first; the oldest is dropped when there are too many."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def entries(self) -> list[dict[str, Any]]:
        """Return the kept requests."""
        return list(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a request."""
        self._entries.append(dict(entry))

    def clear(self) -> None:
        """Remove all requests."""
        self._entries.clear()


def without_secrets(headers: Headers) -> dict[str, str]:
    """Return the headers with the values of the secret ones redacted."""
    return {name: REDACTED if name in SECRET_HEADERS else value for name, value in headers.items()}


def readable(headers: Headers, raw: bytes) -> Any:
    """Return a JSON or form body without its passwords; None for any other body, or a very long one."""
    kind = headers.get("content-type", "").partition(";")[0]
    # The limits keep 2,000 requests of any client within a few megabytes.
    if not raw or len(raw) > BODY_MOST:
        return None
    try:
        if kind == "application/json":
            return _redact(parse(raw))
        if kind == "application/x-www-form-urlencoded":
            return _redact(dict(parse_qsl(raw.decode(), keep_blank_values=True)))
    # Deeply nested JSON exceeds the recursion limit.
    except (ValueError, RecursionError):
        return None
    return None


def _redact(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: REDACTED if name in SECRET_FIELDS else value for name, value in body.items()}
