"""The log of requests that the control door shows: what came and what was answered, without keys and passwords."""

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
SECRET_FIELDS = {"password"}


class RequestJournal:
    """The newest requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def entries(self) -> list[dict[str, Any]]:
        """All that is kept."""
        return list(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keeps one more, and forgets the oldest when there are too many."""
        self._entries.append(dict(entry))

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()


def without_secrets(headers: Headers) -> dict[str, str]:
    """The headers, with the value of every secret one taken out."""
    return {name: REDACTED if name in SECRET_HEADERS else value for name, value in headers.items()}


def readable(headers: Headers, raw: bytes) -> Any:
    """A JSON or form body without its passwords; None for any other, or a very long one."""
    kind = headers.get("content-type", "").partition(";")[0]
    if not raw or len(raw) > BODY_MOST:
        return None
    try:
        if kind == "application/json":
            return _redact(parse(raw))
        if kind == "application/x-www-form-urlencoded":
            return _redact(dict(parse_qsl(raw.decode(), keep_blank_values=True)))
    except (ValueError, RecursionError):
        return None
    return None


def _redact(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: REDACTED if name in SECRET_FIELDS else value for name, value in body.items()}
