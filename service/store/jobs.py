"""Enqueues jobs inside an open transaction, so that a change and the jobs that follow from it are written together."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from service.domain.changes import Job, JobKind
from service.store.engine import Transaction

_JOBS_AT_ONCE = 16


def enqueue(tx: Transaction, *jobs: Job) -> None:
    """Make jobs due, or keep the earlier time at which one is due already. A running job runs once more afterwards.

    A job that a page waits for stays one when it is enqueued again without `waited_for`.
    """
    different = _merged(jobs)
    for first in range(0, len(different), _JOBS_AT_ONCE):
        some = different[first : first + _JOBS_AT_ONCE]
        values = [(f"{name}{at}", value) for at, job in enumerate(some) for name, value in _job_values(job).items()]
        tx.run(_enqueue_sql(len(some)), **dict(values))
    tx.jobs_due = tx.jobs_due or any(job.in_seconds <= 0 for job in jobs)


def end_jobs(tx: Transaction, *jobs: Job) -> None:
    """Delete these jobs. One that runs at this moment finds its lease gone, and cannot become due again."""
    for job in jobs:
        tx.run("DELETE FROM work WHERE kind = :kind AND ref = :ref", kind=job.kind.value, ref=job.ref)


def _merged(jobs: Sequence[Job]) -> list[Job]:
    """Return one job for each kind and ref, since one statement cannot write a row twice."""
    merged: dict[tuple[JobKind, str], Job] = {}
    for job in jobs:
        other = merged.get((job.kind, job.ref), job)
        in_seconds, waited_for = min(job.in_seconds, other.in_seconds), job.waited_for or other.waited_for
        merged[job.kind, job.ref] = replace(job, in_seconds=in_seconds, waited_for=waited_for)
    return list(merged.values())


def _job_values(job: Job) -> dict[str, Any]:
    return {"kind": job.kind.value, "ref": job.ref, "seconds": job.in_seconds, "waited_for": int(job.waited_for)}


@lru_cache(maxsize=_JOBS_AT_ONCE)
def _enqueue_sql(number: int) -> str:
    # One row per kind and ref. Without a lease, the earlier due time wins. With a lease (also one that has ended), the
    # time goes to `again_at`, from which completing the job takes it: the worker may have read older data already.
    rows = (f"(:kind{at}, :ref{at}, :database_now + :seconds{at}, :waited_for{at})" for at in range(number))
    return (
        f"INSERT INTO work (kind, ref, due_at, waited_for) VALUES {', '.join(rows)} "
        "ON CONFLICT (kind, ref) DO UPDATE SET "
        "waited_for = CASE WHEN excluded.waited_for = 1 THEN 1 ELSE work.waited_for END, "
        "due_at = CASE WHEN work.lease IS NULL AND excluded.due_at < work.due_at "
        "THEN excluded.due_at ELSE work.due_at END, "
        "again_at = CASE WHEN work.lease IS NOT NULL AND (work.again_at IS NULL OR excluded.due_at < work.again_at) "
        "THEN excluded.due_at ELSE work.again_at END"
    )
