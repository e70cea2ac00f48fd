"""Query strings, form fields and cookies, within limits that are checked before anything is parsed.

Every route reads them here. Starlette's own parsers have no limits: one request with 14,000 names, or with a cookie of
64 KB, could occupy the only event loop for seconds.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.errors import InvalidRequest, TooLarge

MAX_FIELDS = 50
MAX_QUERY_BYTES = 8 * 1024
# Browsers send the cookies of the whole domain, also those of other programs on it.
MAX_COOKIE_BYTES = 16 * 1024


def query_fields(request: Request) -> Sequence[tuple[str, str]]:
    """Return the parameters of the query string, in their order. Raises InvalidRequest where there are too many."""
    raw: bytes = request.scope["query_string"]
    if len(raw) > MAX_QUERY_BYTES:
        raise InvalidRequest(detail=f"The query string is larger than {MAX_QUERY_BYTES // 1024} KiB")
    try:
        return _fields(raw)
    except ValueError as exc:
        raise InvalidRequest(detail=f"The query string has more than {MAX_FIELDS} parameters") from exc


def form_fields(raw: bytes) -> Sequence[tuple[str, str]]:
    """Return the fields of a urlencoded body, whose reader limits its size. Raises TooLarge for too many fields."""
    try:
        return _fields(raw)
    except ValueError as exc:
        raise TooLarge(f"The form has more than {MAX_FIELDS} fields") from exc


def cookie(request: Request, name: str) -> str | None:
    """Return the value of one cookie as it was sent; of two with this name the last one.

    Cookies above the limit count as absent; the request is not refused. Otherwise an attacker on a sibling domain could
    set large cookies, and shut the user out for as long as the browser keeps them.
    """
    headers = request.headers.getlist("cookie")
    if sum(map(len, headers)) > MAX_COOKIE_BYTES:
        return None
    found = None
    for pair in ";".join(headers).split(";"):
        given, _, value = pair.partition("=")
        if given.strip() == name:
            found = value.strip()
    return found


def cookie_names(request: Request) -> list[str]:
    """Return the names of all cookies, in the order in which browsers send them: the oldest first.

    Reference: RFC 6265, 5.4, for cookies with the same path.
    """
    pairs = ";".join(request.headers.getlist("cookie")).split(";")
    return [pair.partition("=")[0].strip() for pair in pairs]


def _fields(raw: bytes) -> Sequence[tuple[str, str]]:
    # Bytes that are not UTF-8 are replaced: no field of ours has any.
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
