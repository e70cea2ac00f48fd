"""The job queue: rows of the table `work` with a due time, leased by workers until a lease ends.

A worker that died holds its jobs until their leases end; then any worker leases them again.
"""

from collections.abc import Callable, Iterable, Sequence

from service.domain.changes import Job, JobKind, LeasedJob
from service.domain.timing import LEASE_SECONDS, POLL_PRESENT_SECONDS
from service.errors import LeaseLost
from service.store.engine import Engine, Row, Transaction
from service.store.jobs import enqueue

# Exactly the expression of the index `work_by_next`: every idle worker runs it once a second.
NEXT_JOB = (
    "SELECT CASE WHEN lease IS NULL THEN due_at ELSE lease_until END AS at FROM work "
    "ORDER BY CASE WHEN lease IS NULL THEN due_at ELSE lease_until END LIMIT 1"
)
# A job whose lease has ended is due again: its worker is dead, or too late. In the order of the index `work_by_turn`.
# Jobs of a kind that only a newer version knows are left to its processes; `kind || ''` keeps both databases from
# reading another index.
_KINDS = ", ".join(f"'{kind}'" for kind in JobKind)
DUE_JOBS = (
    "SELECT kind, ref, attempts, waited_for FROM work WHERE waited_for = :waited_for AND due_at <= :database_now "
    f"AND (lease IS NULL OR lease_until <= :database_now) AND kind || '' IN ({_KINDS}) "
    "ORDER BY due_at LIMIT :limit"
)
# Of this many leased jobs, one is a job that no page waits for, if there is any: pages cannot starve the others.
_SHARE = 4
# When a job that was leased is due again. `again_at`: it was enqueued while it ran. What it read may be older than
# that, so it must run once more.
_DUE_AT = (
    "CASE WHEN again_at IS NOT NULL AND again_at < :database_now + :again THEN again_at ELSE :database_now + :again END"
)
_NEVER = 1e12  # seconds
_LEAST_SET_BACK_SECONDS = 5.0  # less is a correction that delays nothing for long
# A job that a page waits for keeps that mark when it is due again within this time.
_KEEPS_ITS_TURN_SECONDS = POLL_PRESENT_SECONDS


