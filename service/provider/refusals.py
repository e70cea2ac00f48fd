"""What an answer says beside its body: when it was given, when to come back, and why the provider refused."""

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx


def http_date(text: str) -> float | None:
    """Seconds since the epoch, None where it is no date. Reference: RFC 9110, 5.6.7 and 6.6.1."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def retry_after_seconds(headers: httpx.Headers, provider_at: float | None) -> float | None:
    """Reference: RFC 9110, 10.2.3. A date is compared with the provider's own, never with our clock."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    retry_at = http_date(text)
    return None if retry_at is None or provider_at is None else max(0.0, retry_at - provider_at)


def refusal_text(content: bytes, api_key: str) -> str:
    """The provider's reasons in one line, without what might be secret."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    words = "; ".join(_reasons(said)).replace(api_key, "…")
    words = " ".join(re.sub(r"https?://\S+|[^\s\x20-\x7e\xa0-\uffff]", "…", words).split())[:300]
    return f"The provider refused the request: {words}" if words else "The provider refused the request"


def _reasons(said: object, name: str = "") -> list[str]:
    if isinstance(said, str):
        return [f"{name}: {said}" if name and name != "detail" else said]
    if isinstance(said, list):
        return [reason for each in said[:5] for reason in _reasons(each, name)]
    if isinstance(said, dict):
        return [reason for key, each in list(said.items())[:10] for reason in _reasons(each, str(key)[:60])]
    return []
