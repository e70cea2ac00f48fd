"""Dates, pauses and reasons, as an answer says them beside its body."""

import json

import httpx
import pytest

from service.provider.refusals import http_date, refusal_text, retry_after_seconds
from tests.support.fake_provider import DATE, DATE_AT, KEY


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Jan 2026 10:00:00 GMT", "Tue, 06 Jan 99999 10:00:00 GMT"])
def test_what_is_no_date_gives_no_time(date: str) -> None:
    assert http_date(date) is None


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_date_is_utc_however_that_is_written(zone: str) -> None:
    assert http_date(DATE.replace("GMT", zone)) == DATE_AT


@pytest.mark.parametrize(
    ("provider_at", "retry_after", "seconds"),
    [
        (DATE_AT, "7", 7.0),
        (None, " 7 ", 7.0),
        (DATE_AT, "Tue, 06 Jan 2026 10:00:04 GMT", 4.0),
        (DATE_AT, "Tue, 06 Jan 2026 09:00:00 GMT", 0.0),
        (None, "Tue, 06 Jan 2026 10:00:04 GMT", None),
        (DATE_AT, "soon", None),
        (DATE_AT, "-5", None),
        (DATE_AT, "", None),
    ],
)
def test_a_retry_after_date_is_compared_with_the_providers_own(
    provider_at: float | None, retry_after: str, seconds: float | None
) -> None:
    assert retry_after_seconds(httpx.Headers({"Retry-After": retry_after}), provider_at) == seconds


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"detail": "Unknown site."}, "Unknown site."),
        ({"sites": ["Too many.", "Wrong."], "url": "Bad."}, "sites: Too many.; sites: Wrong.; url: Bad."),
        ({"prefill": {"country": ["Two letters."]}}, "country: Two letters."),
        (["One.", 2, None], "One."),
        ({"detail": f"key {KEY} at https://internal.example/x?y\n\x00!"}, "key … at … …!"),
        ({"detail": "x" * 1000}, "x" * 300),
        ({"detail": "No \ud800 site."}, "No … site."),
    ],
)
def test_the_providers_reasons_are_passed_on_without_secrets(body: object, reasons: str) -> None:
    assert refusal_text(json.dumps(body).encode(), [KEY]) == f"The provider refused the request: {reasons}"


@pytest.mark.parametrize("content", [b"<html>", b"", b"{}", b"5", b"[" * 100_000])
def test_a_refusal_without_reasons_is_reported_as_such(content: bytes) -> None:
    assert refusal_text(content, [KEY]) == "The provider refused the request"


@pytest.mark.parametrize("depth", [21, 200, 300, 500, 700, 900, 990, 2000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_reasons_that_are_nested_too_deeply_are_left_out(depth: int, opening: str, closing: str) -> None:
    nested = opening * depth + '"deep"' + closing * depth
    assert refusal_text(f'{{"deep": {nested}, "detail": "Near."}}'.encode(), [KEY]) in {
        "The provider refused the request: Near.",
        "The provider refused the request",
    }
    reached = opening * 20 + '"deep"' + closing * 20
    assert refusal_text(f'{{"url": {reached}}}'.encode(), [KEY]).endswith("deep")
