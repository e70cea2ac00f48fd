"""A company's activity and its budget of polls, which together decide when the provider is polled for it."""

from service.domain.changes import CompanyActivity
from service.domain.model import CompanyRef
from service.domain.timing import FINISHED_SECONDS, OUTLIVED_SECONDS, RECENT_SECONDS
from service.store.engine import Transaction

# A token bucket: 240 polls an hour, of which 60 may come at once. Beyond it, many webhooks cause one poll in 15 s.
_POLLS_AT_ONCE = 60.0
_SECONDS_PER_POLL = 15.0
# Sums of fractions are inexact: without this, a budget of 0.9999 polls would give a wait of almost 0, again and again.
_ROUNDING = 1e-3


def take_poll(tx: Transaction, ref: CompanyRef) -> float:
    """Take one poll from the company's budget; return 0, or the seconds until the budget has one."""
    # `looks`: polls left in the budget at the time `looked_at`. Both are NULL before the first poll.
    row = tx.one(f"SELECT looks, looked_at FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:
        return 0.0
    now = tx.now()
    left = _POLLS_AT_ONCE
    if row["looks"] is not None:
        left = min(left, row["looks"] + max(0.0, now - row["looked_at"]) / _SECONDS_PER_POLL)
    taken = left > 1.0 - _ROUNDING
    tx.run(
        "UPDATE companies SET looks = :looks, looked_at = :now WHERE ref = :ref",
        looks=left - 1.0 if taken else left,
        now=now,
        ref=ref,
    )
    return 0.0 if taken else (1.0 - left) * _SECONDS_PER_POLL


def read_activity(tx: Transaction, ref: CompanyRef, now: float) -> CompanyActivity:
    """Return what decides the company's poll interval; `now` is this service's clock, which writes these times."""
    # `finished_at` counts only while its session is open: later its connection is recorded. `going`: a session that can
    # still be finished has shown its link. `outlived`: an expired session's link can still be used. `linked`: the
    # company was given a link at any time; a renewed session (serial > 1) may have lost its own, and so may one whose
    # link is being replaced.
    row = tx.one(
        "SELECT MAX(seen_at) AS seen_at, MAX(CASE WHEN status = 'opened' THEN finished_at END) AS finished_at, "
        "MAX(CASE WHEN status IN ('created', 'opened', 'exited') AND revealed_at IS NOT NULL THEN 1 ELSE 0 END) "
        "AS going, "
        "MAX(CASE WHEN status = 'expired' AND revealed_at IS NOT NULL AND expires_at > :lately THEN 1 ELSE 0 END) "
        "AS outlived, "
        "MAX(CASE WHEN link_url IS NOT NULL OR serial > 1 THEN 1 ELSE 0 END) AS linked "
        "FROM sessions WHERE company_ref = :ref",
        ref=ref,
        lately=now - OUTLIVED_SECONDS,
    )
    replaced = tx.one("SELECT 1 AS found FROM facts WHERE company_ref = :ref AND kind = 'replaced' LIMIT 1", ref=ref)
    undecided = tx.one("SELECT 1 AS found FROM connections WHERE company_ref = :ref AND waiting = 1 LIMIT 1", ref=ref)
    seen_at, finished_at = (row["seen_at"] or 0.0, row["finished_at"] or 0.0) if row else (0.0, 0.0)
    return CompanyActivity(
        present=now - max(seen_at, finished_at) < RECENT_SECONDS,
        just_finished=now - finished_at < FINISHED_SECONDS,
        open_sessions=bool(row and row["going"]),
        undecided=undecided is not None,
        linked=bool(row and row["linked"]) or replaced is not None,
        outlived=bool(row and row["outlived"]),
    )
