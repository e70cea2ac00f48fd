"""Background work beside many requests: fewer jobs at once, but always one, and never for long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.domain.changes import Job, JobKind, LeasedJob
from service.store import Store
from service.telemetry.load import RequestLoad
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.worker import Worker
from tests.support.clock import Clock
from tests.support.worker_desk import due, opened_store

MANY, CALM_SECONDS, HELD_BACK_SECONDS, PERIOD_SECONDS = 500, 5, 30, 40


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def load(clock: Clock) -> RequestLoad:
    return RequestLoad(clock.now)


class Jobs:
    """A worker whose jobs run until the test ends them."""

    def __init__(self, store: Store, load: RequestLoad) -> None:
        self.begun: list[str] = []
        self._ended = asyncio.Event()
        self.worker = Worker(store, {JobKind.PREPARE: self._handle}, load=load)

    async def _handle(self, job: LeasedJob) -> None:
        self.begun.append(job.ref)
        await self._ended.wait()

    async def lease(self) -> int:
        """Lease what may run now; return how many jobs run."""
        await self.worker.lease_batch()
        await asyncio.sleep(0)
        return len(self.begun)

    async def end(self) -> None:
        self._ended.set()
        await self.worker.wait_for_running()
        self._ended.clear()


async def test_a_few_requests_hold_nothing_back(store: Store, load: RequestLoad) -> None:
    await store.queue.enqueue(*(due(f"ses_{number}") for number in range(20)))
    load.observe(MANY - 1)
    jobs = Jobs(store, load)
    assert await jobs.lease() == 8
    await jobs.end()


async def test_beside_many_requests_one_job_runs_at_a_time_and_those_of_pages_as_before(
    store: Store, load: RequestLoad
) -> None:
    await store.queue.enqueue(*(due(f"ses_{number}") for number in range(20)))
    load.observe(MANY)
    jobs = Jobs(store, load)
    assert await jobs.lease() == 1
    assert await jobs.lease() == 1
    await store.queue.enqueue(*(Job(JobKind.PREPARE, f"page_{number}", waited_for=True) for number in range(5)))
    assert await jobs.lease() == 6
    await jobs.end()
    assert await jobs.lease() == 7
    await jobs.end()


async def test_under_a_load_that_lasts_every_job_is_done(store: Store, load: RequestLoad) -> None:
    await store.queue.enqueue(*(due(f"ses_{number}") for number in range(20)))
    jobs = Jobs(store, load)
    for number in range(20):
        load.observe(2 * MANY)
        assert await jobs.lease() == number + 1
        await jobs.end()


async def test_five_seconds_after_the_last_of_many_requests_background_work_has_its_share_again(
    clock: Clock, load: RequestLoad
) -> None:
    assert not load.holds_back_background_work()
    load.observe(MANY)
    clock.advance(CALM_SECONDS - 1)
    assert load.holds_back_background_work()
    clock.advance(1)
    assert not load.holds_back_background_work()


async def test_background_work_is_held_back_for_thirty_of_forty_seconds_however_long_the_load_lasts(
    clock: Clock, load: RequestLoad
) -> None:
    held = []
    for _ in range(3 * PERIOD_SECONDS):
        load.observe(MANY)
        held.append(load.holds_back_background_work())
        clock.advance(1)
    period = [True] * HELD_BACK_SECONDS + [False] * (PERIOD_SECONDS - HELD_BACK_SECONDS)
    assert held == 3 * period


async def test_an_app_tells_how_many_requests_are_in_progress_as_each_begins() -> None:
    observed, go_on = list[int](), asyncio.Event()

    async def waits(_request: Request) -> Response:
        await go_on.wait()
        return PlainTextResponse("")

    app = AudienceApp([Route("/", waits)], HANDLERS, observe=observed.append)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://link.example.com") as client:
        waiting = [asyncio.create_task(client.get("/")) for _ in range(3)]
        while len(observed) < 3:  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*waiting)
        await client.get("/")
    assert observed == [1, 2, 3, 1]
