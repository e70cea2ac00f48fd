"""Structured log lines: one JSON object each, with the request's id, and without anything that opens a door.

What is logged is decided where it happens, here only how it is written. Access lines carry route templates, no paths.
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

# One pattern each for what we, the provider and HTTP use as keys. Group 1 stays, the rest goes.
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
_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def request_id() -> str | None:
    """The id of the request being answered, None outside of one."""
    return _request_id.get()


@contextmanager
def request_scope(identifier: str) -> Iterator[None]:
    """Every line written inside, by whatever task is started there, carries the id."""
    token = _request_id.set(identifier)
    try:
        yield
    finally:
        _request_id.reset(token)


def redact(text: str) -> str:
    """The text without anything that looks like a key, a token, a state, or the secret part of a provider's link."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1…", text)
    return text


class JsonLines(logging.Formatter):
    """`secrets` are removed wherever they stand, besides what `redact` knows by its looks."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = _remover(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds; what came as `extra` stands beside the message."""
        extra = {name: value for name, value in record.__dict__.items() if name not in _USUAL}
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
    """Writes every logger's lines to `stream`. Loggers that would write addresses with tokens in them are quietened."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def _remover(secrets: Iterable[str]) -> Callable[[str], str]:
    # Short ones, as in development, would tear words apart; the longest go first, since one may be part of another.
    known = sorted((secret for secret in secrets if len(secret) >= 8), key=len, reverse=True)

    def remove(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "…")
        return redact(text)

    return remove
