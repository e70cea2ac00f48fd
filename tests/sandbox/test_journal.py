"""The log of requests has no secrets and a limit."""

import json

import pytest
from starlette.datastructures import Headers

from service.sandbox.journal import (
    BODY_MOST,
    CHARACTERS_MOST,
    KEPT,
    REDACTED,
    RequestJournal,
    readable,
    without_secrets,
)
from tests.support.clock import Clock
from tests.support.sandbox_client import Sandbox


def test_the_oldest_request_is_dropped() -> None:
    journal = RequestJournal()
    for number in range(KEPT + 1):
        journal.add({"number": number})
    assert [json.loads(journal.entries()[place])["number"] for place in (0, -1)] == [1, KEPT]
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
    assert json.loads(readable(Headers({"content-type": kind}), raw)) == shown


def test_the_oldest_of_large_requests_are_dropped_sooner() -> None:
    journal = RequestJournal()
    for number in range(KEPT):
        journal.add({"number": number}, json.dumps("x" * BODY_MOST))
    kept = journal.entries()
    assert CHARACTERS_MOST - 2 * BODY_MOST < sum(map(len, kept)) <= CHARACTERS_MOST
    assert json.loads(kept[-1])["number"] == KEPT - 1


def test_a_request_is_kept_as_text_since_objects_take_many_times_the_memory() -> None:
    journal = RequestJournal()
    journal.add({}, readable(Headers({"content-type": "application/json"}), b"[%s]" % b",".join([b"{}"] * 6_000)))
    assert [type(entry) for entry in journal.entries()] == [str]


async def test_the_log_is_shown_whatever_the_depth_of_a_body_in_it(clock: Clock) -> None:
    sandbox = Sandbox(clock)
    # Around the depth at which the body itself can just be read.
    for depth in range(900, 1_000):
        body = b"[" * depth + b"]" * depth
        await sandbox.plain("POST", "/", content=body, headers={"Content-Type": "application/json"})
    assert len((await sandbox.plain("GET", "/_control/requests")).json()["requests"]) == 100
