"""Presence of many pages in one transaction, and a mark of what each page may see, by which its stream reads less.

A process with 10,000 live streams has 670 of them due each second. One transaction for each took most of a core.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from service.domain.changes import JobKind
from service.domain.model import SessionId
from service.domain.page_view import is_late
from service.domain.session_time import is_time_of_link
from service.domain.timing import PRESENCE_SECONDS
from service.store.engine import Row, Transaction
from service.store.rows import ACCOUNT

# A check of presence is put off by a heartbeat only where it comes sooner than this: so every second heartbeat writes
# its row. It is longer than the time between two heartbeats, so the check of a page that is present never runs.
_CHECKED_AFTER_SECONDS = PRESENCE_SECONDS / 2

# Sessions of which a heartbeat changes nothing but the time. For the others a decision is needed.
_ONLY_SEEN = (
    "SELECT id, page_hash FROM sessions WHERE id IN (:among) "
    "AND revoked_at IS NULL AND over_at IS NULL AND left_at IS NULL ORDER BY id"
)
_SEEN = "UPDATE sessions SET seen_at = :now WHERE id IN (:among) RETURNING id"
# The check is due 30 to 60 seconds after the last heartbeat. While it runs, the time goes to `again_at`, as in
# `enqueue`: it may have read the session before this heartbeat.
_CHECK_LATER = (
    "INSERT INTO work (kind, ref, due_at, waited_for) VALUES (:kind, :ref, :database_now + :seconds, 0) "
    "ON CONFLICT (kind, ref) DO UPDATE "
    "SET due_at = CASE WHEN work.lease IS NULL THEN excluded.due_at ELSE work.due_at END, "
    "again_at = CASE WHEN work.lease IS NOT NULL AND (work.again_at IS NULL OR excluded.due_at < work.again_at) "
    "THEN excluded.due_at ELSE work.again_at END "
    "WHERE work.lease IS NOT NULL OR work.due_at < :database_now + :soon"
)
# Each session with all columns, so that none that a page shows can be forgotten, and with the newest event on its
# timeline. Of a poll counts only whether it answered after the user finished: polls come every 20 s.
_MARKED = (
    "SELECT s.*, c.failed_at AS company_failed_at, c.polled_at >= COALESCE(s.finished_at, 0) AS is_answered, "
    "u.user_id IS NULL AS is_erased, "
    "(SELECT COUNT(*) FROM session_connections j WHERE j.session_id = s.id) AS attached, "
    "(SELECT MAX(e.seq) FROM events e WHERE e.session_id = s.id) AS last_own, "
    "(SELECT MAX(e.seq) FROM event_sessions x JOIN events e ON e.id = x.event_id WHERE x.session_id = s.id) "
    "AS last_shared FROM sessions s JOIN companies c ON c.ref = s.company_ref JOIN users u ON u.ref = s.user_ref "
    "WHERE s.id IN (:among)"
)
_UNDECIDED = (
    "SELECT x.session_id, n.id, n.waiting, n.recorded_at FROM connection_candidates x CROSS JOIN connections n "
    "WHERE x.session_id IN (:among) AND n.account = :account AND n.id = x.connection_id AND n.removed_at IS NULL"
)
# A heartbeat changes it, and no page shows it.
_UNSEEN = "seen_at"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A page with an open stream; `page_hash` is the digest of its key, None where no presence is to be recorded."""

    session_id: SessionId
    page_hash: str | None


@dataclass(frozen=True, slots=True)
class KeptAlive:
    """`marks` of the sessions that were found. Of `undecided` pages the presence is not recorded yet."""

    marks: dict[SessionId, int]
    undecided: frozenset[Heartbeat]


def keep_alive(tx: Transaction, heartbeats: Collection[Heartbeat], now: float) -> KeptAlive:
    """Record the presence of pages where that changes nothing else, and return the marks of all sessions."""
    wanted = {each for each in heartbeats if each.page_hash is not None}
    # SKIP LOCKED: a row that another transaction holds is left to a decision of its own, so that this one, which locks
    # many rows, waits for none and cannot deadlock.
    rows = tx.among(f"{_ONLY_SEEN}{tx.dialect.skip_locked}", {each.session_id for each in wanted})
    bound = {SessionId(row["id"]): row["page_hash"] for row in rows}
    # The digests are of random keys: to compare them in steady time would protect nothing.
    seen = sorted(each.session_id for each in wanted if bound.get(each.session_id) == each.page_hash)
    tx.among(_SEEN, seen, now=now)
    put_off_checks(tx, seen)
    undecided = frozenset(each for each in wanted if each.session_id not in bound)
    return KeptAlive(marks_of(tx, {each.session_id for each in heartbeats}, now), undecided)


def put_off_checks(tx: Transaction, seen: Iterable[SessionId]) -> None:
    """Let the checks of these present pages come a minute from now; one that is not due soon stays."""
    common = {"kind": JobKind.PRESENCE.value, "seconds": PRESENCE_SECONDS, "soon": _CHECKED_AFTER_SECONDS}
    tx.many(_CHECK_LATER, [{"ref": session_id, **common} for session_id in seen])


def marks_of(tx: Transaction, session_ids: Collection[SessionId], now: float) -> dict[SessionId, int]:
    """Return a number for each session that is found, which differs as soon as its page may see something else."""
    undecided: dict[str, list[tuple[str, bool]]] = {}
    for row in tx.among(_UNDECIDED, session_ids, account=ACCOUNT):
        late = is_late(now, row["recorded_at"], is_waiting=bool(row["waiting"]))
        undecided.setdefault(row["session_id"], []).append((row["id"], late))
    return {
        SessionId(row["id"]): _mark(row, sorted(undecided.get(row["id"], ())), now)
        for row in tx.among(_MARKED, session_ids)
    }


def _mark(row: Row, undecided: Iterable[tuple[str, bool]], now: float) -> int:
    shown = tuple(value for name, value in row.items() if name != _UNSEEN)
    return hash((shown, is_time_of_link(row["expires_at"], now), tuple(undecided)))
