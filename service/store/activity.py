"""A company's activity and its budget of polls, which together decide when the provider is polled for it."""

from service.domain.changes import CompanyActivity
from service.domain.invitation_logs import UnreadLog
from service.domain.model import CompanyRef, InvitationId, SessionId
from service.domain.provider_steps import LogStep
from service.domain.timing import FINISHED_SECONDS, OUTLIVED_SECONDS, RECENT_SECONDS
from service.store.engine import Transaction

# A token bucket: 240 polls an hour, of which 60 may come at once. Beyond it, many webhooks cause one poll in 15 s.
_POLLS_AT_ONCE = 60.0
_SECONDS_PER_POLL = 15.0
# Logs are read from the same budget, and leave this much of it to the polls.
_KEPT_FOR_POLLS = 30.0
_MOST_UNREAD = 100
# Sums of fractions are inexact: without this, a budget of 0.9999 polls would give a wait of almost 0, again and again.
_ROUNDING = 1e-3


_PRESENT = "SELECT 1 AS found FROM sessions WHERE company_ref = :ref AND seen_at > :lately"
# Finishing is a sign of presence too, so `sessions_by_presence` finds it. A session whose connection is recorded waits
# for nothing any more, unless its user asked for another account. A magic link brings another one without asking: there
# its user waits until something was recorded since "I have finished".
_JUST_FINISHED = (
    "SELECT 1 AS found FROM sessions s WHERE s.company_ref = :ref AND s.seen_at > :lately AND s.finished_at > :lately "
    "AND (((s.status <> 'connected' OR s.more_asked > 0) "
    "AND (SELECT COUNT(*) FROM session_connections j WHERE j.session_id = s.id) <= s.more_asked) "
    "OR (s.link_kind = 'magic_link' AND s.mode = 'connect' AND NOT EXISTS "
    "(SELECT 1 FROM session_connections j WHERE j.session_id = s.id AND j.at >= s.finished_at)))"
)
# A link that was shown, of a session without a working connection that is open or ended at most two hours ago: its
# invitation or magic link can still be used. As in the index `sessions_by_end`.
_USABLE = (
    "SELECT 1 AS found FROM sessions WHERE company_ref = :ref AND COALESCE(revoked_at, expires_at) > :lately "
    "AND revealed_at IS NOT NULL AND status <> 'connected'"
)
# The same of a session with a working connection: its user asked for another account that is not recorded yet, or has a
# magic link. Its page must have been there within two hours, so that `sessions_by_presence` finds it; a page whose
# user's part is done, and that is left open, reports no presence.
_USABLE_AGAIN = (
    "SELECT 1 AS found FROM sessions s WHERE s.company_ref = :ref AND s.seen_at > :lately AND s.status = 'connected' "
    "AND s.revealed_at IS NOT NULL AND COALESCE(s.revoked_at, s.expires_at) > :lately "
    "AND ((s.link_kind = 'magic_link' AND s.mode = 'connect') OR (s.more_asked > 0 "
    "AND (SELECT COUNT(*) FROM session_connections j WHERE j.session_id = s.id) <= s.more_asked))"
)
_UNDECIDED = "SELECT 1 AS found FROM connections WHERE company_ref = :ref AND waiting = 1"
# A link was given at any time; a renewed session (serial > 1) may have lost its own. As in the index `sessions_linked`.
_LINKED = "SELECT 1 AS found FROM sessions WHERE company_ref = :ref AND (link_url IS NOT NULL OR serial > 1)"

# A session whose link is being replaced has none at the moment.
_REPLACED = "SELECT 1 AS found FROM facts WHERE company_ref = :ref AND kind = 'replaced'"


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


def note_failed_poll(tx: Transaction, ref: CompanyRef, began_at: float) -> None:
    """Write when this failed poll began, unless an earlier one failed since the last answer."""
    tx.run("UPDATE companies SET failed_at = :at WHERE ref = :ref AND failed_at IS NULL", at=began_at, ref=ref)


def take_logs(tx: Transaction, ref: CompanyRef, wanted: int) -> int:
    """Take up to `wanted` calls for logs from the company's budget; return how many it gives."""
    row = tx.one(f"SELECT looks FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    spare = int((row["looks"] or 0.0) - _KEPT_FOR_POLLS + _ROUNDING) if row is not None else 0
    given = max(0, min(wanted, spare))
    if given:
        tx.run("UPDATE companies SET looks = looks - :given WHERE ref = :ref", given=given, ref=ref)
    return given


def unread_logs(tx: Transaction, ref: CompanyRef, now: float) -> list[UnreadLog]:
    """Return the logs that may have new entries: of invitations whose page was present, or that were used, recently.

    Each query reads the end of an index. A log that has named the use gets no further entry.
    """
    found: dict[str, UnreadLog] = {}
    for column in ("seen_at", "link_used_at"):
        rows = tx.all(
            "SELECT id, invitation_id, link_used_at FROM sessions "
            f"WHERE company_ref = :ref AND {column} > :lately AND revealed_at IS NOT NULL "
            "AND invitation_id IS NOT NULL AND provider_steps NOT LIKE '%' || :submitted || '%' "
            "AND (revoked_at IS NULL OR provider_steps NOT LIKE '%' || :revoked || '%') "
            f"ORDER BY {column} DESC LIMIT {_MOST_UNREAD}",
            ref=ref,
            lately=now - RECENT_SECONDS,
            submitted=LogStep.SUBMITTED.value,
            revoked=LogStep.REVOKED.value,
        )
        for row in rows:
            used = row["link_used_at"] is not None
            found[row["id"]] = UnreadLog(SessionId(row["id"]), InvitationId(row["invitation_id"]), used)
    return list(found.values())


def read_activity(tx: Transaction, ref: CompanyRef, now: float) -> CompanyActivity:
    """Return what decides the company's poll interval; `now` is this service's clock, which writes these times.

    Each query reads one entry of an index, or the few sessions whose page was present lately, however many sessions and
    connections the company has.
    """

    def exists(sql: str, **values: float) -> bool:
        return tx.one(f"{sql} LIMIT 1", ref=ref, **values) is not None

    usable_since = now - OUTLIVED_SECONDS
    return CompanyActivity(
        present=exists(_PRESENT, lately=now - RECENT_SECONDS),
        just_finished=exists(_JUST_FINISHED, lately=now - FINISHED_SECONDS),
        open_sessions=exists(_USABLE, lately=usable_since) or exists(_USABLE_AGAIN, lately=usable_since),
        undecided=exists(_UNDECIDED),
        linked=exists(_LINKED) or exists(_REPLACED),
    )
