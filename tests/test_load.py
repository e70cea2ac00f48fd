"""Background work beside many requests: fewer jobs at once, but always one, and never for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack
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
from service.web.request_body import read_raw
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


async def test_the_requests_of_an_app_are_its_load_while_they_are_in_progress(clock: Clock) -> None:
    load, begun, go_on = RequestLoad(clock.now, most=3), list[Request](), asyncio.Event()

    async def waits(request: Request) -> Response:
        begun.append(request)
        await go_on.wait()
        return PlainTextResponse("")

    app = AudienceApp([Route("/", waits)], HANDLERS, load=load)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://link.example.com") as client:
        waiting = [asyncio.create_task(client.get("/")) for _ in range(3)]
        while len(begun) < 3:
            assert not load.is_too_high()
            await asyncio.sleep(0)
        assert load.is_too_high()
        assert (await client.get("/")).status_code == 503
        go_on.set()
        await asyncio.gather(*waiting)
        assert (await client.get("/")).status_code == 200


class Requests:
    """Requests that are in progress, and seconds in which some are answered and as many others begin."""

    def __init__(self, load: RequestLoad, clock: Clock) -> None:
        self.load = load
        self._clock = clock
        self._begun: list[AbstractContextManager[None]] = []

    def begin(self, number: int) -> None:
        for _ in range(number):
            self._begun.append(self.load.request())
            self._begun[-1].__enter__()

    def end(self, number: int) -> None:
        for _ in range(number):
            self._begun.pop().__exit__(None, None, None)

    def seconds(self, number: int, answered: int) -> None:
        for _ in range(number):
            for _ in range(answered):
                self.begin(1)
                self._clock.advance(1 / answered)
                self.end(1)

    def taken(self) -> int:
        """Begin as many as are taken; return how many are in progress then."""
        while not self.load.is_too_high():
            self.begin(1)
        return len(self._begun)


@pytest.fixture
def requests(load: RequestLoad, clock: Clock) -> Requests:
    return Requests(load, clock)


def test_a_process_of_which_nothing_is_known_takes_a_thousand(requests: Requests) -> None:
    assert requests.taken() == 1000


@pytest.mark.parametrize(("answered", "taken"), [(100, 300), (250, 750), (1000, 1000), (20, 200)])
def test_a_busy_process_takes_what_it_answers_in_three_seconds(requests: Requests, answered: int, taken: int) -> None:
    requests.begin(4)
    requests.seconds(3, answered)
    assert requests.taken() == pytest.approx(taken, abs=answered / 10)


def test_an_idle_second_says_nothing_of_what_a_process_can_do(requests: Requests) -> None:
    requests.begin(3)
    requests.seconds(5, 20)
    assert requests.taken() == 1000


def test_requests_that_wait_for_the_provider_do_not_make_a_process_busy(requests: Requests) -> None:
    with ExitStack() as waiting:
        for _ in range(300):
            requests.begin(1)
            waiting.enter_context(requests.load.waiting())
        requests.seconds(5, 20)
        assert requests.taken() == 1000


async def test_bodies_that_arrive_slowly_do_not_make_a_process_busy(requests: Requests) -> None:
    begun, all_sent = asyncio.Semaphore(0), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        begun.release()
        yield b"{"
        await all_sent.wait()
        yield b"}"

    async def reads(request: Request) -> Response:
        return PlainTextResponse(await read_raw(request))

    app = AudienceApp([Route("/", reads, methods=["POST"])], HANDLERS, load=requests.load)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://link.example.com") as client:
        slow = [asyncio.create_task(client.post("/", content=body())) for _ in range(300)]
        for _ in slow:
            await begun.acquire()
        requests.seconds(5, 20)
        assert requests.taken() == 1000 - len(slow)
        requests.end(1000 - len(slow))
        all_sent.set()
        assert {(await one).text for one in slow} == {"{}"}
    requests.begin(4)
    requests.seconds(3, 100)
    assert requests.taken() == pytest.approx(300, abs=10)


def test_a_process_that_has_become_slow_takes_fewer_and_more_once_it_is_fast_again(requests: Requests) -> None:
    requests.begin(4)
    requests.seconds(3, 300)
    assert requests.taken() == pytest.approx(900, abs=30)
    requests.seconds(3, 80)
    assert requests.load.is_too_high()
    requests.end(700)
    assert requests.taken() == pytest.approx(240, abs=8)
    requests.seconds(3, 300)
    assert requests.taken() == pytest.approx(900, abs=30)
