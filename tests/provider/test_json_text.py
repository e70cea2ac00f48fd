"""Texts of JSON that Python reads and this service could neither store nor answer."""

import json

import pytest

from service.provider.json_text import parse_json


@pytest.mark.parametrize("content", [b"", b" \n", b"null"])
def test_an_empty_text_is_no_value(content: bytes) -> None:
    assert parse_json(content) is None


@pytest.mark.parametrize("content", [b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 200_000, b"{'a': 1}"])
def test_what_is_not_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(content)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000, "-" + "9" * 5000])
def test_a_number_beyond_all_bounds_stays_text_and_spoils_nothing_around_it(number: str) -> None:
    found = parse_json(f'[{{"id": "a", "n": {number}}}, {{"id": "b"}}]'.encode())
    assert found == [{"id": "a", "n": number}, {"id": "b"}]
    json.dumps(found, allow_nan=False)


def test_other_numbers_are_numbers() -> None:
    assert parse_json(b"[1, -2.5, 1e3, 12345678901234567890]") == [1, -2.5, 1000.0, 12345678901234567890]


def test_what_no_database_holds_is_replaced() -> None:
    assert parse_json(rb'{"a\u0000": ["\ud800"]}') == {"a\ufffd": ["\ufffd"]}
