"""How busy a company is, and its budget of polls: what decides when the provider is polled for it."""

from service.domain.changes import CompanyActivity
from service.domain.model import CompanyRef
from service.domain.timing import FINISHED_SECONDS, OUTLIVED_SECONDS, RECENT_SECONDS
from service.store.engine import Transaction

# The budget: 240 polls an hour, of which 60 may come at once. Beyond it, many webhooks cause one poll in 15 s.
_POLLS_AT_ONCE = 60.0
_POLL_SECONDS = 15.0
_NEARLY = 1e-3


def take_poll(tx: Transaction, ref: CompanyRef) -> float:
    """Take one poll from the company's budget; return 0, or the seconds until the budget has one."""
    row = tx.one(f"SELECT looks, looked_at FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:
        return 0.0
    now = tx.now()
    saved = _POLLS_AT_ONCE if row["looks"] is None else row["looks"] + max(0.0, now - row["looked_at"]) / _POLL_SECONDS
    left = min(_POLLS_AT_ONCE, saved)
    taken = left > 1.0 - _NEARLY  # sums of fractions: a remaining wait of almost nothing would be waited for for ever
    tx.run(
        "UPDATE companies SET looks = :looks, looked_at = :now WHERE ref = :ref",
        looks=left - 1.0 if taken else left,
        now=now,
        ref=ref,
    )
    return 0.0 if taken else (1.0 - left) * _POLL_SECONDS


def read_activity(tx: Transaction, ref: CompanyRef, now: float) -> CompanyActivity:
    """What goes on in the company; `now` is this service's clock."""
    # `going`: a session that may still be finished has shown its link. `outlived`: an expired session's link may still
    # be used. `linked`: the company was ever given a link; a renewed session (serial > 1) may have lost its own.
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
    undecided = tx.one("SELECT 1 AS found FROM connections WHERE company_ref = :ref AND waiting = 1 LIMIT 1", ref=ref)
    seen_at, finished_at = (row["seen_at"] or 0.0, row["finished_at"] or 0.0) if row else (0.0, 0.0)
    return CompanyActivity(
        present=now - max(seen_at, finished_at) < RECENT_SECONDS,
        just_finished=now - finished_at < FINISHED_SECONDS,
        open_sessions=bool(row and row["going"]),
        undecided=undecided is not None,
        linked=bool(row and row["linked"]),
        outlived=bool(row and row["outlived"]),
    )
