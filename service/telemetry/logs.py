"""Structured log lines: one JSON object each, with the request's id, and without secrets.

What is logged is decided at the place where it happens; here is how it is written. Access lines have route templates
and no paths, since a path contains a token.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# A reader of the log must not be able to use a link, a session or a key. Group 1 of a match stays, the rest goes.
_SECRETS = [
    re.compile(pattern)
    for pattern in (
        r"(whsec_|mlk_)[\w+/=-]+",
        r"(?i)(\b(?:bearer|basic)\s+)[^\s\"',;]+",
        r"(?i)(\b(?:x-api-key|authorization|cookie)\b[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"',;]+",
        r"(/p/connect/[^/\s\"']+/(?:workflow/)?|/p/i/)[^/\s?#\"']+",
        r"(/magic-link/[^/\s\"']+/)[^/\s?#\"']+",
        r"(/(?:embed|connect|live)/)(?![{…])[^/\s?#\"']+",
        r"(?i)([?&;](?:\w*state|\w*token|\w*key|\w*secret|password|signature)=)[^&;\s#\"']+",
        r"(://[^/\s:@\"']*:)[^/\s@\"']+(?=@)",
        # A signed text: payload and signature. The second form is a bare random key, as of pages.
        r"()(?<![\w.-])\.?[\w-]{16,}(?:\.[\w-]{6,})?\.[\w-]{27,}(?![\w-])",
        r"()(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{40,}",
    )
]
_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def request_id() -> str | None:
    """Return the id of the request that is being answered, None outside of one."""
    return _request_id.get()


@contextmanager
def request_scope(identifier: str) -> Iterator[None]:
    """Add the id to every line that is written inside, also by tasks that are started there."""
    token = _request_id.set(identifier)
    try:
        yield
    finally:
        _request_id.reset(token)


def redact(text: str) -> str:
    """Replace everything that looks like a key, a token, a state, or the secret part of a provider's link."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1…", text)
    return text


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object. `secrets` are removed wherever they occur, besides what `redact` removes."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = _remover(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the record contains; fields of `extra` are beside the message."""
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD_FIELDS}
        line: dict[str, Any] = {
            **{name: self._clean(value) for name, value in extra.items()},
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "requestId": request_id(),
        }
        if record.exc_info:
            line["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in line.items() if value is not None})

    def _clean(self, value: object) -> str | float | None:
        return value if isinstance(value, (int, float)) or value is None else self._redact(str(value))


def configure(stream: TextIO, secrets: Iterable[str] = (), level: int = logging.INFO) -> None:
    """Write every logger's lines to `stream`, from `level` on; HTTP libraries only from WARNING on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # At INFO these log addresses, and those contain tokens and the secret parts of links.
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def _remover(secrets: Iterable[str]) -> Callable[[str], str]:
    # A short secret, as in development, may be part of a word. The longest go first, since one may be part of another.
    known = sorted((secret for secret in secrets if len(secret) >= 8), key=len, reverse=True)

    def remove(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "…")
        return redact(text)

    return remove
