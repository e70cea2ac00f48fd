"""Work that our own rows say is due, leased with a lease: a dead worker's work is picked up when its lease ends."""

from collections.abc import Callable, Sequence

from service.domain.changes import Job, JobKind, LeasedJob
from service.store.changes import enqueue
from service.store.engine import Engine, Row, Transaction

# Exactly the expression of the index `work_by_next`: every idle worker runs it once a second.
NEXT_JOB = (
    "SELECT CASE WHEN lease IS NULL THEN due_at ELSE lease_until END AS at FROM work "
    "ORDER BY CASE WHEN lease IS NULL THEN due_at ELSE lease_until END LIMIT 1"
)
# A job whose lease has ended is due again: its worker is dead, or too late.
DUE_JOBS = (
    "SELECT kind, ref, attempts FROM work WHERE due_at <= :now AND (lease IS NULL OR lease_until <= :now) "
    "ORDER BY due_at LIMIT :limit"
)


class JobQueue:
    """See the module. All times are the database's."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id

    async def enqueue(self, *jobs: Job) -> None:
        """Make work due."""
        await self._engine.write(lambda tx: _enqueue_all(tx, jobs))

    async def lease(self, limit: int, lease_seconds: float) -> Sequence[LeasedJob]:
        """Take what is due and not another's."""
        return await self._engine.write(lambda tx: self._lease_batch(tx, limit, lease_seconds))

    async def lease_now(self, kind: JobKind, ref: str, lease_seconds: float) -> LeasedJob | None:
        """Enqueue this job and lease it at once; None where another worker holds it."""
        return await self._engine.write(lambda tx: self._lease_now(tx, kind, ref, lease_seconds))

    async def complete(self, job: LeasedJob, again_in_seconds: float | None = None) -> None:
        """Finish, or put off; what was asked for meanwhile is due all the same. After a lost lease nothing changes."""
        await self._engine.write(lambda tx: _finish(tx, job, again_in_seconds, failed=False))

    async def retry(self, job: LeasedJob, again_in_seconds: float) -> None:
        """As `done`, and count the attempt."""
        await self._engine.write(lambda tx: _finish(tx, job, again_in_seconds, failed=True))

    async def release(self, jobs: Sequence[LeasedJob]) -> None:
        """Give leases back, so that another worker runs the jobs at once; a lease that was lost stays lost."""
        await self._engine.write(lambda tx: _release(tx, jobs))

    async def void_leases(self) -> None:
        """End every lease: the caller knows that no other process is alive which could hold one."""
        await self._engine.write(
            lambda tx: tx.run(
                "UPDATE work SET lease = NULL, lease_until = NULL, due_at = CASE WHEN due_at < :now THEN due_at "
                "ELSE :now END WHERE lease IS NOT NULL",
                now=tx.now(),
            )
        )

    async def next_in_seconds(self) -> float | None:
        """How long until the next work is due (or a lease ends); None when there is none."""
        return await self._engine.read(_next_in_seconds)

    def _lease_batch(self, tx: Transaction, limit: int, lease_seconds: float) -> list[LeasedJob]:
        now = tx.now()
        rows = tx.all(f"{DUE_JOBS}{tx.dialect.skip_locked}", now=now, limit=limit)
        return [self._lease_row(tx, row, now + lease_seconds) for row in rows]

    def _lease_now(self, tx: Transaction, kind: JobKind, ref: str, lease_seconds: float) -> LeasedJob | None:
        enqueue(tx, Job(kind, ref))
        now = tx.now()
        row = tx.one(
            "SELECT kind, ref, attempts FROM work WHERE kind = :kind AND ref = :ref "
            f"AND (lease IS NULL OR lease_until <= :now){tx.dialect.lock}",
            kind=kind.value,
            ref=ref,
            now=now,
        )
        return self._lease_row(tx, row, now + lease_seconds) if row is not None else None

    def _lease_row(self, tx: Transaction, row: Row, until: float) -> LeasedJob:
        leased = LeasedJob(JobKind(row["kind"]), row["ref"], row["attempts"], self._new_id("lease"))
        tx.run(
            "UPDATE work SET lease = :lease, lease_until = :until WHERE kind = :kind AND ref = :ref",
            lease=leased.lease,
            until=until,
            kind=leased.kind.value,
            ref=leased.ref,
        )
        return leased


def _enqueue_all(tx: Transaction, jobs: Sequence[Job]) -> None:
    for job in jobs:
        enqueue(tx, job)


def _finish(tx: Transaction, job: LeasedJob, again_in_seconds: float | None, *, failed: bool) -> None:
    key = {"kind": job.kind.value, "ref": job.ref, "lease": job.lease}
    row = tx.one(
        f"SELECT again_at FROM work WHERE kind = :kind AND ref = :ref AND lease = :lease{tx.dialect.lock}", **key
    )
    if row is None:
        return
    now = tx.now()
    times = [row["again_at"]] if row["again_at"] is not None else []
    if again_in_seconds is not None:
        times.append(now + again_in_seconds)
    if not times:
        tx.run("DELETE FROM work WHERE kind = :kind AND ref = :ref AND lease = :lease", **key)
        return
    tx.run(
        "UPDATE work SET due_at = :due, again_at = NULL, lease = NULL, lease_until = NULL, attempts = :attempts "
        "WHERE kind = :kind AND ref = :ref AND lease = :lease",
        due=min(times),
        attempts=job.attempts + 1 if failed else 0,
        **key,
    )
    tx.jobs_due = min(times) <= now


def _next_in_seconds(tx: Transaction) -> float | None:
    row = tx.one(NEXT_JOB)
    if row is None:
        return None
    return max(0.0, float(row["at"]) - tx.now())


def _release(tx: Transaction, jobs: Sequence[LeasedJob]) -> None:
    for job in jobs:
        # The lease proves that the job is still this worker's: after it ended, another worker's lease must stay.
        tx.run(
            "UPDATE work SET lease = NULL, lease_until = NULL, due_at = :now "
            "WHERE kind = :kind AND ref = :ref AND lease = :lease",
            now=tx.now(),
            kind=job.kind.value,
            ref=job.ref,
            lease=job.lease,
        )
    tx.jobs_due = tx.jobs_due or bool(jobs)
