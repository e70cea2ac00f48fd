"""Makes a list untidy: one field of one item is absent, null or of another kind. Pure; used by the gate."""

from typing import Any

_ABSENT = object()
LISTS = frozenset({"connections", "documents", "usageData", "meters", "invitations", "accounts", "intervals", "jobs"})
ODDITIES: tuple[Any, ...] = (_ABSENT, None, "odd", 5, [], {})


def untidy(body: Any, turn: int) -> Any:
    """Return the list with one odd field; each `turn` has another item, field and oddity, and any other body stays."""
    items = _items(body)
    if not items:
        return body
    turn, number = divmod(turn, len(items))
    item = items[number]
    if not isinstance(item, dict) or not item:
        return body
    turn, name = divmod(turn, len(item))
    field, oddity = sorted(item)[name], ODDITIES[turn % len(ODDITIES)]
    odd = {**item, field: oddity}
    if oddity is _ABSENT:
        del odd[field]
    put = [*items[:number], odd, *items[number + 1 :]]
    return put if isinstance(body, list) else {key: put if value is items else value for key, value in body.items()}


def _items(body: Any) -> list[Any]:
    if isinstance(body, list):
        return body
    named = [value for name, value in body.items() if name in LISTS] if isinstance(body, dict) else []
    return named[0] if named and isinstance(named[0], list) else []
