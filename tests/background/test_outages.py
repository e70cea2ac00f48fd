"""While the database is away each loop goes on asking, and the log says so once, not in each round."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from service.background.deliveries import DeliveryWorker
from service.background.loops import renew_forever
from service.errors import Unavailable
from service.worker import Worker
from tests.support.patience import PATIENCE_SECONDS

# Whether the database is away, for each time that it is asked: two outages.
AWAY = [True, True, True, False, False, True, True]


class Database:
    """What the loops use of the store; it is away in some rounds, and `over` once they are all done."""

    def __init__(self) -> None:
        self._rounds = iter(AWAY)
        self.over = asyncio.Event()
        self.wake: Callable[[], None] = lambda: None
        self.queue = self.deliveries = self

    def ask(self) -> None:
        is_away = next(self._rounds, None)
        if is_away is None:
            self.over.set()
            return
        self.wake()  # or the loop would wait a second
        if is_away:
            raise Unavailable

    async def lease(self, *_: object) -> list[Any]:
        self.ask()
        return []

    async def follow_clock(self) -> float:
        return 0.0

    async def next_in_seconds(self) -> float:
        return 60.0

    async def review_failing(self) -> bool:
        return False

    async def release(self, *_: object) -> None:
        """Nothing is leased."""

    async def renew(self) -> None:
        self.ask()


async def briefly(_seconds: float) -> None:
    await asyncio.sleep(0)


async def never(_seconds: float) -> None:
    await asyncio.Event().wait()


async def run_until_over(database: Database, loop: Worker | DeliveryWorker) -> None:
    database.wake = loop.wake
    task = asyncio.create_task(loop.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await database.over.wait()
    await loop.stop(1)
    await task


async def test_the_loop_of_jobs(caplog: pytest.LogCaptureFixture) -> None:
    database: Any = Database()
    await run_until_over(database, Worker(database, {}, sleep=never))
    assert caplog.messages == ["the database is unavailable; jobs wait"] * 2


async def test_the_loop_of_deliveries(caplog: pytest.LogCaptureFixture) -> None:
    database: Any = Database()
    renewals = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await (renewals.wait() if seconds > 1 else asyncio.sleep(0))

    await run_until_over(database, DeliveryWorker(database, database, sleep))
    assert caplog.messages == ["the database is unavailable; deliveries wait"] * 2


async def test_the_renewals_of_leases(caplog: pytest.LogCaptureFixture) -> None:
    database = Database()
    task = asyncio.create_task(renew_forever(database.renew, briefly, "leases"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await database.over.wait()
    task.cancel()
    assert caplog.messages == ["the database is unavailable; leases are not renewed"] * 2
