"""A worker that gets SIGTERM, as by a deployment: a real process, with everything open that may be open."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.load.load_users import KEY, ORIGIN
from tests.load.processes import LoadServices, running_services
from tests.support.postgres import running_postgres

END_SECONDS = 10
STREAMS = 8
AT_ONCE = 12


@pytest.fixture(params=["sqlite", "postgresql"])
async def services(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LoadServices]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'magiclink.db'}" if is_sqlite else str(request.getfixturevalue("empty_postgres_url"))
    with running_services(url, workers=1, speed=1) as opened:
        await opened.start()
        yield opened


@asynccontextmanager
async def backend(services: LoadServices) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}", "accept": "application/json"}
    limits = httpx.Limits(max_connections=100)
    url = services.workers[0].url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False, limits=limits) as http:
        yield http


async def create(http: httpx.AsyncClient, company: str, **fields: Any) -> httpx.Response:
    named = {"externalId": company, "name": company.title()}
    body = {"userId": "ada", "company": named, "sites": [{"externalId": "hq", "name": "HQ"}], "origin": ORIGIN}
    return await http.post("/v1/sessions", json=body | fields)


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await what():  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.02)


async def listen(http: httpx.AsyncClient, live: str, key: str, first: asyncio.Event) -> list[str]:
    """Every event of a stream that was ended as it should be; httpx raises where the last chunk is missing."""
    reported = []
    headers = {"accept": "text/event-stream", "x-page-key": key}
    async with http.stream("GET", live, headers=headers) as answer:
        async for line in answer.aiter_lines():
            first.set()
            reported += [line] if line.startswith("event:") else []
    return reported


async def open_streams(http: httpx.AsyncClient) -> list[asyncio.Task[list[str]]]:
    made = (await create(http, "acme")).raise_for_status().json()
    path = urlsplit(made["embedUrl"]).path
    key = (await http.post(f"{path}/start", json={})).raise_for_status().json()["pageKey"]
    firsts = [asyncio.Event() for _ in range(STREAMS)]
    live = path.replace("/embed/", "/live/")
    streams = [asyncio.create_task(listen(http, live, key, first)) for first in firsts]
    await asyncio.gather(*(first.wait() for first in firsts))
    return streams


async def wait_for_events(http: httpx.AsyncClient, services: LoadServices) -> "asyncio.Task[httpx.Response]":
    """A host that waits at the end of the log; sent once the link's own events are there."""

    async def quiet() -> bool:
        return "session.link_ready" in (await http.get("/v1/events", params={"limit": 100})).text

    await until(quiet)
    slow = {"seconds": 0.4}  # so that a create that waits for its link is under way for a while
    async with httpx.AsyncClient(base_url=services.sandbox.url, trust_env=False) as control:
        (await control.put("/_control/troubles/slow", json=slow)).raise_for_status()
    after = (await http.get("/v1/events", params={"limit": 100})).json()["next"]
    return asyncio.create_task(http.get("/v1/events", params={"after": after, "wait": 30}))


async def under_way(http: httpx.AsyncClient) -> "asyncio.Task[httpx.Response]":
    """A create that waits for its link, whose session is written already."""
    waiting = asyncio.create_task(create(http, "globex", prepare="now", metadata={"label": "waits"}))

    async def written() -> bool:
        return "globex" in (await http.get("/v1/sessions")).text

    await until(written)
    assert not waiting.done()
    return waiting


async def test_on_sigterm_running_requests_are_answered_and_nothing_accepted_is_lost(
    services: LoadServices,
) -> None:
    worker = services.workers[0]
    async with backend(services) as http, AsyncExitStack() as stack:
        address = ("127.0.0.1", urlsplit(worker.url).port or 0)
        for _ in range(4):  # as browsers do, for requests that they may never send
            stack.enter_context(socket.create_connection(address))
        streams = await open_streams(http)
        waiting_reader = await wait_for_events(http, services)
        waiting = await under_way(http)
        rush = [asyncio.create_task(create(http, f"rush-{number}")) for number in range(AT_ONCE)]
        await asyncio.sleep(0)
        began = perf_counter()
        code = await asyncio.to_thread(worker.end, signal.SIGTERM, END_SECONDS)
        took = perf_counter() - began
        sys.stdout.write(f"ended after {took:.2f} s\n")
        assert (code, took < END_SECONDS - 3) == (0, True), worker.said()
        assert [(await stream)[0] for stream in streams] == ["event: view"] * STREAMS
        assert ((await waiting_reader).status_code, (await waiting).status_code) == (200, 201)
        assert (await waiting).json()["link"]["status"] == "ready"
        answers = [
            one for one in await asyncio.gather(*rush, return_exceptions=True) if isinstance(one, httpx.Response)
        ]
        assert {one.status_code for one in answers} <= {201}
    assert "Traceback" not in worker.said()
    await _all_there(services, [one.json()["id"] for one in (await waiting, *answers)])


async def test_on_sigterm_a_process_ends_in_time_though_its_database_stands_still() -> None:
    with running_postgres() as server, server.database() as url, running_services(url, workers=1, speed=1) as services:
        await services.start()
        worker = services.workers[0]
        async with backend(services) as http:
            with server.frozen():
                waiting = asyncio.create_task(create(http, "acme"))
                await asyncio.sleep(0)
                code = await asyncio.to_thread(worker.end, signal.SIGTERM, END_SECONDS)
            assert code == 0, worker.said()
            await asyncio.gather(waiting, return_exceptions=True)


async def _all_there(services: LoadServices, sessions: list[str]) -> None:
    services.workers[0].start()
    await services.workers[0].ready()
    async with backend(services) as http:
        found = [(await http.get(f"/v1/sessions/{session}")).status_code for session in sessions]
    assert found == [200] * len(sessions)
