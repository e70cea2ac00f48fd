"""Parses the provider's answers: one object, or a list of pages that may change while it is read.

Answers are parsed leniently: the documentation disagrees with itself, and fields come and go. A list is read item by
item: a field that cannot be read is None, an item without a readable id is left out, and the rest is used. What could
not be read is logged and reported (`CallLimits.unreadable`).
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from service.errors import ProviderBroken
from service.provider.account import UnreadableItem
from service.provider.transport import Call, Transport

_log = logging.getLogger(__name__)

_MOST_ATTEMPTS = 4
_MOST_LOGGED = 5
_MOST_PAGES = 1000
LARGEST_LIST_BYTES = 64 * 1024 * 1024  # of all pages in all attempts: some lists are kept as they came
_MOST_ON_PAGE = 500  # Reference: docs/provider.md, 3: no `limit` can ask for more
_MOST_IN_ARRAY = 100_000  # of a list without pages: as many as the largest answer can hold, each with a few fields
_TURN_ITEMS = 200
_TOO_LATE_AT = 253_370_764_800  # the year 9999: in some time zones it is the year 10000, which datetime cannot hold
UNREAD = "? "  # begins the key of an item that is kept although it could not be read whole
UNREADABLE = "The provider's answer does not follow its API; retry later"

T = TypeVar("T")


class Shape(BaseModel):
    """An object of the provider: camelCase in JSON, unknown fields ignored, numbers accepted as text."""

    model_config = ConfigDict(
        alias_generator=to_camel, coerce_numbers_to_str=True, frozen=True, hide_input_in_errors=True
    )


S = TypeVar("S", bound=Shape)


def seconds_of(text: object) -> float:
    """Return a time of the provider as seconds since the epoch. Raises ValueError, OverflowError."""
    # Times have six to nine digits of a second and often no zone, which then is UTC.
    if not isinstance(text, str):
        raise ValueError("not a time")  # noqa: TRY004 - the one class that pydantic reads as invalid
    moment = datetime.fromisoformat(text)
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= at < _TOO_LATE_AT:
        raise ValueError("not a time that the API could answer")
    return at


def _text_only(value: object) -> object:
    # A number is no id. Converted to text it would be another id, and one odd answer would record it permanently.
    if not isinstance(value, str):
        raise ValueError("not an id")  # noqa: TRY004 - the one class that pydantic reads as invalid
    return value


def _or_none(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if value is None:
        return None
    try:
        return read(value)
    except ValidationError:
        if info.context is not None:
            info.context.add(to_camel(info.field_name or "item"))
        return None


Id = Annotated[str, BeforeValidator(_text_only), StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
At = Annotated[float, BeforeValidator(seconds_of)]
# What people typed, as much of it as a page shows, without what could reorder or break the text around it (Unicode's
# controls and overrides of direction); and words of the provider's own.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
Name = Annotated[str, AfterValidator(lambda text: _UNSHOWN.sub("\ufffd", text[:300]))]
ExternalId = Annotated[str, StringConstraints(max_length=1000)]
Url = Annotated[str, StringConstraints(max_length=2000)]
Status = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_ -]{0,99}$")]
# A field, or an item of an array, that is None where it cannot be read; the field's name is then noted.
Maybe = Annotated[T | None, WrapValidator(_or_none)]


def read_object(shape: type[S], body: Any, *, lost: bool = False) -> S:
    """Parse one object. Raises ProviderBroken, with `lost` set for the answer to a creating call."""
    try:
        return shape.model_validate(body)
    except ValidationError as exc:
        raise ProviderBroken(UNREADABLE, lost=lost) from exc


def read_item(shape: type[S], body: Any, odd: set[str]) -> S | None:
    """Parse one item of a list, None where it must be left out; adds to `odd` the names of what cannot be read."""
    try:
        return shape.model_validate(body, context=odd)
    except ValidationError as exc:
        odd.update(str(error["loc"][0]) if error["loc"] else "item" for error in exc.errors())
        return None


@dataclass(frozen=True, slots=True)
class ListCall(Generic[T]):
    """How to read one list: the call for its first page, the name of its array, and a parser of one item.

    `read_item` returns the item's id and the item, or None for an item that is left out, and adds the names of the
    fields that it cannot read to its second argument. `kind` is what one item is called.
    """

    call: Call
    name: str
    kind: str
    read_item: Callable[[Any, set[str]], tuple[str, T] | None]


@dataclass(frozen=True, slots=True)
class ReadList(Generic[T]):
    """A list as read; `left_out` is how many of its items had to be left out, `provider_at` its first answer's Date."""

    items: tuple[T, ...]
    provider_at: float | None
    left_out: int = 0


@dataclass(slots=True)
class _ListAttempt(Generic[T]):
    """One attempt to read all pages of a list. `steady`: every page received was the page asked for."""

    items: dict[str, T] = field(default_factory=dict)
    unreadable: list[UnreadableItem] = field(default_factory=list)
    pages: int = 0
    size: int = 0
    left_out: int = 0
    steady: bool = False
    provider_at: float | None = None


