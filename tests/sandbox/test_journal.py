"""The log of requests has no secrets and a limit."""

import pytest
from starlette.datastructures import Headers

from service.sandbox.journal import KEPT, REDACTED, RequestJournal, readable, without_secrets


def test_the_oldest_request_is_dropped() -> None:
    journal = RequestJournal()
    for number in range(KEPT + 1):
        journal.add({"number": number})
    assert [journal.entries()[place]["number"] for place in (0, -1)] == [1, KEPT]
    journal.clear()
    assert journal.entries() == []


def test_secret_headers_are_redacted_whatever_their_case() -> None:
    headers = Headers({"X-API-Key": "k", "Authorization": "b", "Cookie": "c", "Accept": "*/*"})
    assert without_secrets(headers) == {
        "x-api-key": REDACTED,
        "authorization": REDACTED,
        "cookie": REDACTED,
        "accept": "*/*",
    }


@pytest.mark.parametrize(
    ("kind", "raw", "shown"),
    [
        ("application/json", b'{"username": "u", "password": "p"}', {"username": "u", "password": REDACTED}),
        ("application/json; charset=utf-8", b"[1]", [1]),
        ("application/json", b"{", None),
        ("application/json", b"[NaN]", None),
        ("application/json", rb'"\ud800"', None),
        ("application/json", b"[" * 10_000, None),
        ("application/json", b'"' + b"x" * 20_000 + b'"', None),
        ("application/x-www-form-urlencoded", b"username=u&password=p", {"username": "u", "password": REDACTED}),
        ("application/x-www-form-urlencoded", b"\xff=1", None),
        ("text/plain", b"password", None),
        ("", b"", None),
    ],
)
def test_a_body_is_shown_without_its_password_or_not_at_all(kind: str, raw: bytes, shown: object) -> None:
    assert readable(Headers({"content-type": kind}), raw) == shown
