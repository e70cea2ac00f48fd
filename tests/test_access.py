"""The log line of each request: the same JSON as other lines, without secrets, whatever a proxy passes on."""

import json
import logging
from typing import Any

import pytest

from service.telemetry.access import AccessRecord, Answered
from service.telemetry.logs import JsonLines, PlainLines

ANSWERED = Answered("GET", "/v1/sessions/{}", 200, 0.0123456789, "198.51.100.9", "req_0123456789abcdef")


def line(answered: Answered, *secrets: str) -> dict[str, Any]:
    text = JsonLines(secrets).format(AccessRecord(answered))
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_has_the_fields_of_every_line_and_its_own() -> None:
    found = line(ANSWERED)
    assert found.pop("at").endswith("+00:00")
    assert found == {
        "level": "info",
        "logger": "service.access",
        "message": "request",
        "method": "GET",
        "route": "/v1/sessions/{}",
        "status": 200,
        "seconds": 0.012346,
        "client": "198.51.100.9",
        "requestId": "req_0123456789abcdef",
    }


@pytest.mark.parametrize("client", ['a"}\n{"level": "info', "Bearer whsec_c2VjcmV0c2VjcmV0", "key-of-ours-0123456789"])
def test_an_address_can_write_no_line_and_show_no_secret(client: str) -> None:
    found = line(Answered("GET", "/", 200, 0.1, client, "req_1"), "key-of-ours-0123456789")
    assert found["requestId"] == "req_1"
    assert "c2VjcmV0" not in found["client"]
    assert "key-of-ours" not in found["client"]


def test_what_is_too_long_for_an_address_is_left_out() -> None:
    assert line(Answered("GET", "/", 200, 0.1, "9 " * 1000, "req_1"))["client"] == "(too long for an address)"


def test_other_formatters_can_format_it_too() -> None:
    record = AccessRecord(ANSWERED)
    assert PlainLines().format(record) == "Info: request"
    assert logging.Formatter("%(levelname)s %(name)s %(filename)s:%(lineno)d %(message)s").format(record)
