"""Query parameters: list pages and filters. Reference: the provider's pagination and filtering pages."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from service.sandbox.wire import fields
from service.sandbox.wire.enums import STATUSES, UTILITY_TYPES, WRONG_PASSWORD_STATUSES
from service.sandbox.world.records import SandboxConnection

PER_PAGE = 100
LIMIT_MOST = 500
DATE_TYPES = ("USAGE_PERIOD", "BILL_DATE", "CREATED_DATE", "UPDATED_DATE")

Wire = dict[str, Any]


@dataclass(frozen=True)
class DaySpan:
    """The days that a record covers, both inclusive, as ISO dates."""

    first: str
    last: str

    def overlaps(self, start: str | None, end: str | None) -> bool:
        """Tell whether it overlaps the period from `start` to `end`; an absent limit limits nothing."""
        return (start is None or self.last >= start) and (end is None or self.first <= end)


@dataclass(frozen=True)
class RecordFilter:
    """The filters of document and usage lists."""

    start: str | None
    end: str | None
    date_type: str
    kinds: frozenset[str]
    identifier: str | None

    def keeps(self, record: Wire, entries: Sequence[Wire], document: Wire) -> bool:
        """Tell whether a record passes, given its usage entries and its document."""
        # A document passes when one of its usage entries does.
        if self.kinds and not any(entry["datasourceType"] in self.kinds for entry in entries):
            return False
        if self.identifier is not None and not any(_is_named(entry, self.identifier) for entry in entries):
            return False
        return self._span(record, entries, document).overlaps(self.start, self.end)

    def _span(self, record: Wire, entries: Sequence[Wire], document: Wire) -> DaySpan:
        if self.date_type == "USAGE_PERIOD":
            return DaySpan(min(entry["startDate"] for entry in entries), max(entry["endDate"] for entry in entries))
        # A usage entry has no bill date of its own; it passes by its document's.
        if self.date_type == "BILL_DATE":
            return DaySpan(document["billDate"], document["billDate"])
        name = "created" if self.date_type == "CREATED_DATE" else "updated"
        at = str(record.get(name) or document[name])[:10]
        return DaySpan(at, at)


def read_record_filter(query: QueryParams, date_type: str = "BILL_DATE") -> RecordFilter:
    """Check the filters of a document or usage list; raises `InvalidFields` naming each wrong parameter."""
    checks: dict[str, fields.Check] = {
        "startDate": fields.iso_day,
        "endDate": fields.iso_day,
        "dateType": fields.choice(DATE_TYPES),
        "datasourceType": fields.listing(fields.choice(UTILITY_TYPES), 100),
        "identifier": fields.text(1, 255),
        "isDeleted": fields.choice(("true", "false", "True", "False", "1", "0")),
    }
    values = fields.read(_repeated(query, "datasourceType"), checks)
    return RecordFilter(
        values.get("startDate"),
        values.get("endDate"),
        values.get("dateType", date_type),
        frozenset(values.get("datasourceType", ())),
        _normalised(values),
    )


def read_connection_filter(query: QueryParams) -> Callable[[SandboxConnection], bool]:
    """Check the filters of a connection list; raises `InvalidFields` naming each wrong parameter."""
    checks: dict[str, fields.Check] = {
        "connectionOwnerEmail": fields.email,
        "status": fields.choice(STATUSES),
        "sites": fields.listing(fields.uuid, 100),
    }
    values = fields.read(_repeated(query, "sites"), checks)
    email, sites, status = values.get("connectionOwnerEmail"), set(values.get("sites", ())), values.get("status")
    # The provider's two spellings of a wrong password are one status to its clients.
    statuses = set(WRONG_PASSWORD_STATUSES) if status in WRONG_PASSWORD_STATUSES else {status}

    def keeps(connection: SandboxConnection) -> bool:
        return (
            (email is None or connection.owner_email == email)
            and (status is None or connection.status in statuses)
            and (not sites or bool(sites & set(connection.sites)))
        )

    return keeps


def read_interval_filter(query: QueryParams) -> Callable[[Wire], bool]:
    """Check the filters of an interval list; raises `InvalidFields` naming each wrong parameter."""
    checks: dict[str, fields.Check] = {
        "startDate": fields.moment,
        "endDate": fields.moment,
        "datasourceType": fields.listing(fields.choice(UTILITY_TYPES), 100),
        "identifier": fields.text(1, 255),
    }
    values = fields.read(_repeated(query, "datasourceType"), checks)
    start, end = values.get("startDate", float("-inf")), values.get("endDate", float("inf"))
    kinds, identifier = set(values.get("datasourceType", ())), _normalised(values)

    def keeps(interval: Wire) -> bool:
        # Only electricity has smart meters here.
        is_kind = not kinds or "ELECTRICITY" in kinds
        if not is_kind or (identifier is not None and not _is_named(interval, identifier)):
            return False
        return bool(fields.moment(interval["start"]) >= start and fields.moment(interval["end"]) <= end)

    return keeps


def page_of(query: QueryParams, name: str, items: Iterable[Any], *, limited: bool = False) -> Wire:
    """Return one list page in the provider's envelope; a page past the end is the last one.

    `limited` lists accept `limit`.
    """
    found = list(items)
    checks: dict[str, fields.Check] = {"page": _whole(10**9)} | ({"limit": _whole(LIMIT_MOST)} if limited else {})
    values = fields.read(query, checks)
    # Reference: 100 per page, and only the connection list has a `limit`.
    per_page: int = values.get("limit", PER_PAGE)
    pages = max(1, math.ceil(len(found) / per_page))
    page: int = min(values.get("page", 1), pages)
    return {
        f"total{name[0].upper()}{name[1:]}": len(found),
        "perPage": per_page,
        "totalPages": pages,
        "currentPage": page,
        "hasNext": page < pages,
        "hasPrevious": page > 1,
        name: found[(page - 1) * per_page : page * per_page],
    }


def normalise(identifier: str) -> str:
    """Return an identifier as the provider compares it: without separators and leading zeros, in capitals."""
    # Reference: the provider's filtering page, for the characters that do not count.
    return re.sub(r"[-\s_,/]", "", identifier).lstrip("0").upper()


def _normalised(values: Wire) -> str | None:
    return normalise(values["identifier"]) if "identifier" in values else None


def _is_named(entry: Wire, wanted: str) -> bool:
    """Tell whether an entry has this identifier, given as `normalise` returns it."""
    # Of `0` or `-` nothing is left, and that identifies nothing.
    return wanted != "" and wanted in {normalise(each["value"]) for each in entry["identifiers"]}


def _repeated(query: QueryParams, name: str) -> dict[str, Any]:
    given = query.getlist(name)
    return {key: value for key, value in query.items() if key != name} | ({name: given} if given else {})


def _whole(most: int) -> fields.Check:
    check = fields.whole(1, most)

    def read(value: str) -> int:
        # Checked before `int`, which is slow for very many digits.
        if not re.fullmatch(r"\d{1,12}", value, re.ASCII):
            raise ValueError("A valid integer is required.")
        number: int = check(int(value))
        return number

    return read
