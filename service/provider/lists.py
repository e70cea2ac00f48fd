"""Parses the provider's answers: one object, or a list of pages that may change while it is read.

Answers are parsed leniently (the documentation disagrees with itself, and fields come and go), except for what
attribution rests on: ids, times and uses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from service.errors import ProviderBroken
from service.provider.transport import Call, Transport

_MOST_ATTEMPTS = 4
_MOST_PAGES = 1000
_TOO_LATE_AT = 253_370_764_800  # the year 9999: in some time zones it is the year 10000, which datetime cannot hold
_UNREADABLE = "The provider answered something that is not its contract; retry later"

T = TypeVar("T")


class Shape(BaseModel):
    """An object of the provider: camelCase in JSON, unknown fields ignored, numbers accepted as text."""

    model_config = ConfigDict(
        alias_generator=to_camel, coerce_numbers_to_str=True, frozen=True, hide_input_in_errors=True
    )


S = TypeVar("S", bound=Shape)


def _seconds(text: object) -> float:
    # Times have six to nine digits of a second and often no zone, which then is UTC.
    if not isinstance(text, str):
        raise ValueError("not a time")  # noqa: TRY004 - the one class that pydantic reads as invalid
    moment = datetime.fromisoformat(text)
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= at < _TOO_LATE_AT:
        raise ValueError("not a time that the API could answer")
    return at


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
At = Annotated[float, BeforeValidator(_seconds)]


def read_object(shape: type[S], body: Any, *, lost: bool = False) -> S:
    """Parse one object. Raises ProviderBroken, with `lost` set for the answer to a creating call."""
    try:
        return shape.model_validate(body)
    except ValidationError as exc:
        raise ProviderBroken(_UNREADABLE, lost=lost) from exc


@dataclass(frozen=True, slots=True)
class ListCall(Generic[T]):
    """How to read one list: the call for its first page, the name of its array, and a parser of one item.

    `read_item` returns the item's id and the item, or None for an item that is left out.
    """

    call: Call
    name: str
    read_item: Callable[[Any], tuple[str, T] | None]


@dataclass(frozen=True, slots=True)
class _ListAttempt(Generic[T]):
    """One attempt to read all pages of a list. `steady`: every page received was the page asked for."""

    items: dict[str, T]
    pages: int
    steady: bool
    provider_at: float | None


async def read_list(
    transport: Transport, listing: ListCall[T], *, agreed: bool = True
) -> tuple[tuple[T, ...], float | None]:
    """Return every item that any attempt read, in the order first seen, and the Date of the first answer.

    Items can move between pages while these are read. So a list of several pages is read again until two attempts in a
    row have the same ids; `agreed=False` takes the first steady attempt instead. An item that was read twice has its
    newer fields. Raises ProviderFailure, after `list_seconds` at the latest.
    """
    deadline = transport.list_deadline()
    union: dict[str, T] = {}
    provider_at: float | None = None
    before: frozenset[str] | None = None
    for number in range(_MOST_ATTEMPTS):
        attempt = await _read_pages(transport, listing, deadline)
        union |= attempt.items
        # The first Date: what existed by then is in the list, whatever later pages add.
        provider_at = attempt.provider_at if number == 0 else provider_at
        ids = frozenset(attempt.items)
        if attempt.steady and (attempt.pages == 1 or ids == before or not agreed):
            return tuple(union.values()), provider_at
        before = ids if attempt.steady else None
    raise ProviderBroken("The provider's list changes faster than it can be read; retry later")


async def _read_pages(transport: Transport, listing: ListCall[T], deadline: float) -> _ListAttempt[T]:
    items: dict[str, T] = {}
    provider_at: float | None = None
    for page in range(1, _MOST_PAGES + 1):
        # The first page has no number in its query: some lists are bare arrays without pages.
        query = {**listing.call.query, "page": page} if page > 1 else listing.call.query
        answer = await transport.send(replace(listing.call, query=query), deadline)
        provider_at = answer.provider_at if page == 1 else provider_at
        # Reference: cookbooks/pagination: a page past the end is answered with the last one.
        if isinstance(answer.body, dict) and answer.body.get("currentPage") not in (None, page):
            return _ListAttempt(items, page, steady=False, provider_at=provider_at)
        read = map(listing.read_item, _array(answer.body, listing.name))
        items.update(item for item in read if item is not None)
        if not isinstance(answer.body, dict) or not answer.body.get("hasNext"):
            return _ListAttempt(items, page, steady=True, provider_at=provider_at)
    raise ProviderBroken(_UNREADABLE)


def _array(body: Any, name: str) -> list[Any]:
    # A bare array, the array of the documented name, or the only array: the documentation names some in two ways.
    if isinstance(body, list):
        return body
    arrays = {key: value for key, value in body.items() if isinstance(value, list)} if isinstance(body, dict) else {}
    if name in arrays:
        return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise ProviderBroken(_UNREADABLE)
