"""What the operator chose, as it shows from outside."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices, refused
from tests.support.users import User

Opened = Callable[..., AbstractAsyncContextManager[RunningServices]]


@pytest.fixture
def opened(clock: Clock, database_url: str) -> Opened:
    @asynccontextmanager
    async def build(**settings: Any) -> AsyncIterator[RunningServices]:
        services = RunningServices(clock, database_url, **settings)
        await services.open()
        yield services
        await services.close()

    return build


@pytest.mark.parametrize(("link", "kind"), [("auto", "invitation"), ("invitation", "invitation"), ("magic_link",) * 2])
async def test_the_kind_of_link_is_the_operators_unless_the_host_names_one(
    opened: Opened, link: str, kind: str
) -> None:
    async with opened(link=link) as services:
        ada = User(services, "ada")
        assert (await ada.session())["link"]["kind"] == kind
        assert (await ada.session(link="magic_link"))["link"]["kind"] == "magic_link"
        assert (await ada.session(link="invitation"))["link"]["kind"] == "invitation"
        # Only an invitation can be limited to a mailbox.
        assert (await ada.session(userEmail="ada@example.com"))["link"]["kind"] == "invitation"


@pytest.mark.parametrize("paths", ["auto", "company", "reference"])
@pytest.mark.parametrize("version", ["v2.2", "v2.1", "v2"])
async def test_both_generations_of_the_providers_paths_lead_to_a_connection_with_bills(
    opened: Opened, paths: str, version: str
) -> None:
    url = f"http://127.0.0.1:9000/{version}"
    async with opened(provider_paths=paths, provider_url=url, sandbox={"version": version}) as services:
        connection = await User(services, "ada").connected()
        services.clock.advance(30)
        path = f"/v1/connections/{connection['id']}/documents"
        first = await services.get(path, limit=100)
        assert len(first["data"]) == 100
        assert len(await services.rows(path, limit=100, after=first["next"])) == 20


async def test_what_was_found_out_of_the_paths_outlives_the_process(opened: Opened) -> None:
    async with opened(provider_paths="auto") as services:
        # This provider serves the company paths alone.
        reference = re.compile(r"/v2.2/(connection/company|site/company|document/connection)/")
        services.outgoing.instead = lambda call: httpx.Response(404) if reference.match(call.url.path) else None
        await User(services, "ada").connected()
        assert [call for call in services.outgoing.calls if reference.match(call.split()[1])]
        await services.die()
        services.outgoing.calls.clear()
        await User(services, "bob").connected()
        assert [call for call in services.outgoing.calls if reference.match(call.split()[1])] == []


async def test_a_404_of_an_unknown_id_changes_nothing_for_the_next_process(opened: Opened) -> None:
    async with opened(provider_paths="auto") as services:
        services.outgoing.instead = lambda _: httpx.Response(404)
        await User(services, "ada").session()
        services.outgoing.instead = lambda _: None
        assert await services.parts.store.provider_state.paths(services.settings.provider_url) is None


async def test_a_key_of_a_rotation_that_has_ended_stops_nothing(opened: Opened) -> None:
    async with opened(provider_api_keys=("ended", "sandbox-key"), provider_api_key=None) as services:
        connection = await User(services, "ada").connected()
        assert connection["status"] == "CONNECTED"


@pytest.mark.parametrize(("days", "status"), [(30, 404), (32, 200)])
async def test_what_is_over_is_kept_for_as_many_days_as_the_operator_says(
    opened: Opened, days: int, status: int
) -> None:
    async with opened(retention_days=days) as services:
        made = await User(services, "ada").session()
        await services.later(31 * 86_400)
        await services.later(86_400 / 2)
        assert (await services.host.get(f"/v1/sessions/{made['id']}")).status_code == status


async def test_the_bootstrap_key_is_one_key_among_those_of_the_database(opened: Opened) -> None:
    async with opened(api_key=None) as services:
        refused(await services.host.get("/v1/sessions"), 401, "unauthorized")
        other = await services.stranger("default")
        assert (await other.get("/v1/sessions")).status_code == 200


@pytest.mark.parametrize("first", ["host", "other"])
async def test_two_tenants_that_name_a_company_alike_never_share_it(opened: Opened, first: str) -> None:
    async with opened() as services:
        other = await services.stranger()
        ada = User(services, "ada")
        callers = [services.host, other] if first == "host" else [other, services.host]
        made = []
        for caller in callers:
            made.append((await caller.post("/v1/sessions", json=ada.wants(userId="ada"))).json())
            await services.drain()
        stored = [(await c.get(f"/v1/sessions/{m['id']}")).json() for c, m in zip(callers, made, strict=True)]
        assert stored[0]["link"]["status"] == "ready"
        assert stored[1]["company"]["id"] != stored[0]["company"]["id"]
        assert stored[1]["failure"]["code"] == "forbidden"


async def test_another_tenants_company_cannot_be_named_by_the_providers_id(opened: Opened) -> None:
    async with opened() as services:
        ada = User(services, "ada")
        connection = await ada.connected()
        other = await services.stranger()
        body = ada.wants(company={"id": connection["company"]["id"]}, sites=[{"id": connection["sites"][0]["id"]}])
        refused(await other.post("/v1/sessions", json=body), 404, "not_found")
        assert (await other.get("/v1/sessions")).json()["data"] == []


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_process_makes_as_many_calls_at_a_time_as_its_operator_allows(opened: Opened, calls: int) -> None:
    async with opened(provider_calls=calls) as services:
        connection = await User(services, "ada").connected()
        under_way, go_on = asyncio.Semaphore(0), asyncio.Event()
        arrived: list[str] = []

        async def hold(request: httpx.Request) -> None:
            arrived.append(request.url.path)
            under_way.release()
            await go_on.wait()

        services.outgoing.after = hold
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(services.get(f"/v1/connections/{connection['id']}/usage"))
            for _ in range(calls):
                await under_way.acquire()
            for _ in range(5):
                await services.get("/v1/sessions")
            held = len(arrived)
            go_on.set()
        assert (held, len(arrived)) == (calls, 4)
