"""The log of requests that the control API shows: each with its answer's status, without keys and passwords."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

from service.sandbox.wire.answers import parse

KEPT = 2_000
CHARACTERS_MOST = 16_000_000
BODY_MOST = 20_000
NOTHING = "null"
REDACTED = "[redacted]"
SECRET_HEADERS = {"x-api-key", "authorization", "cookie"}
SECRET_FIELDS = {"password", "code", "answer1", "answer2"}


class RequestJournal:
    """The last requests, oldest first; the oldest is dropped when there are too many, or too large ones."""

    def __init__(self) -> None:
        # As text: as objects, an array of 20 KB takes half a megabyte.
        self._entries: deque[str] = deque()
        self._characters = 0

    def entries(self) -> list[str]:
        """Return the kept requests, each as JSON."""
        return list(self._entries)

    def add(self, entry: Mapping[str, Any], body: str = NOTHING) -> None:
        """Add a request and its body, which is JSON."""
        # Put in as it is: within the entry, a body that is nested as deeply as can be written could not be written.
        text = f'{json.dumps(entry)[:-1]}, "body": {body}}}'
        self._entries.append(text)
        self._characters += len(text)
        while len(self._entries) > KEPT or self._characters > CHARACTERS_MOST:
            self._characters -= len(self._entries.popleft())

    def clear(self) -> None:
        """Remove all requests."""
        self._entries.clear()
        self._characters = 0


def without_secrets(headers: Headers) -> dict[str, str]:
    """Return the headers with the values of the secret ones redacted."""
    return {name: REDACTED if name in SECRET_HEADERS else value for name, value in headers.items()}


def readable(headers: Headers, raw: bytes) -> str:
    """Return a JSON or form body without its passwords, as JSON; null for any other body, or a very long one."""
    kind = headers.get("content-type", "").partition(";")[0]
    if not raw or len(raw) > BODY_MOST:
        return NOTHING
    try:
        if kind == "application/json":
            return json.dumps(_redact(parse(raw)), ensure_ascii=False)
        if kind == "application/x-www-form-urlencoded":
            return json.dumps(_redact(dict(parse_qsl(raw.decode(), keep_blank_values=True))), ensure_ascii=False)
    # Deeply nested JSON exceeds the recursion limit.
    except (ValueError, RecursionError):
        return NOTHING
    return NOTHING


def _redact(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: REDACTED if name in SECRET_FIELDS else value for name, value in body.items()}
