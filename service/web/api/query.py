"""Query strings: the names, cursors and limits that are allowed; everything else is refused by name."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence

from starlette.requests import Request

from service.domain.events import Event
from service.domain.model import ConnectionId, SessionId
from service.errors import InvalidRequest, NotFound, Problem
from service.usecases.bills import DocumentPlace
from service.web.api.answers import EventListJson
from service.web.api.json import event_json
from service.web.parameters import query_fields

_PAGE_DEFAULT, _PAGE_MOST = 25, 100
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STANDARD = str.maketrans("-_", "+/")
PAGING = frozenset({"limit", "after"})


def query_of(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> dict[str, str]:
    """The parameters. Raises InvalidRequest: an unknown name, one given twice, an unreadable value.

    Of a repeatable one it is the last value; `values_of` returns all.
    """
    given = query_fields(request)
    problems = [Problem(f"/{name}", "is not a known parameter") for name, _ in given if name not in known]
    # Programs differ in which of two equal names they take, so a proxy may have checked the other one.
    names = [name for name, _ in given if name not in repeatable]
    problems += [Problem(f"/{name}", "is given twice") for name in sorted(set(names)) if names.count(name) > 1]
    problems += [
        Problem(f"/{name}", "is not readable") for name, value in given if "\x00" in value or len(value) > 1024
    ]
    # An empty filter must not find everything: `userId=` may come from a host's mistake. `after=` is the first page.
    problems += [Problem(f"/{name}", "must not be empty") for name, value in given if not value and name != "after"]
    if problems:
        raise InvalidRequest(problems)
    return {name: value for name, value in given if value}


def values_of(request: Request, name: str) -> list[str]:
    """All values of a repeatable parameter, in their order."""
    return [value for given, value in query_fields(request) if given == name]


def renamed(query: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The parameters under the names that the use cases take."""
    return {names[name]: value for name, value in query.items() if name in names}


def number(name: str, text: str, least: int, most: int) -> int:
    """A whole number within limits. Raises InvalidRequest."""
    # Without ASCII, `\d` also matches the digits of other scripts.
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not least <= int(text) <= most:
        raise InvalidRequest([Problem(f"/{name}", f"must be a whole number from {least} to {most}")])
    return int(text)


def flag(name: str, text: str) -> bool:
    """`true` or `false`. Raises InvalidRequest."""
    if text not in {"true", "false"}:
        raise InvalidRequest([Problem(f"/{name}", "must be true or false")])
    return text == "true"


def limit_of(request: Request) -> int:
    """The number of rows wanted, 25 by default. Raises InvalidRequest."""
    return number("limit", dict(query_fields(request)).get("limit") or str(_PAGE_DEFAULT), 1, _PAGE_MOST)


def paging_of(request: Request) -> tuple[tuple[float, str] | None, int]:
    """The position after which a list page begins, and its size. Raises InvalidRequest for an unreadable cursor."""
    after = dict(query_fields(request)).get("after")
    return (_cursor(after) if after else None), limit_of(request)


def position_of(request: Request) -> int:
    """The position in the log after which events are wanted; 0, its start, without `after`."""
    after = dict(query_fields(request)).get("after")
    return number("after", after, 0, 10**15 - 1) if after else 0


def document_place_of(request: Request) -> DocumentPlace:
    """The place in the provider's list at which a list page of documents begins. Raises InvalidRequest."""
    after = dict(query_fields(request)).get("after") or "1.0"
    place = re.fullmatch(r"([1-9]\d{0,3})\.(\d{1,4})", after, re.ASCII)
    if place is None:
        raise InvalidRequest([Problem("/after", "is not a cursor of this list")])
    return DocumentPlace(int(place[1]), int(place[2]))


def document_cursor(place: DocumentPlace | None) -> str | None:
    """The `next` of a list page of documents."""
    return None if place is None else f"{place.page}.{place.offset}"


def session_id_of(request: Request) -> SessionId:
    """The session id in the path. Raises NotFound for a text that cannot be one, without a query."""
    text = str(request.path_params["id"])
    if not re.fullmatch(r"ses_[0-9A-Za-z]{8,64}", text, re.ASCII):
        raise NotFound
    return SessionId(text)


def connection_id_of(request: Request) -> ConnectionId:
    """The provider's UUID in the path. Raises NotFound."""
    text = str(request.path_params["id"]).lower()
    if not _UUID.fullmatch(text):
        raise NotFound
    return ConnectionId(text)


def next_cursor(rows: Sequence[tuple[str, float]], limit: int) -> str | None:
    """The `next` of a list page. `rows` are ids and times of what was found, one more than `limit` if there is more."""
    if len(rows) <= limit:
        return None
    row_id, at = rows[limit - 1]
    return base64.urlsafe_b64encode(f"{at!r}|{row_id}".encode()).decode().rstrip("=")


def event_page(events: Sequence[Event], limit: int, at_end: str | None) -> EventListJson:
    """A list page of the log. `events` are one more than `limit` if there is more; `at_end` is its `next` if not.

    The list of all events has a `next` even at its end, so that its reader can wait for what comes.
    """
    page = [event_json(event) for event in events[:limit]]
    more = len(events) > limit
    following = str(page[-1]["seq"]) if page else at_end
    return {"data": page, "next": following if more or at_end is not None else None}


# A cursor is not signed: a forged one only names another place in the caller's own list.
def _cursor(text: str) -> tuple[float, str]:
    try:
        # In the standard alphabet, since only that decoder has an option to refuse what is not base64.
        raw = base64.b64decode(text.translate(_STANDARD) + "=" * (-len(text) % 4), validate=True)
        at, _, row_id = raw.decode("ascii").partition("|")
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
