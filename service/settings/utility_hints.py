"""What single utilities need of their users, by the host of their sign-in page: our file, and the operator's own.

A hint is shown and blocks nothing: the provider may ask for more, for less, or for something else.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from service.urls import origin_of

_MOST_ENTRIES = 1000
_MOST_CHARACTERS = {"utility": 80, "needed": 400}
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class UtilityHint:
    """What the users of one utility need; `needed` None removes the hint that the service's file has for the host."""

    host: str
    utility: str = ""
    needed: str | None = None


def read_hints(text: str) -> tuple[tuple[UtilityHint, ...], Sequence[str]]:
    """Return the entries of a file, and what is wrong with each entry that cannot be used, in the file's order."""
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return (), ["is not JSON"]
    if not isinstance(pairs, _Pairs):
        return (), ["is not a JSON object of hosts"]
    if len(pairs) > _MOST_ENTRIES:
        return (), [f"has more than {_MOST_ENTRIES} entries"]
    names = [name for name, _ in pairs]
    problems, hints = [], []
    for number, (host, value) in enumerate(pairs):
        wrong = "is there twice" if host in names[:number] else _problem(host, value)
        if wrong is not None:
            problems.append(f"has an entry {json.dumps(host[:80])} that {wrong}")
        else:
            hints.append(UtilityHint(host, **dict(value or ())))
    return tuple(hints), problems


def built_in_hints() -> tuple[UtilityHint, ...]:
    """Return the hints of the service's own file."""
    hints, _ = read_hints(files("service.settings").joinpath("utility_hints.json").read_text("utf-8"))
    return hints


class UtilityHints:
    """Finds the hint for an address. The operator's entry for a host replaces the service's."""

    def __init__(self, own: Iterable[UtilityHint] | None = ()) -> None:
        """`own` None switches all hints off."""
        self._by_host: Mapping[str, UtilityHint] = (
            {} if own is None else {hint.host: hint for hint in (*built_in_hints(), *own)}
        )

    def for_url(self, url: str | None) -> UtilityHint | None:
        """Return the hint for the host of this address, or else for the nearest domain above it.

        None without one, or for an address that cannot be read.

        The address may be anything that the provider reports, also one without a scheme.
        """
        if not url or not self._by_host:
            return None
        origin = origin_of(url) or origin_of(f"https://{url}")
        labels = origin.partition("://")[2].partition(":")[0].split(".") if origin else []
        domains = (".".join(labels[start:]) for start in range(len(labels)))
        found = next((self._by_host[domain] for domain in domains if domain in self._by_host), None)
        return found if found is not None and found.needed is not None else None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated names, of which `json` would silently keep the last."""


def _problem(host: str, value: Any) -> str | None:
    if not _HOST.fullmatch(host):
        return "is not a host name in lower case, such as coned.com"
    if value is None:
        return None
    if not isinstance(value, _Pairs) or sorted(name for name, _ in value) != ["needed", "utility"]:
        return 'is neither null nor an object with "utility" and "needed"'
    return next((wrong for name, text in value if (wrong := _text_problem(name, text)) is not None), None)


def _text_problem(name: str, text: Any) -> str | None:
    most = _MOST_CHARACTERS[name]
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= most:
        return f'has a "{name}" that is not a text of 1 to {most} characters'
    return f'has a "{name}" with a character that cannot be printed' if _UNPRINTABLE.search(text) else None
