"""Queries that run in a loop read no more than they return: their plans on both databases, on a large table."""

from typing import Any

from service.store import Store
from service.store.engine import Transaction
from service.store.queue import DUE_JOBS, NEXT_JOB

JOBS = 5000


async def fill(store: Store) -> None:
    """Many jobs that are due much later, as sessions that will expire."""

    def unit(tx: Transaction) -> None:
        for number in range(JOBS):
            sql = "INSERT INTO work (kind, ref, due_at) VALUES (:kind, :ref, :at)"
            tx.run(sql, kind="expire", ref=f"ses_{number}", at=1e9 + number)

    await store.engine.write(unit)


async def plan(store: Store, sql: str, **values: Any) -> str:
    """The plan of a query, as the database tells it."""

    def unit(tx: Transaction) -> str:
        if tx.dialect.name == "sqlite":
            return "\n".join(str(row["detail"]) for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", **values))
        tx.run("ANALYZE work")
        return "\n".join(str(row["QUERY PLAN"]) for row in tx.all(f"EXPLAIN {sql}", **values))

    return await store.engine.write(unit)


def reads_whole_table(found: str) -> bool:
    """A scan without an index, or a sort of what was read."""
    lines = found.upper().splitlines()
    return any("SEQ SCAN" in one or "SORT" in one or "B-TREE" in one or _is_bare_scan(one) for one in lines)


def _is_bare_scan(line: str) -> bool:
    return line.strip().startswith("SCAN") and "USING INDEX" not in line and "USING COVERING INDEX" not in line


async def test_a_query_without_an_index_is_noticed(store: Store) -> None:
    await fill(store)
    assert reads_whole_table(await plan(store, "SELECT ref FROM work ORDER BY attempts LIMIT 1"))


async def test_when_the_next_job_is_due_is_one_row_of_an_index(store: Store) -> None:
    await fill(store)
    assert not reads_whole_table(await plan(store, NEXT_JOB))


async def test_leasing_reads_the_due_jobs_only(store: Store) -> None:
    await fill(store)
    assert not reads_whole_table(await plan(store, DUE_JOBS, now=5.0, limit=16))
