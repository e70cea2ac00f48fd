"""Structured log lines: one JSON object each, with the request's id, and without secrets.

What is logged is decided at the place where it happens; here is how it is written. Access lines have route templates
and no paths, since a path contains a token.
"""

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from service.telemetry.access import AccessLines, AccessRecord

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_log = logging.getLogger(__name__)
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
_SHORT = 8  # characters
_WAIT_SECONDS, _MOST_WAITING = 0.1, 500
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


def remover(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what removes these secrets from a text, in every form that a message could give them, and redacts it."""
    known = {form for secret in secrets for form in (secret, secret.removeprefix("whsec_")) if form}
    # The longest go first, since one may be part of another.
    pattern = re.compile("|".join(_pattern(form) for form in sorted(known, key=len, reverse=True)) or r"(?!)")

    def remove(text: str) -> str:
        return redact(pattern.sub("…", text))

    return remove


def for_terminal(text: str) -> str:
    """Return lines of text with "?" for what a terminal would obey: parts of it come from hosts and the provider."""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object. `secrets` are removed wherever they occur, besides what `redact` removes."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = remover(secrets)
        self._access = AccessLines(self._redact)

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the record contains; fields of `extra` are beside the message."""
        if isinstance(record, AccessRecord):
            return self._access.format(record)
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD_FIELDS}
        line: dict[str, Any] = {
            **{name: self._clean(value) for name, value in extra.items()},
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(_message(record)),
            "requestId": request_id(),
            "error": self._clean(self.formatException(record.exc_info)) if record.exc_info else None,
            "stack": self._clean(record.stack_info),
        }
        return json.dumps({name: value for name, value in line.items() if value is not None})

    def _clean(self, value: object) -> str | float | None:
        return value if isinstance(value, (int, float)) or value is None else self._redact(_text(value))


class PlainLines(logging.Formatter):
    """Formats a record for a person at a shell, without the secrets that `JsonLines` removes."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = remover(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the level and the message, and the traceback below them where there is one."""
        error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        text = self._redact(f"{record.levelname.capitalize()}: {_message(record)}{error}")
        return for_terminal(text)


class _LogHandler(logging.StreamHandler[TextIO]):
    """Formats and writes access lines together, a tenth of a second late at most, and every other line at once.

    Each write releases the interpreter's lock, for which a busy event loop then waits: that took longer than the
    request. Formatting between two requests takes the processor's cache from both, and cost three times what it costs
    here. Lines that the stream does not take are dropped: logging's own report would repeat their arguments.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line."""
        loop = _running_loop() if isinstance(record, AccessRecord) else None
        if loop is None:
            self._write_waiting()
            super().emit(record)
            return
        self._waiting.append(record)
        if len(self._waiting) == 1:
            loop.call_later(_WAIT_SECONDS, self.flush)
        elif len(self._waiting) >= _MOST_WAITING:
            self._write_waiting()

    def flush(self) -> None:
        """Write what waits."""
        with self.lock or nullcontext():
            self._write_waiting()
            super().flush()

    def _write_waiting(self) -> None:
        records, self._waiting = self._waiting, []
        if records:
            with suppress(OSError, ValueError):  # a closed pipe or stream
                self.stream.write("".join(self.format(record) + self.terminator for record in records))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drop the line."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def configure(stream: TextIO, lines: logging.Formatter, level: int = logging.INFO) -> None:
    """Write every logger's lines to `stream`, from `level` on; HTTP libraries only from WARNING on.

    What Python would print itself is logged too: warnings, and errors that end a thread or cannot be raised.
    """
    handler = _LogHandler(stream)
    handler.setFormatter(lines)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # At INFO these log addresses, and those contain tokens and the secret parts of links.
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_unraisable


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None and not isinstance(error.exc_value, SystemExit):
        name = error.thread.name if error.thread else "?"
        _log.critical("the thread %s ended with an error", name, exc_info=error.exc_value)


def _log_unraisable(error: "UnraisableHookArgs") -> None:
    # The object is left out: its repr may hold anything.
    _log.error("%s", error.err_msg or "an error could not be raised", exc_info=error.exc_value)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the error is a caller's, and its line is still worth more than none
        return f"{record.msg} (its arguments cannot be formatted)"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - as above
        return f"({type(value).__name__} that cannot be shown)"


def _pattern(secret: str) -> str:
    """Match the secret as it is, percent-encoded, or escaped any number of times, as in the repr of a repr."""
    pattern = "".join(one if one.isalnum() and one.isascii() else _odd_character(one) for one in secret)
    # A short secret, as in development, may be part of a word: it is removed only where it stands alone.
    return pattern if len(secret) >= _SHORT else rf"(?<![\w-]){pattern}(?![\w-])"


def _odd_character(one: str) -> str:
    percent = "".join(f"%{byte:02x}" for byte in one.encode("utf-8", "surrogatepass"))
    octets = r"\\*".join(f"x{byte:02x}" for byte in one.encode("utf-8", "surrogatepass"))  # in the repr of bytes
    codes = f"{percent}|{octets}|x{ord(one):02x}|u{ord(one):04x}|U{ord(one):08x}"
    return rf"\\*(?:{re.escape(one)}|(?i:{codes}))"
