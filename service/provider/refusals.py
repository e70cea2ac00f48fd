"""Reads what an answer says beside its data: its date, when to retry, and why the provider refused."""

import json
import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

# An address may hold a token; a control character could steer a terminal or forge a line of a log; half a character (a
# lone surrogate) is in no answer, since UTF-8 has none.
_UNSHOWN = re.compile(r"https?://\S+|[^\s\x20-\x7e\xa0-\ud7ff\ue000-\uffff]|[\u202a-\u202e\u2066-\u2069]")
_DEEPEST = 20  # lists and objects inside of one another; a parser takes hundreds, which our own recursion could not


def http_date(text: str) -> float | None:
    """Return seconds since the epoch, None for text that is no date. Reference: RFC 9110, 5.6.7 and 6.6.1."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def retry_after_seconds(headers: httpx.Headers, provider_at: float | None) -> float | None:
    """Return how long the provider asks to wait, None where it does not ask. Reference: RFC 9110, 10.2.3.

    A date is compared with the answer's own date, never with this service's clock.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    retry_at = http_date(text)
    return None if retry_at is None or provider_at is None else max(0.0, retry_at - provider_at)


def refusal_text(content: bytes, api_keys: Sequence[str]) -> str:
    """Return one line with the provider's reasons, at most 300 characters of them, without secrets.

    Hosts and operators read it, so our API keys and every address (which may hold a token) become "…".
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    words = "; ".join(_reasons(body))
    for key in api_keys:
        words = words.replace(key, "…")
    words = " ".join(_UNSHOWN.sub("…", words).split())[:300]
    return f"The provider refused the request: {words}" if words else "The provider refused the request"


def _reasons(value: object, name: str = "", depth: int = 0) -> list[str]:
    # The shape of a refusal is not documented, so texts are read from any nesting of lists and objects.
    if isinstance(value, str):
        return [f"{name}: {value}" if name and name != "detail" else value]
    if depth > _DEEPEST:
        return []
    if isinstance(value, list):
        return [reason for each in value[:5] for reason in _reasons(each, name, depth + 1)]
    if isinstance(value, dict):
        named = [(str(key)[:60], each) for key, each in list(value.items())[:10]]
        return [reason for key, each in named for reason in _reasons(each, key, depth + 1)]
    return []
