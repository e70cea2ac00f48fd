"""Parses the text of an answer into values that every part of this service can store and answer again."""

import json
import math
import re
from typing import Any, NoReturn

# Valid in JSON, but PostgreSQL stores no NUL and UTF-8 has no lone surrogates. The first pattern is the quick check.
_MAY_BE_UNSTORABLE = re.compile(rb"\\u(0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOST_DIGITS = 300


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text, None for an empty one. Raises ValueError.

    Values that JSON allows, but that this service cannot store or answer, are replaced; the rest stays readable.
    """
    if not content.strip():
        return None
    try:
        text = content.decode("utf-8-sig")
        found = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
        return _storable(found) if _MAY_BE_UNSTORABLE.search(content) else found
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _storable(value: Any) -> Any:
    # Replaced and not refused: one name that a person typed must not make a whole list unreadable.
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return value


def _finite(text: str) -> float | str:
    # 1e999 is JSON, but Python reads it as infinity, which our JSON cannot hold: the number's text is kept instead.
    number = float(text)
    return number if math.isfinite(number) else text


def _whole(text: str) -> int | str:
    # Python refuses to convert numbers of thousands of digits: one of them must not make a whole list unreadable.
    return int(text) if len(text) <= _MOST_DIGITS else text


def _no_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which are not JSON and which no database column or answer could hold.
    raise ValueError(name)
