"""Troubles by name: what can be made to go wrong, for whom, how often and how long."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import STATUSES
from service.sandbox.wire.errors import Invalid
from service.sandbox.world.rows import Noun, Shelf

SIZED = {"slow": 3.0, "rate_limited": 1.0, "webhook_first": 0.0, "webhook_late": 30.0, "clock_skew": 600.0}
"""Troubles whose `seconds` is their size, with the default; for the others it is how long they last."""
NAMES = (
    "slow",
    "provider_5xx",
    "rate_limited",
    "drop_connection",
    "invalid_json",
    "wrong_password",
    "mfa",
    "never_webhook",
    "webhook_first",
    "webhook_thrice",
    "webhook_late",
    "webhook_shuffled",
    "webhook_bad_signature",
    "framing_refused",
    "link_expired",
    "status_change",
    "clock_skew",
)
EVERYBODY = "*"

forced: ContextVar[frozenset[str]] = ContextVar("forced", default=frozenset())
"""Troubles that the address of the request being answered asked for, in its `trouble` parameters."""


@dataclass(frozen=True)
class Trouble(Noun):
    """One trouble, for one company or, without `company_id`, for all."""

    name: str
    company_id: str | None = None
    times: int | None = None
    seconds: float | None = None
    status: str | int | None = None
    until_at: float | None = None

    @property
    def size(self) -> float:
        """Its `seconds`, or the default of its name."""
        return SIZED.get(self.name, 0.0) if self.seconds is None else self.seconds

    def as_wire(self) -> dict[str, Any]:
        """How the control door shows it; `times` is what is left."""
        shown = {"companyId": self.company_id, "times": self.times, "seconds": self.seconds, "status": self.status}
        return {"name": self.name, **{name: value for name, value in shown.items() if value is not None}}


class Troubles:
    """Those that stand. Their own clock takes no skew, since skew is one of them."""

    def __init__(self, shelf: Shelf[Trouble], clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._clock = clock

    def __iter__(self) -> Iterator[Trouble]:
        return (trouble for trouble in self._shelf if not self._is_over(trouble))

    def put(self, trouble: Trouble) -> Trouble:
        """Begins it, in place of one of the same name for the same company."""
        lasts = trouble.seconds if trouble.name not in SIZED else None
        return self._shelf.put(replace(trouble, until_at=None if lasts is None else self._clock() + lasts))

    def remove(self, name: str, company_id: str | None) -> None:
        """Ends it for that company, or without one for all, those that were named included."""
        for trouble in self._shelf:
            if trouble.name == name and company_id in {None, trouble.company_id}:
                self._shelf.remove(trouble.id)

    def look(self, name: str, company_id: str | None) -> Trouble | None:
        """The trouble that stands for that company, its own before everybody's; using none of its times."""
        if name in forced.get():
            return Trouble(_key(name, company_id), name, company_id)
        for owner in (company_id, None):
            trouble = self._shelf.get(_key(name, owner))
            if trouble and not self._is_over(trouble):
                return trouble
        return None

    def strike(self, name: str, company_id: str | None) -> Trouble | None:
        """The same, using one of its times; the last one ends it."""
        trouble = self.look(name, company_id)
        if trouble and trouble.times is not None:
            self._use_one(trouble, trouble.times - 1)
        return trouble

    def _use_one(self, trouble: Trouble, left: int) -> None:
        if left:
            self._shelf.put(replace(trouble, times=left))
        else:
            self._shelf.remove(trouble.id)

    def _is_over(self, trouble: Trouble) -> bool:
        return trouble.until_at is not None and trouble.until_at <= self._clock()


def read_trouble(name: str, body: Mapping[str, Any], *, begins: bool = True) -> Trouble:
    """Checks a name and its fields; raises `Invalid` naming what is unknown or wrong."""
    if name not in NAMES:
        raise Invalid({name[:60]: [f"Unknown trouble. Known: {', '.join(NAMES)}."]})
    unknown = sorted(set(body) - {"companyId", "times", "seconds", "status"})
    if unknown:
        raise Invalid({field[:60]: ["Unknown field."] for field in unknown})
    checks: dict[str, fields.Check] = {
        "companyId": fields.nullable(fields.uuid),
        "times": fields.nullable(fields.whole(1, 1_000_000)),
        "seconds": fields.nullable(_seconds(name)),
        "status": fields.nullable(_status(name)),
    }
    values = fields.read(body, checks, required=("status",) if begins and name == "status_change" else ())
    company_id = values.get("companyId")
    found = Trouble(_key(name, company_id), name, company_id)
    return replace(found, times=values.get("times"), seconds=values.get("seconds"), status=values.get("status"))


def _key(name: str, company_id: str | None) -> str:
    return f"{name}:{company_id or EVERYBODY}"


def _seconds(name: str) -> fields.Check:
    least = -315_360_000 if name == "clock_skew" else 0

    def check(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= 315_360_000:
            return float(value)
        raise ValueError(f"Must be a number of seconds, at least {least}.")

    return check


def _status(name: str) -> fields.Check:
    if name == "status_change":
        return fields.choice(STATUSES)
    if name == "provider_5xx":
        return fields.whole(500, 599)

    def refuse(_: object) -> None:
        raise ValueError("Only status_change and provider_5xx have a status.")

    return refuse
