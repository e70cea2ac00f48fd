"""Several processes with one file: what another one wrote is noticed here too."""

import asyncio
from pathlib import Path

from service.domain.changes import Changes
from service.domain.events import NewEvent
from service.store import Store
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.store_cases import KEYS, UNNAMED, create, fresh


def store_at(path: Path, clock: Clock, name: str) -> Store:
    numbers = iter(range(1_000_000))
    engine = SqliteEngine(str(path), clock.now)
    return Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_{name}_{next(numbers)}", keys=KEYS)


async def test_what_another_process_wrote_is_notified_within_seconds(tmp_path: Path, clock: Clock) -> None:
    here, there = (store_at(tmp_path / "one.db", clock, name) for name in ("here", "there"))
    await here.open()
    await there.open()
    await create(there, fresh("ada"))
    notified: set[str] = set()
    here.engine.on_events(notified.update)
    event = Changes(events=(NewEvent("session.opened", fresh("ada").id),))
    async with asyncio.timeout(10):
        while not notified:  # the watch begins at the position it first reads, so the event is repeated
            await there.connections.change(UNNAMED.ref, [], [], lambda _: event)
            await asyncio.sleep(0.1)
    assert notified == {"ses_ada"}
    await here.close()
    await there.close()


async def test_two_processes_share_the_work_and_the_log(tmp_path: Path, clock: Clock) -> None:
    here, there = (store_at(tmp_path / "one.db", clock, name) for name in ("here", "there"))
    await here.open()
    await there.open()
    await asyncio.gather(
        *(create(each, fresh(name=f"ses_{each is here}_{n}")) for n in range(20) for each in (here, there))
    )
    claims = await asyncio.gather(here.queue.lease(100, 60), there.queue.lease(100, 60))
    refs = [work.ref for claimed in claims for work in claimed]
    assert len(refs) == len(set(refs)) == 40
    assert [event.seq for event in await here.events.after(0, 100)] == list(range(1, 41))
    await here.close()
    await there.close()
