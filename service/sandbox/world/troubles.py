"""Troubles: what can be made to go wrong in the sandbox, for whom, how often and for how long."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import STATUSES
from service.sandbox.wire.errors import InvalidFields
from service.sandbox.world.rows import SandboxRecord, SandboxTable

SIZED = {
    "slow": 3.0,
    "rate_limited": 1.0,
    "webhook_first": 0.0,
    "webhook_late": 30.0,
    "clock_skew": 600.0,
    "pending_for": 7200.0,
    "invitation_activity_lag": 60.0,
}
"""Troubles whose `seconds` is their size, with its default; for the others `seconds` is how long they last."""
NAMES = (
    "slow",
    "provider_5xx",
    "rate_limited",
    "drop_connection",
    "invalid_json",
    "untidy",
    "wrong_password",
    "mfa",
    "mfa_forwarding",
    "security_questions",
    "pending_for",
    "upload_duplicate",
    "upload_not_a_bill",
    "upload_failed",
    "invitation_activity_lag",
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
IN_QUERIES = frozenset(NAMES) - {"status_change"}
"""Those that one request can ask for: a change of the status needs the status, which a query cannot name."""
ALL_COMPANIES = "*"
HOUR_SECONDS = 3600
SECONDS_MOST = 315_360_000

forced_names: ContextVar[frozenset[str]] = ContextVar("forced_names", default=frozenset())
"""Troubles that the current request asks for in its `trouble` query parameters."""


@dataclass(frozen=True)
class SandboxTrouble(SandboxRecord):
    """One thing that is made to go wrong, for one company or, without `company_id`, for all."""

    name: str
    company_id: str | None = None
    times: int | None = None
    seconds: float | None = None
    status: str | int | None = None
    until_at: float | None = None

    @property
    def size(self) -> float:
        """Its `seconds`, or the default for its name."""
        return SIZED.get(self.name, 0.0) if self.seconds is None else self.seconds

    def as_wire(self) -> dict[str, Any]:
        """Return what the control API shows; `times` is what is left."""
        shown = {"companyId": self.company_id, "times": self.times, "seconds": self.seconds, "status": self.status}
        return {"name": self.name, **{name: value for name, value in shown.items() if value is not None}}


class SandboxTroubles:
    """The troubles that are active. `clock` is the time without skew, since skew is one of them."""

    def __init__(self, table: SandboxTable[SandboxTrouble], clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    def __iter__(self) -> Iterator[SandboxTrouble]:
        return (trouble for trouble in self._table if not self._has_expired(trouble))

    def put(self, trouble: SandboxTrouble) -> SandboxTrouble:
        """Start a trouble; it replaces the one with the same name and company."""
        # For a sized trouble `seconds` is the size, so it lasts until it is stopped or used up.
        lasts = trouble.seconds if trouble.name not in SIZED else None
        return self._table.put(replace(trouble, until_at=None if lasts is None else self._clock() + lasts))

    def remove(self, name: str, company_id: str | None) -> None:
        """Stop a trouble for that company; without one, for all and for every single company."""
        for trouble in self._table:
            if trouble.name == name and company_id in {None, trouble.company_id}:
                self._table.remove(trouble.id)

    def active(self, name: str, company_id: str | None) -> SandboxTrouble | None:
        """Return the active trouble for that company without using it; the company's own beats that for all."""
        if name in forced_names.get():
            return SandboxTrouble(_key(name, company_id), name, company_id)
        for owner in (company_id, None):
            trouble = self._table.get(_key(name, owner))
            if trouble and not self._has_expired(trouble):
                return trouble
        return None

    def use(self, name: str, company_id: str | None) -> SandboxTrouble | None:
        """Return the active trouble and use one of its times; the last one stops it."""
        trouble = self.active(name, company_id)
        if trouble and trouble.times is not None:
            self._use_one(trouble, trouble.times - 1)
        return trouble

    def _use_one(self, trouble: SandboxTrouble, left: int) -> None:
        if left:
            self._table.put(replace(trouble, times=left))
        else:
            self._table.remove(trouble.id)

    def _has_expired(self, trouble: SandboxTrouble) -> bool:
        return trouble.until_at is not None and trouble.until_at <= self._clock()


def read_trouble(name: str, body: Mapping[str, Any], *, starts: bool = True) -> SandboxTrouble:
    """Check a trouble's name and fields; raises `InvalidFields` naming what is unknown or wrong."""
    if name not in NAMES:
        raise InvalidFields({name[:60]: [f"Unknown trouble. Known: {', '.join(NAMES)}."]})
    unknown = sorted(set(body) - {"companyId", "times", "seconds", "hours", "status"})
    if unknown:
        raise InvalidFields({field[:60]: ["Unknown field."] for field in unknown})
    checks: dict[str, fields.Check] = {
        "companyId": fields.nullable(fields.uuid),
        "times": fields.nullable(fields.whole(1, 1_000_000)),
        "seconds": fields.nullable(_seconds(name)),
        "hours": fields.nullable(_seconds(name, HOUR_SECONDS)),
        "status": fields.nullable(_status(name)),
    }
    values = fields.read(body, checks, required=("status",) if starts and name == "status_change" else ())
    company_id = values.get("companyId")
    found = SandboxTrouble(_key(name, company_id), name, company_id)
    seconds = values.get("seconds") if values.get("hours") is None else values["hours"]
    return replace(found, times=values.get("times"), seconds=seconds, status=values.get("status"))


def _key(name: str, company_id: str | None) -> str:
    return f"{name}:{company_id or ALL_COMPANIES}"


def _seconds(name: str, unit: int = 1) -> fields.Check:
    """Return a check of a number of seconds, or of a larger unit, whose value is in seconds."""
    # A clock may be wrong in either direction.
    least = -SECONDS_MOST if name == "clock_skew" else 0

    def check(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value * unit <= SECONDS_MOST:
            return float(value * unit)
        raise ValueError(f"Must be a number, at least {least}, and at most ten years.")

    return check


def _status(name: str) -> fields.Check:
    if name in {"status_change", "pending_for"}:
        return fields.choice(STATUSES)
    if name == "provider_5xx":
        return fields.whole(500, 599)

    def refuse(_: object) -> None:
        raise ValueError("Only status_change, pending_for and provider_5xx have a status.")

    return refuse
