"""A provider that is untidy: items of its contract, every place in them, and every way in which a place can be odd."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.support.provider_schema import DESCRIPTION

Place = tuple[str | int, ...]
GONE = object()

# What stands in a place instead of what belongs there: gone, null, of another type, larger than anybody expects.
CHANGES: dict[str, Callable[[Any], Any]] = {
    "removed": lambda _: GONE,
    "null": lambda _: None,
    "true": lambda _: True,
    "number": lambda _: 5,
    "negative": lambda _: -1,
    "fraction": lambda _: 1.5,
    "text": lambda _: "odd",
    "empty": lambda _: "",
    "array": lambda _: [],
    "object": lambda _: {},
    "nulls": lambda _: [None, {"id": None}, [[]]],
    "huge": lambda _: 10**30,
    "long": lambda value: f"{value}{'x' * 5_000}",
    "many": lambda value: [value] * 50,
    "deep": lambda value: _deep(value, 200),
}


def _deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = {"a": [value]}
    return value


def sample(name: str, **known: Any) -> dict[str, Any]:
    """An item with every field of a schema of the contract; `known` are those that mean something to a test."""
    made: dict[str, Any] = _value(DESCRIPTION["components"]["schemas"][name], 0)
    return made | known


def _value(schema: dict[str, Any], depth: int) -> Any:
    if "$ref" in schema:
        return _value(DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], depth)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object":
        return {} if depth > 2 else {name: _value(one, depth + 1) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [] if depth > 2 else [_value(schema["items"], depth + 1)]
    formats = {"uuid": "00000000-0000-4000-8000-00000000000a", "date-time": "2026-01-06T09:40:00", "date": "2026-01-06"}
    plain = {"boolean": False, "integer": 0, "number": 0.5}
    return plain.get(kind, formats.get(schema.get("format", ""), "word"))


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every field and every element within a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*at, name)
        yield from places(each, (*at, name))


def changed(value: Any, place: Place, change: Callable[[Any], Any]) -> Any:
    """A copy of the value with the change in that place; a place that is no longer there stays so."""
    if not place:
        return change(value)
    head, rest = place[0], place[1:]
    copy: Any = dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else None
    here = range(len(copy)) if isinstance(copy, list) else copy or ()
    if head not in here:
        return value
    put = changed(copy[head], rest, change)
    if put is GONE:
        del copy[head]
    else:
        copy[head] = put
    return copy
