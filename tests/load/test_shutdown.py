"""A worker that is told to stop, as by a deployment: a real process, with everything open that may be open."""

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

from tests.load.crowd import KEY, ORIGIN
from tests.load.houses import Street, standing

END_SECONDS = 10
STREAMS = 8
AT_ONCE = 12


@pytest.fixture(params=["sqlite", "postgresql"])
async def street(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Street]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'magiclink.db'}" if is_sqlite else str(request.getfixturevalue("empty_postgres_url"))
    with standing(url, workers=1, speed=1) as opened:
        await opened.start()
        yield opened


@asynccontextmanager
async def backend(street: Street) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}", "accept": "application/json"}
    limits = httpx.Limits(max_connections=100)
    url = street.workers[0].url
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
    told = []
    headers = {"accept": "text/event-stream", "x-page-key": key}
    async with http.stream("GET", live, headers=headers) as answer:
        async for line in answer.aiter_lines():
            first.set()
            told += [line] if line.startswith("event:") else []
    return told


async def open_streams(http: httpx.AsyncClient) -> list[asyncio.Task[list[str]]]:
    made = (await create(http, "acme")).raise_for_status().json()
    path = urlsplit(made["embedUrl"]).path
    key = (await http.post(f"{path}/start", json={})).raise_for_status().json()["pageKey"]
    firsts = [asyncio.Event() for _ in range(STREAMS)]
    live = path.replace("/embed/", "/live/")
    streams = [asyncio.create_task(listen(http, live, key, first)) for first in firsts]
    await asyncio.gather(*(first.wait() for first in firsts))
    return streams


async def wait_for_news(http: httpx.AsyncClient, street: Street) -> "asyncio.Task[httpx.Response]":
    """A host that waits at the end of the log; sent once the link's own news is out."""

    async def quiet() -> bool:
        return "session.link_ready" in (await http.get("/v1/events", params={"limit": 100})).text

    await until(quiet)
    slow = {"seconds": 0.4}  # so that a create that waits for its link is under way for a while
    async with httpx.AsyncClient(base_url=street.sandbox.url, trust_env=False) as control:
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


async def test_whoever_is_being_served_is_served_to_the_end_and_nothing_accepted_is_lost(street: Street) -> None:
    worker = street.workers[0]
    async with backend(street) as http, AsyncExitStack() as stack:
        address = ("127.0.0.1", urlsplit(worker.url).port or 0)
        for _ in range(4):  # as browsers do, for requests that they may never send
            stack.enter_context(socket.create_connection(address))
        streams = await open_streams(http)
        news = await wait_for_news(http, street)
        waiting = await under_way(http)
        rush = [asyncio.create_task(create(http, f"rush-{number}")) for number in range(AT_ONCE)]
        await asyncio.sleep(0)
        began = perf_counter()
        code = await asyncio.to_thread(worker.end, signal.SIGTERM, END_SECONDS)
        took = perf_counter() - began
        sys.stdout.write(f"ended after {took:.2f} s\n")
        assert (code, took < END_SECONDS - 3) == (0, True), worker.said()
        assert [(await stream)[0] for stream in streams] == ["event: view"] * STREAMS
        assert ((await news).status_code, (await waiting).status_code) == (200, 201)
        assert (await waiting).json()["link"]["status"] == "ready"
        answers = [
            one for one in await asyncio.gather(*rush, return_exceptions=True) if isinstance(one, httpx.Response)
        ]
        assert {one.status_code for one in answers} <= {201}
    assert "Traceback" not in worker.said()
    await _all_there(street, [one.json()["id"] for one in (await waiting, *answers)])


async def _all_there(street: Street, sessions: list[str]) -> None:
    street.workers[0].start()
    await street.workers[0].ready()
    async with backend(street) as http:
        found = [(await http.get(f"/v1/sessions/{session}")).status_code for session in sessions]
    assert found == [200] * len(sessions)