async def read_list(transport: Transport, listing: ListCall[T], *, agreed: bool = True) -> ReadList[T]:
    """Return every item that any attempt read, in the order first seen, and the Date of the first answer.

    Items can move between pages while these are read. So a list of several pages is read again until two attempts in a
    row have the same ids; `agreed=False` takes the first steady attempt instead. An item that was read twice has its
    newer fields. Raises ProviderFailure, after `list_seconds` at the latest.
    """
    deadline = transport.list_deadline()
    union: dict[str, T] = {}
    provider_at: float | None = None
    before: frozenset[str] | None = None
    rest = LARGEST_LIST_BYTES
    for number in range(_MOST_ATTEMPTS):
        attempt = await _read_pages(transport, listing, deadline, rest)
        rest -= attempt.size
        union |= attempt.items
        # The first Date: what existed by then is in the list, whatever later pages add.
        provider_at = attempt.provider_at if number == 0 else provider_at
        ids = frozenset(attempt.items)
        if attempt.steady and (attempt.pages == 1 or ids == before or not agreed):
            await _report(transport, listing.kind, attempt.unreadable)
            return ReadList(tuple(union.values()), provider_at, attempt.left_out)
        before = ids if attempt.steady else None
    raise ProviderBroken("The provider's list changes faster than it can be read; retry later")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """One page of a list as it was when it was read; the next page may repeat an item, or miss one.

    `left_out` is how many of its items had to be left out.
    """

    items: tuple[T, ...]
    has_next: bool
    left_out: int = 0


async def read_page(transport: Transport, listing: ListCall[T], number: int) -> ListPage[T]:
    """Return one page of a list, from 1; a page past the end is empty. Raises ProviderFailure."""
    query = {**listing.call.query, "page": number} if number > 1 else listing.call.query
    answer = await transport.send(replace(listing.call, query=query))
    paged = isinstance(answer.body, dict)
    # Reference: cookbooks/pagination: a page past the end is answered with the last one.
    if (paged and answer.body.get("currentPage") not in (None, number)) or (number > 1 and not paged):
        return ListPage((), has_next=False)
    attempt: _ListAttempt[T] = _ListAttempt()
    async for body in _in_turns(_array(answer.body, listing.name)):
        _read_one(listing, body, attempt)
    await _report(transport, listing.kind, attempt.unreadable)
    has_next = paged and bool(answer.body.get("hasNext")) and number < _MOST_PAGES
    return ListPage(tuple(attempt.items.values()), has_next, attempt.left_out)


async def _read_pages(transport: Transport, listing: ListCall[T], deadline: float, most_bytes: int) -> _ListAttempt[T]:
    attempt: _ListAttempt[T] = _ListAttempt()
    for page in range(1, _MOST_PAGES + 1):
        # The first page has no number in its query: some lists are bare arrays without pages.
        query = {**listing.call.query, "page": page} if page > 1 else listing.call.query
        answer = await transport.send(replace(listing.call, query=query), deadline)
        attempt.pages = page
        attempt.size += answer.size
        if attempt.size > most_bytes:
            raise ProviderBroken("The provider's list is larger than this service can read")
        attempt.provider_at = answer.provider_at if page == 1 else attempt.provider_at
        # Reference: cookbooks/pagination: a page past the end is answered with the last one.
        if isinstance(answer.body, dict) and answer.body.get("currentPage") not in (None, page):
            return attempt
        async for body in _in_turns(_array(answer.body, listing.name)):
            _read_one(listing, body, attempt)
        if not isinstance(answer.body, dict) or not answer.body.get("hasNext"):
            attempt.steady = True
            return attempt
    raise ProviderBroken(UNREADABLE)


def _read_one(listing: ListCall[T], body: Any, attempt: _ListAttempt[T]) -> None:
    odd: set[str] = set()
    item = listing.read_item(body, odd)
    if item is not None:
        attempt.items[item[0]] = item[1]
    attempt.left_out += item is None
    if item is None or odd:
        known = item[0].removeprefix(UNREAD) if item is not None and "id" not in odd else None
        attempt.unreadable.append(UnreadableItem(listing.kind, known, tuple(sorted(odd))))


async def _in_turns(items: Sequence[T]) -> AsyncIterator[T]:
    """Yield the items, and let other tasks run after every 200th: a bare array may have thousands."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _TURN_ITEMS == 0:
            await asyncio.sleep(0)


async def _report(transport: Transport, kind: str, unreadable: Sequence[UnreadableItem]) -> None:
    if not unreadable:
        return
    named = "; ".join(str(item) for item in unreadable[:_MOST_LOGGED])
    _log.error("%d items of the provider's list cannot be read whole (%s): %s", len(unreadable), kind, named)
    async for item in _in_turns(unreadable):
        transport.report_unreadable(item)


def _array(body: Any, name: str) -> list[Any]:
    found = _only_array(body, name)
    is_page = isinstance(body, dict) and not body.keys().isdisjoint({"currentPage", "hasNext"})
    if len(found) > (_MOST_ON_PAGE if is_page else _MOST_IN_ARRAY):
        raise ProviderBroken(UNREADABLE)
    return found


def _only_array(body: Any, name: str) -> list[Any]:
    # A bare array, the array of the documented name, or the only array: the documentation names some in two ways.
    if isinstance(body, list):
        return body
    arrays = {key: value for key, value in body.items() if isinstance(value, list)} if isinstance(body, dict) else {}
    if name in arrays:
        return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise ProviderBroken(UNREADABLE)
