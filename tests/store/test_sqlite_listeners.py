"""Who is notified of a commit on SQLite: listeners to events and to jobs, of this process and of others."""

from pathlib import Path
from typing import Any

from service.errors import NotFound
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.grouped_commits import ended_beneath, in_one_group, insert, opened


def telling(session_id: str | None, *, work: bool = False) -> Any:
    def unit(tx: Transaction) -> None:
        tx.notify(session_id)
        tx.jobs_due = work

    return unit


async def test_listeners_hear_of_a_group_once_after_its_commit(tmp_path: Path, clock: Clock) -> None:
    notified: list[set[str]] = []
    asked: list[int] = []
    async with opened(tmp_path / "t.db", clock) as engine:
        engine.on_events(notified.append)
        engine.on_jobs(lambda: asked.append(1))
        await in_one_group(engine, telling("ses_1", work=True), telling("ses_2"), telling(None, work=True))
        assert notified == [{"ses_1", "ses_2", ""}]
        assert asked == [1]


async def test_nobody_is_notified_of_what_did_not_happen(tmp_path: Path, clock: Clock) -> None:
    def loud(tx: Transaction) -> None:
        telling("ses_1", work=True)(tx)
        raise NotFound

    notified: list[object] = []
    async with opened(tmp_path / "t.db", clock) as engine:
        engine.on_events(notified.append)
        engine.on_jobs(lambda: notified.append("work"))
        await in_one_group(engine, loud)
        await in_one_group(engine, telling("ses_2", work=True), ended_beneath)
        await engine.write(insert(1))
        assert notified == []
