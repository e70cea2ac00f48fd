"""Query strings, forms and cookies are limited before they are parsed, and parsed in one place."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

import service.web
from service.errors import InvalidRequest, TooLarge
from service.web.parameters import (
    MAX_COOKIE_BYTES,
    MAX_FIELDS,
    MAX_QUERY_BYTES,
    cookie,
    form_fields,
    query_fields,
)


def request(query: bytes = b"", *cookies: bytes) -> Request:
    headers = [(b"cookie", one) for one in cookies]
    return Request({"type": "http", "query_string": query, "headers": headers})


@pytest.mark.parametrize(
    "query", [b"x" * (MAX_QUERY_BYTES + 1), b"a=1&" * MAX_FIELDS, b"&" * MAX_FIELDS, b"a=" + b"%41" * MAX_QUERY_BYTES]
)
def test_a_query_over_a_limit_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequest):
        query_fields(request(query))


def test_a_form_with_too_many_fields_is_refused() -> None:
    with pytest.raises(TooLarge):
        form_fields(b"a=1&" * MAX_FIELDS)


def test_cookies_over_the_limit_count_as_absent() -> None:
    padding = b"; b=" + b"x" * MAX_COOKIE_BYTES
    assert cookie(request(b"", b"a=1" + padding), "a") is None
    assert cookie(request(b"", b"a=1", padding), "a") is None


def test_as_many_fields_as_are_allowed_are_read_in_their_order() -> None:
    fields = [(f"name{n}", "a value") for n in range(MAX_FIELDS)]
    text = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields).encode()
    assert list(query_fields(request(text))) == fields
    assert list(form_fields(text)) == fields
    assert list(query_fields(request(b"a=%C3%A9&b=&a=2"))) == [("a", "é"), ("b", ""), ("a", "2")]


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        ((), None),
        ((b"",), None),
        ((b"ab=1; b=2",), None),
        ((b"a",), ""),
        ((b"a=",), ""),
        ((b"b=1; a=2",), "2"),
        ((b"b=1;a = 2 ;c=3",), "2"),
        ((b"a=1; a=2",), "2"),
        ((b"a=1", b"a=2"), "2"),
        ((b"a=b=c",), "b=c"),
        ((b'a="\\', b"b=1"), '"\\'),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(cookies: tuple[bytes, ...], value: str | None) -> None:
    assert cookie(request(b"", *cookies), "a") == value


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_only_the_documented_errors_are_raised(raw: bytes) -> None:
    def outcome(read: Callable[[], object]) -> object:
        try:
            return read()
        except (InvalidRequest, TooLarge) as exc:
            return exc

    assert outcome(lambda: query_fields(request(raw))) is not None
    assert outcome(lambda: form_fields(raw)) is not None
    assert isinstance(cookie(request(b"", raw), "a"), str | None)


def test_no_route_uses_a_parser_without_limits() -> None:
    unlimited = re.compile(
        r"request\.(query_params|cookies|form|body|json)\b|parse_qs\b|SimpleCookie|FileResponse|StaticFiles"
    )
    folder = Path(next(iter(service.web.__path__)))
    found = {
        (path.name, match[0]) for path in folder.rglob("*.py") for match in unlimited.finditer(path.read_text("utf-8"))
    }
    assert found == set()
