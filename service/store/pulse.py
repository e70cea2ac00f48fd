"""How busy a company is, and how often it may be looked at: what decides when the provider is asked about it."""

from dataclasses import dataclass

from service.model import CompanyRef
from service.store.tx import Tx

_RECENT_SECONDS = 600.0
_FINISHED_SECONDS = 90.0
_OUTLIVED_SECONDS = 2 * 3600.0  # an invitation lives on for the grace, and up to an hour of its own
_LOOKS_AT_ONCE = 60.0
_LOOK_SECONDS = 15.0
_NEARLY = 1e-3


@dataclass(frozen=True, slots=True)
class Pulse:
    """How busy a company is: what decides how often the provider is asked about it."""

    present: bool  # a page is there, or was, or somebody finished, in the last ten minutes
    just_finished: bool  # somebody said "I have finished" in the last minute and a half and nothing is recorded yet
    open_sessions: bool
    undecided: bool
    linked: bool
    outlived: bool = False  # a session has expired whose link may still be used


def take_look(tx: Tx, ref: CompanyRef) -> float:
    """See `Companies.take_look`."""
    row = tx.one(f"SELECT looks, looked_at FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:
        return 0.0
    now = tx.now()
    saved = _LOOKS_AT_ONCE if row["looks"] is None else row["looks"] + max(0.0, now - row["looked_at"]) / _LOOK_SECONDS
    left = min(_LOOKS_AT_ONCE, saved)
    taken = left > 1.0 - _NEARLY  # sums of fractions: a wait of nothing would be waited for again and again
    tx.run(
        "UPDATE companies SET looks = :looks, looked_at = :now WHERE ref = :ref",
        looks=left - 1.0 if taken else left,
        now=now,
        ref=ref,
    )
    return 0.0 if taken else (1.0 - left) * _LOOK_SECONDS


def read_pulse(tx: Tx, ref: CompanyRef, now: float) -> Pulse:
    """See `Companies.pulse`."""
    row = tx.one(
        "SELECT MAX(seen_at) AS seen_at, MAX(CASE WHEN status = 'opened' THEN finished_at END) AS finished_at, "
        "MAX(CASE WHEN status IN ('created', 'opened', 'exited') AND revealed_at IS NOT NULL THEN 1 ELSE 0 END) "
        "AS going, "
        "MAX(CASE WHEN status = 'expired' AND revealed_at IS NOT NULL AND expires_at > :lately THEN 1 ELSE 0 END) "
        "AS outlived, "
        "MAX(CASE WHEN link_url IS NOT NULL OR serial > 1 THEN 1 ELSE 0 END) AS linked "
        "FROM sessions WHERE company_ref = :ref",
        ref=ref,
        lately=now - _OUTLIVED_SECONDS,
    )
    undecided = tx.one("SELECT 1 AS found FROM connections WHERE company_ref = :ref AND waiting = 1 LIMIT 1", ref=ref)
    seen_at, finished_at = (row["seen_at"] or 0.0, row["finished_at"] or 0.0) if row else (0.0, 0.0)
    return Pulse(
        present=now - max(seen_at, finished_at) < _RECENT_SECONDS,
        just_finished=now - finished_at < _FINISHED_SECONDS,
        open_sessions=bool(row and row["going"]),
        undecided=undecided is not None,
        linked=bool(row and row["linked"]),
        outlived=bool(row and row["outlived"]),
    )
