"""What a query string may say: known names, cursors, limits; everything else is refused by name."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from service.domain.model import ConnectionId, SessionId
from service.errors import InvalidRequest, NotFound, Problem

_PAGE_DEFAULT, _PAGE_MOST = 25, 100
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAGING = frozenset({"limit", "after"})


def query_of(request: Request, known: Collection[str]) -> dict[str, str]:
    """The parameters. Raises InvalidRequest: an unknown name, one given twice, an unreadable value."""
    given = request.query_params.multi_items()
    problems = [Problem(f"/{name}", "is not a known parameter") for name, _ in given if name not in known]
    names = [name for name, _ in given]
    problems += [Problem(f"/{name}", "is given twice") for name in sorted(set(names)) if names.count(name) > 1]
    problems += [
        Problem(f"/{name}", "is not readable") for name, value in given if "\x00" in value or len(value) > 1024
    ]
    if problems:
        raise InvalidRequest(problems)
    return {name: value for name, value in given if value}


def renamed(query: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The parameters under the names that the stories use."""
    return {names[name]: value for name, value in query.items() if name in names}


def number(name: str, text: str, least: int, most: int) -> int:
    """A whole number within limits. Raises InvalidRequest."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise InvalidRequest([Problem(f"/{name}", f"must be a whole number from {least} to {most}")])
    return int(text)


def flag(name: str, text: str) -> bool:
    """`true` or `false`. Raises InvalidRequest."""
    if text not in {"true", "false"}:
        raise InvalidRequest([Problem(f"/{name}", "must be true or false")])
    return text == "true"


def limit_of(request: Request) -> int:
    """How many rows are wanted."""
    return number("limit", request.query_params.get("limit") or str(_PAGE_DEFAULT), 1, _PAGE_MOST)


def paging_of(request: Request) -> tuple[tuple[float, str] | None, int]:
    """Where a list goes on, and how far. Raises InvalidRequest for a cursor that we did not give."""
    after = request.query_params.get("after")
    return (_cursor(after) if after else None), limit_of(request)


def position_of(request: Request) -> int:
    """Where the log goes on; nothing means from its start."""
    after = request.query_params.get("after")
    return number("after", after, 0, 10**9 - 1) if after else 0


def session_id_of(request: Request) -> SessionId:
    """The id of the path. What cannot be an id is NotFound without asking."""
    text = str(request.path_params["id"])
    if not re.fullmatch(r"ses_[0-9A-Za-z]{8,64}", text, re.ASCII):
        raise NotFound
    return SessionId(text)


def connection_id_of(request: Request) -> ConnectionId:
    """The provider's UUID of the path."""
    text = str(request.path_params["id"]).lower()
    if not _UUID.fullmatch(text):
        raise NotFound
    return ConnectionId(text)


def list_page(rows: Sequence[tuple[dict[str, Any], float]], limit: int) -> JSONResponse:
    """A page of a list; `rows` are one more than wanted where there are more."""
    page = rows[:limit]
    more = len(rows) > limit
    return JSONResponse({"data": [row for row, _ in page], "next": _mark(*page[-1]) if more else None})


def event_page(events: Sequence[dict[str, Any]], limit: int, otherwise: str | None) -> JSONResponse:
    """A page of the log; `next` goes on behind its last event, or stays `otherwise`."""
    page = events[:limit]
    at_end = len(events) <= limit
    following = str(page[-1]["seq"]) if page else otherwise
    return JSONResponse({"data": list(page), "next": following if otherwise is not None or not at_end else None})


def _mark(row: dict[str, Any], at: float) -> str:
    return base64.urlsafe_b64encode(f"{at!r}|{row['id']}".encode()).decode().rstrip("=")


def _cursor(text: str) -> tuple[float, str]:
    try:
        at, _, row_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").partition("|")
        return _finite(float(at)), _row_id(row_id)
    except (ValueError, binascii.Error) as exc:
        raise InvalidRequest([Problem("/after", "is not a cursor of this list")]) from exc


def _finite(value: float) -> float:
    if not abs(value) < 1e12:  # NaN fails too
        raise ValueError(value)
    return value


def _row_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", text):
        raise ValueError(text)
    return text
