"""A process dies at each step of a call with an Idempotency-Key; the equal call afterwards does nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.domain.timing import LEASE_SECONDS
from tests.simulation.engines import CrashingEngine
from tests.support.connection_steps import ambiguous
from tests.support.endpoints import endpoint
from tests.support.receivers import URL
from tests.support.services import RunningServices
from tests.support.users import User

ENDPOINTS = "/v1/webhook-endpoints"
SINCE = {"since": "2027-01-15T08:00:00Z"}


class Stops:
    """The steps of a process: at one of them it stands still for ever, as far as anybody sees."""

    def __init__(self) -> None:
        self.left = 0
        self.reached = asyncio.Event()

    def at(self, step: int) -> None:
        self.left = step
        self.reached.clear()

    async def reach(self, _moment: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.reached.set()
            await asyncio.Event().wait()

    def must_end(self, _moment: str) -> bool:
        return False

    def require_alive(self) -> None:
        """It does not end before it is stopped."""


@pytest.fixture
async def stops(services: RunningServices) -> Stops:
    stops = Stops()
    services.wrap_engine = lambda engine: CrashingEngine(engine, stops)
    await services.die()
    return stops


async def _endpoint_path(services: RunningServices, _ada: User) -> str:
    return f"{ENDPOINTS}/{(await endpoint(services))['id']}"


async def _rotate(services: RunningServices, ada: User) -> tuple[str, Any]:
    return f"{await _endpoint_path(services, ada)}/rotate-secret", None


async def _test(services: RunningServices, ada: User) -> tuple[str, Any]:
    return f"{await _endpoint_path(services, ada)}/test", None


async def _replay(services: RunningServices, ada: User) -> tuple[str, Any]:
    return f"{await _endpoint_path(services, ada)}/replay", SINCE


async def _replay_one(services: RunningServices, ada: User) -> tuple[str, Any]:
    path = await _endpoint_path(services, ada)
    await ada.session()
    return f"/v1/deliveries/{(await services.rows(f'{path}/deliveries'))[0]['id']}/replay", None


async def _create(_services: RunningServices, _ada: User) -> tuple[str, Any]:
    return ENDPOINTS, {"url": URL}


async def _renew(_services: RunningServices, ada: User) -> tuple[str, Any]:
    return f"/v1/sessions/{(await ada.session())['id']}/renew", None


async def _revoke(_services: RunningServices, ada: User) -> tuple[str, Any]:
    return f"/v1/sessions/{(await ada.session())['id']}/revoke", None


# What a call needs first, and what is counted: each call adds one to it.
CALLS: dict[str, tuple[Callable[[RunningServices, User], Awaitable[tuple[str, Any]]], str]] = {
    "create": (_create, "SELECT COUNT(*) AS n FROM endpoints"),
    "rotate": (_rotate, "SELECT COUNT(*) AS n FROM endpoint_secrets"),
    "test": (_test, "SELECT COUNT(*) AS n FROM deliveries WHERE kind = 'test'"),
    "replay": (_replay, "SELECT COUNT(*) AS n FROM replays"),
    "replay one": (_replay_one, "SELECT COUNT(*) AS n FROM deliveries WHERE kind = 'replay'"),
    "renew": (_renew, "SELECT SUM(serial) AS n FROM sessions"),
    "revoke": (_revoke, "SELECT COUNT(*) AS n FROM events WHERE type = 'session.revoked'"),
}


async def _count(services: RunningServices, sql: str) -> int:
    rows = await services.parts.store.engine.read(lambda tx: tx.all(sql))
    return int(rows[0]["n"])


async def _stopped(services: RunningServices, stops: Stops, step: int, call: Callable[[], Awaitable[Any]]) -> bool:
    """Make the call, and end its process at this step; whether the step was reached."""
    stops.at(step)
    under_way = asyncio.ensure_future(call())
    stop = asyncio.create_task(stops.reached.wait())
    await asyncio.wait([under_way, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in (under_way, stop):
        task.cancel()
    await asyncio.wait([under_way, stop])
    was_reached = stops.reached.is_set()
    stops.at(0)
    await services.die()
    services.clock.advance(LEASE_SECONDS)
    return was_reached


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_whose_process_died_at_any_step_is_done_once(
    services: RunningServices, ada: User, stops: Stops, name: str
) -> None:
    prepare, counted = CALLS[name]
    step = 1
    while True:
        path, body = await prepare(services, ada)
        before = await _count(services, counted)

        async def call(path: str = path, body: Any = body, key: str = f"k{step}") -> Any:
            return await services.host.post(path, json=body or {}, headers={"Idempotency-Key": key})

        was_reached = await _stopped(services, stops, step, call)
        answer = await call()
        assert answer.is_success, answer.text
        assert await _count(services, counted) == before + 1, step
        assert (await call()).json() == answer.json()
        if not was_reached:
            break
        step += 1
    assert step > 4


async def test_a_claim_that_was_undone_after_the_process_died_is_not_made_again(
    services: RunningServices, ada: User, bob: User, stops: Stops
) -> None:
    connection, hers, _ = await ambiguous(services, ada, bob)
    path, step = f"/v1/connections/{connection['id']}/claim", 1

    async def call() -> Any:
        key = {"Idempotency-Key": f"k{step}"}
        return await services.host.post(path, json={"sessionId": hers.id}, headers=key)

    async def owner() -> str | None:
        found: str | None = (await services.get(f"/v1/connections/{connection['id']}"))["userId"]
        return found

    committed = []
    while await _stopped(services, stops, step, call):
        is_claimed = await owner() == "ada"
        await services.host.delete(path)
        answer = await call()
        assert answer.is_success, answer.text
        assert await owner() == (None if is_claimed else "ada"), step
        assert (await call()).json()["id"] == connection["id"]
        await services.host.delete(path)
        committed.append(is_claimed)
        step += 1
    assert {True, False} <= set(committed)
