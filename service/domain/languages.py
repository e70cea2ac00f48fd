"""Chooses the language of a page: the first requested language in which there are sentences. Pure.

Reference: RFC 9110, section 12.5.4 (Accept-Language); RFC 4647, section 3.4 (a region falls back to its language).
"""

import re
from collections.abc import Collection, Iterable

ENGLISH = "en"  # the language of the sentences in templates and code

# A browser sends about ten. A longer header is not a browser's, so the rest of it is ignored.
_MOST_RANGES = 20
_RANGE = re.compile(
    r"([a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:\s*;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?", re.IGNORECASE | re.ASCII
)


def accepted_languages(header: str) -> tuple[str, ...]:
    """Return the languages of an Accept-Language header, most preferred first; unreadable parts are left out."""
    ranges = header.split(",", _MOST_RANGES)[:_MOST_RANGES]
    read = [found for one in ranges if (found := _RANGE.fullmatch(one.strip())) is not None]
    weighed = [(1.0 if found[2] is None else float(found[2]), found[1]) for found in read]
    return tuple(tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0)


def best_language(wanted: Iterable[str], available: Collection[str]) -> str:
    """Return the first of `wanted` that is available (`fr` for `fr-FR` too), or English if none is."""
    found = (_nearest(tag.lower().replace("_", "-"), available) for tag in wanted)
    return next((one for one in found if one is not None), ENGLISH)


def _nearest(tag: str, available: Collection[str]) -> str | None:
    while tag and tag not in available:
        tag = tag.rpartition("-")[0]
    return tag or None
