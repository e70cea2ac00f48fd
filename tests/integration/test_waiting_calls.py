"""Calls that wait for events: many of one tenant neither end nor delay what others ask for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.routing import Mount
from starlette.types import Message

from service.telemetry import load
from service.web.audience import AudienceApp
from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import API_KEY, RunningServices, refused
from tests.support.users import User

WAITING_OF_A_TENANT = 200


@asynccontextmanager
async def waiting(
    services: RunningServices, host: httpx.AsyncClient, count: int, after: str = "0"
) -> AsyncIterator[None]:
    """So many calls of the host wait for an event, until the block ends."""
    async with asyncio.timeout(30):
        tasks = []
        for _ in range(count):
            tasks.append(asyncio.create_task(host.get("/v1/events", params={"wait": 30, "after": after})))
            await services.rows("/v1/sessions")
        await have_begun(services)
    try:
        assert not any(task.done() for task in tasks)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def have_begun(services: RunningServices) -> None:
    """What was asked before is waiting by now: later calls have been answered meanwhile."""
    for _ in range(5):
        await services.rows("/v1/sessions")


def api_of(services: RunningServices) -> AudienceApp:
    assert services.transport.app is not None
    (app,) = (one.app for one in services.transport.app.routes if isinstance(one, Mount) and one.name == "api")
    assert isinstance(app, AudienceApp)
    return app


async def test_a_call_beyond_a_tenants_limit_is_refused_and_those_of_another_tenant_wait(
    services: RunningServices, ada: User
) -> None:
    mallory = await services.stranger()
    async with waiting(services, mallory, WAITING_OF_A_TENANT):
        answer = await mallory.get("/v1/events?wait=30")
        refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "5"
        own = asyncio.create_task(services.host.get("/v1/events?wait=30"))
        await have_begun(services)
        await services.post("/v1/sessions", ada.wants())
        assert [one["type"] for one in (await own).json()["data"]] == ["session.created"]
    own = asyncio.create_task(mallory.get("/v1/events?wait=30"))
    await have_begun(services)
    assert not own.done()  # there is room again
    own.cancel()


async def test_a_caller_that_left_holds_no_place(services: RunningServices) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {API_KEY}".encode())]
    query = {"query_string": b"wait=30", "headers": headers, "http_version": "1.1", "client": ("127.0.0.1", 1)}
    scope = {"type": "http", "method": "GET", "path": "/v1/events", "raw_path": b"/v1/events", "root_path": "", **query}
    messages: asyncio.Queue[Message] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    assert services.transport.app is not None
    call = asyncio.create_task(services.transport.app(scope, messages.get, send))
    await have_begun(services)
    assert not call.done()
    messages.put_nowait({"type": "http.disconnect"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        await call


async def test_a_call_that_need_not_wait_is_answered_beyond_the_limit(services: RunningServices, ada: User) -> None:
    await services.post("/v1/sessions", ada.wants())
    (event,) = await services.rows("/v1/events")
    async with waiting(services, services.host, WAITING_OF_A_TENANT, after=str(event["seq"])):
        assert await services.rows("/v1/events", wait=30) == [event]
        assert await services.rows("/v1/events", after=event["seq"]) == []


async def test_calls_that_wait_take_no_place_of_the_requests_in_progress(
    services: RunningServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.parts.worker.load, "_most", 3)
    async with waiting(services, await services.stranger(), 5):
        assert (await services.host.get("/v1/sessions")).status_code == 200


async def test_calls_that_wait_hold_no_background_job_back(
    services: RunningServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_MANY", 4)
    async with waiting(services, await services.stranger(), 6):
        await services.rows("/v1/sessions")
        assert not services.parts.worker.load.holds_back_background_work()


async def test_an_event_of_another_tenant_does_not_end_the_wait(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    began = time.perf_counter()
    own = asyncio.create_task(other.get("/v1/events?wait=1"))
    await have_begun(services)
    await services.post("/v1/sessions", ada.wants())
    assert (await own).json() == {"data": [], "next": "0"}
    assert 0.9 < time.perf_counter() - began < 5


async def test_the_tenants_own_event_ends_the_wait_after_those_of_another(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    own = asyncio.create_task(other.get("/v1/events?wait=30"))
    for _ in range(3):
        await have_begun(services)
        await services.post("/v1/sessions", ada.wants())
    made = (await other.post("/v1/sessions", json=ada.wants())).json()
    async with asyncio.timeout(PATIENCE_SECONDS):
        (event,) = (await own).json()["data"]
    assert (event["type"], event["sessionId"]) == ("session.created", made["id"])


async def test_a_wait_that_has_seen_events_of_another_tenant_ends_when_the_service_stops(
    services: RunningServices, ada: User
) -> None:
    own = asyncio.create_task((await services.stranger()).get("/v1/events?wait=30"))
    await have_begun(services)
    await services.post("/v1/sessions", ada.wants())
    await have_begun(services)
    services.parts.pubsub.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await own).json()["data"] == []