class JobQueue:
    """Enqueues, leases and completes jobs. All times are by the database's clock."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id
        self._leased_for_pages = 0  # since the last job that no page waits for

    async def enqueue(self, *jobs: Job) -> None:
        """Make each job due; a job that is already due earlier keeps its time."""
        await self._engine.write(lambda tx: enqueue(tx, *jobs))

    async def lease(self, limit: int, lease_seconds: float, background_limit: int | None = None) -> Sequence[LeasedJob]:
        """Lease up to `limit` due jobs for `lease_seconds`: those that a page waits for first, then the longest due.

        At most `background_limit` of them are jobs that no page waits for. Within that limit, at least every fourth is
        one if any is due.
        """
        background = limit if background_limit is None else min(limit, background_limit)
        leased = await self._engine.write(lambda tx: self._lease_batch(tx, limit, background, lease_seconds))
        for job in leased:
            self._leased_for_pages = self._leased_for_pages + 1 if job.waited_for else 0
        return leased

    async def lease_now(self, kind: JobKind, ref: str, lease_seconds: float) -> LeasedJob | None:
        """Enqueue this job and lease it at once; None where another worker holds it."""
        return await self._engine.write(lambda tx: self._lease_now(tx, kind, ref, lease_seconds))

    async def renew(self, leases: Iterable[str], lease_seconds: float) -> frozenset[str]:
        """Make these leases end `lease_seconds` from now; return those that were held. One that has ended stays so."""
        return await self._engine.write(lambda tx: _renew(tx, leases, lease_seconds))

    async def complete(self, job: LeasedJob, again_in_seconds: float | None = None) -> None:
        """Delete the job, or make it due again in `again_in_seconds`; its count of attempts starts again at 0.

        A job that was enqueued while it ran is due again at that time in any case. If the lease has ended and another
        worker leased the job, nothing changes.
        """
        await self._engine.write(lambda tx: _finish(tx, job, again_in_seconds, failed=False))

    async def retry(self, job: LeasedJob, again_in_seconds: float) -> None:
        """Make the job due again in `again_in_seconds` and count the attempt; otherwise like `complete`."""
        await self._engine.write(lambda tx: _finish(tx, job, again_in_seconds, failed=True))

    async def release(self, jobs: Sequence[LeasedJob]) -> None:
        """Give leases back, so that another worker runs the jobs at once; a lease that was lost stays lost."""
        await self._engine.write(lambda tx: _release(tx, jobs))

    async def void_leases(self) -> None:
        """End every lease of a job or endpoint, and let none of a key hold for longer than a new one.

        The caller knows that no other process is alive which could hold one.
        """
        await self._engine.write(_void_leases)

    async def follow_clock(self) -> float:
        """Note the database's time. Return by how many seconds it was set back since it was noted, 0 where it was not.

        Where it was, all jobs and retries of deliveries that wait are made due earlier by as much, once for all
        processes: their times are by the clock as it was before. It is to be called every minute or more often.
        """
        return await self._engine.write(_follow_clock)

    async def next_in_seconds(self) -> float | None:
        """Return how long until a job is due or a lease ends; None where the queue is empty."""
        return await self._engine.read(_next_in_seconds, snapshot=False)

    def _lease_batch(self, tx: Transaction, limit: int, background_limit: int, lease_seconds: float) -> list[LeasedJob]:
        def due(waited_for: int, most: int) -> list[Row]:
            # A job is free if it has no lease or its lease has ended. SKIP LOCKED leaves out the rows that another
            # process is leasing at this moment, so that no two workers get one job and none waits for the other.
            sql = f"{DUE_JOBS}{tx.dialect.skip_locked}"
            return list(tx.all(sql, waited_for=waited_for, limit=most)) if most > 0 else []

        pages = due(1, limit)
        share = min((self._leased_for_pages + len(pages)) // _SHARE, limit)
        background = due(0, min(background_limit, max(limit - len(pages), share)))
        rows = pages[: limit - len(background)] + background
        return self._lease_rows(tx, rows, lease_seconds)

    def _lease_now(self, tx: Transaction, kind: JobKind, ref: str, lease_seconds: float) -> LeasedJob | None:
        enqueue(tx, Job(kind, ref, waited_for=True))
        # The row is locked and not skipped: a worker that is leasing it now decides whether it is still free.
        row = tx.one(
            "SELECT kind, ref, attempts, waited_for FROM work WHERE kind = :kind AND ref = :ref "
            f"AND (lease IS NULL OR lease_until <= :database_now){tx.dialect.lock}",
            kind=kind.value,
            ref=ref,
        )
        return self._lease_rows(tx, [row], lease_seconds)[0] if row is not None else None

    def _lease_rows(self, tx: Transaction, rows: Sequence[Row], lease_seconds: float) -> list[LeasedJob]:
        # A fresh token each time: a worker whose lease ended holds an old one, so it cannot complete the job.
        leased = [
            LeasedJob(JobKind(row["kind"]), row["ref"], row["attempts"], self._new_id("lease"), bool(row["waited_for"]))
            for row in rows
        ]
        tx.many(
            "UPDATE work SET lease = :lease, lease_until = :database_now + :seconds WHERE kind = :kind AND ref = :ref",
            [{"lease": job.lease, "seconds": lease_seconds, "kind": job.kind.value, "ref": job.ref} for job in leased],
        )
        return leased


def require_lease(tx: Transaction, job: LeasedJob | None) -> None:
    """Raise LeaseLost unless the job's lease still holds. A call without a job (None) passes.

    Call it last in a transaction: its lock on the row of `work` keeps other workers from leasing the job until the
    commit, and all transactions lock these rows last, so that they cannot deadlock.
    """
    if job is None:
        return
    # The token shows that no other worker has leased the job; the time, that none may lease it now.
    row = tx.one(
        f"SELECT lease_until FROM work WHERE kind = :kind AND ref = :ref AND lease = :lease{tx.dialect.lock}",
        kind=job.kind.value,
        ref=job.ref,
        lease=job.lease,
    )
    if row is None or row["lease_until"] <= tx.now():
        raise LeaseLost


def _renew(tx: Transaction, leases: Iterable[str], lease_seconds: float) -> frozenset[str]:
    # A lease that has ended is not revived: its worker stood still, and what it read may be old.
    renewed = tx.among(
        "UPDATE work SET lease_until = :database_now + :seconds WHERE lease IN (:among) "
        "AND lease_until > :database_now RETURNING lease",
        leases,
        seconds=lease_seconds,
    )
    return frozenset(row["lease"] for row in renewed)


def _finish(tx: Transaction, job: LeasedJob, again_in_seconds: float | None, *, failed: bool) -> None:
    key = {"kind": job.kind.value, "ref": job.ref, "lease": job.lease}
    where = "WHERE kind = :kind AND ref = :ref AND lease = :lease"
    if again_in_seconds is None and tx.run(f"DELETE FROM work {where} AND again_at IS NULL", **key):
        return
    row = tx.one(
        f"UPDATE work SET due_at = {_DUE_AT}, again_at = NULL, lease = NULL, lease_until = NULL, attempts = :attempts, "
        f"waited_for = CASE WHEN :failed = 1 OR {_DUE_AT} <= :database_now + :keeps THEN waited_for ELSE 0 END "
        f"{where} RETURNING CASE WHEN due_at <= :database_now THEN 1 ELSE 0 END AS is_due",
        again=again_in_seconds if again_in_seconds is not None else _NEVER,
        attempts=job.attempts + 1 if failed else 0,
        failed=int(failed),
        keeps=_KEEPS_ITS_TURN_SECONDS,
        **key,
    )
    if row is not None and row["is_due"]:
        tx.jobs_due = True


def _void_leases(tx: Transaction) -> None:
    # Not left to their times: after a clock that was set back these may be hours away.
    tx.run(
        "UPDATE work SET lease = NULL, lease_until = NULL, due_at = CASE WHEN due_at < :database_now "
        "THEN due_at ELSE :database_now END WHERE lease IS NOT NULL"
    )
    tx.run("UPDATE endpoints SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL")
    # A call may still have an exchange with the provider under way: its key is free after the time of a lease.
    tx.run(
        "UPDATE idempotency SET lease_until = :database_now + :seconds "
        "WHERE lease IS NOT NULL AND lease_until > :database_now + :seconds",
        seconds=LEASE_SECONDS,
    )


def _follow_clock(tx: Transaction) -> float:
    # In the table of values that outlive a process. The lock makes processes follow each other: after the first of them
    # the time that is noted is the new one.
    row = tx.one(f"SELECT at FROM provider_state WHERE name = 'clock'{tx.dialect.lock}")
    now = tx.now()
    set_back = row["at"] - now if row is not None else 0.0
    tx.run(
        "INSERT INTO provider_state (name, value, at) VALUES ('clock', '', :now) "
        "ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        now=now,
    )
    if set_back < _LEAST_SET_BACK_SECONDS:
        return 0.0
    # A job that was enqueued since then is due too early, which does no harm: each job looks at what there is to do.
    tx.run(
        "UPDATE work SET due_at = CASE WHEN due_at > :now THEN due_at - :set_back ELSE due_at END, "
        "again_at = again_at - :set_back, "
        "lease_until = CASE WHEN lease_until > :now + :lease THEN :now + :lease ELSE lease_until END",
        now=now,
        set_back=set_back,
        lease=LEASE_SECONDS,
    )
    _move_retries(tx, now, set_back)
    tx.jobs_due = True
    return set_back


def _move_retries(tx: Transaction, now: float, set_back: float) -> None:
    # Of deliveries to hosts, and of endpoints that fail. Their times are by the clocks of processes, which on SQLite
    # is the database's too. Where a process's clock was right all the time, a retry comes too early once.
    tx.run(
        "UPDATE deliveries SET next_at = next_at - :set_back "
        "WHERE status = 'pending' AND waiting = 0 AND next_at > :now",
        now=now,
        set_back=set_back,
    )
    for column in ("probe_at", "review_at", "failing_since"):
        sql = f"UPDATE endpoints SET {column} = {column} - :set_back WHERE {column} > :now"
        tx.run(sql, now=now, set_back=set_back)


def _next_in_seconds(tx: Transaction) -> float | None:
    # A leased job counts from the end of its lease: its worker may have died.
    row = tx.one(f"SELECT next.at - :database_now AS seconds FROM ({NEXT_JOB}) AS next")
    return max(0.0, float(row["seconds"])) if row is not None else None


def _release(tx: Transaction, jobs: Sequence[LeasedJob]) -> None:
    for job in jobs:
        # The lease proves that the job is still this worker's: after it ended, another worker's lease must stay.
        tx.run(
            "UPDATE work SET lease = NULL, lease_until = NULL, due_at = :database_now "
            "WHERE kind = :kind AND ref = :ref AND lease = :lease",
            kind=job.kind.value,
            ref=job.ref,
            lease=job.lease,
        )
    tx.jobs_due = tx.jobs_due or bool(jobs)
