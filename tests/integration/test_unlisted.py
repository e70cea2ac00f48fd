"""Connections that the provider's list lacks: what its answers about each of them show, and what time alone ends."""

from typing import Any

import httpx
import pytest

from service.domain.changes import Job, JobKind
from service.domain.model import ConnectionId
from tests.support.connection_steps import broken, claim, connect_at
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import User

MINUTE, HOUR, DAY = 60, 3600, 86400


class Hidden:
    """Keeps connections off the provider's lists, and answers calls for each of them with `status`, if it is given."""

    def __init__(self, services: RunningServices, *connections: JsonObject) -> None:
        self.ids = {one["id"] for one in connections}
        self.status: int | None = None
        services.outgoing.reshape = self._reshape
        services.outgoing.instead = self._instead

    def _reshape(self, _request: httpx.Request, body: Any) -> Any:
        if not isinstance(body, dict) or "connections" not in body:
            return body
        return body | {"connections": [one for one in body["connections"] if one["id"] not in self.ids]}

    def _instead(self, request: httpx.Request) -> httpx.Response | None:
        if self.status is None or not any(f"/connection/{one}/" in request.url.path for one in self.ids):
            return None
        return httpx.Response(self.status, json={"detail": "no"})


async def poll(services: RunningServices, connection: JsonObject, times: int = 1) -> None:
    """The company is polled so often, each time a little later than two answers of 404 must be apart."""
    ref = (await services.parts.store.connections.get(ConnectionId(connection["id"]))).company
    for _ in range(times):
        services.clock.advance(65)
        await services.parts.store.queue.enqueue(Job(JobKind.RECONCILE, ref))
        await services.drain()


async def connections(services: RunningServices, ada: User, count: int) -> list[JsonObject]:
    """So many connections that she made by one magic link."""
    page = await ada.frame(link="magic_link")
    url = (await page.view())["link"]["url"]
    for _ in range(count):
        await connect_at(services, url)
    await page.finish()
    return await ada.connections()


# a company that is deleted at the provider


async def test_the_connections_of_a_deleted_company_are_removed(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await services.later(HOUR)
    company = connection["company"]["id"]
    assert (await services.sandbox.call("DELETE", f"/company/{company}")).status_code == 204
    for _ in range(48):
        await services.later(HOUR)
    after = await ada.newest()
    assert (after["status"], after["userId"]) == ("REMOVED", "ada")
    assert (await services.event_types()).count("connection.removed") == 1


async def test_all_of_them_are_found_removed_within_minutes_and_no_call_is_made_between_the_daily_polls(
    services: RunningServices, ada: User
) -> None:
    made = await connections(services, ada, 7)
    assert len(made) == 7
    await services.later(3 * HOUR)
    await services.sandbox.call("DELETE", f"/company/{made[0]['company']['id']}")
    await poll(services, made[0])
    for _ in range(10):
        await services.later(MINUTE)
    assert {one["status"] for one in await ada.connections()} == {"REMOVED"}
    services.outgoing.calls.clear()
    for _ in range(20):
        await services.later(HOUR)
    assert services.outgoing.calls == []


async def test_a_company_that_answers_404_and_has_its_connections_loses_none(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    await services.later(HOUR)

    def without_lists(request: httpx.Request) -> httpx.Response | None:
        path = request.url.path
        return httpx.Response(404, json={}) if path.endswith("/connection") or "/connection/company/" in path else None

    services.outgoing.instead = without_lists
    await poll(services, connection, 5)
    assert (await ada.newest())["status"] == "CONNECTED"


# one that the list alone lacks


@pytest.mark.parametrize("answered", [None, 403])
async def test_a_404_is_forgotten_once_the_provider_answers_otherwise(
    services: RunningServices, ada: User, answered: int | None
) -> None:
    connection = await ada.connected()
    await services.later(HOUR)
    hidden = Hidden(services, connection)
    hidden.status = 404
    await poll(services, connection)
    hidden.status = answered
    await poll(services, connection)
    hidden.status = 404
    await poll(services, connection)
    assert (await ada.newest())["status"] == "CONNECTED"
    await poll(services, connection)
    assert (await ada.newest())["status"] == "REMOVED"


@pytest.mark.parametrize("answered", [None, 403])
async def test_many_that_the_list_lacks_are_asked_for_in_turn(
    services: RunningServices, ada: User, answered: int | None
) -> None:
    made = await connections(services, ada, 8)
    await services.later(HOUR)
    hidden = Hidden(services, *made)
    hidden.status = answered
    services.outgoing.calls.clear()
    await poll(services, made[0], 20)
    asked = {one["id"] for one in made if services.outgoing.made(f"GET /connection/{one['id']}/details")}
    assert asked == hidden.ids
    assert sum(call.endswith("/details") for call in services.outgoing.calls) <= 5 * 20


# what waits for its verdict


async def waiting(services: RunningServices, ada: User, bob: User) -> tuple[JsonObject, str]:
    """A connection that Ada's magic link made or Bob's invitation, and Ada's session."""
    hers = await ada.frame(link="magic_link")
    await bob.frame(link="invitation")
    await hers.connect()
    await hers.finish()
    (row,) = await services.rows("/v1/connections", attributed="false")
    assert row["confirming"]
    return row, hers.id


async def calls_in_an_hour(services: RunningServices) -> int:
    services.outgoing.calls.clear()
    for _ in range(HOUR // 30):
        await services.later(30)
    return len(services.outgoing.calls)


async def is_decided(services: RunningServices, connection: JsonObject) -> bool:
    after = await services.get(f"/v1/connections/{connection['id']}")
    return not after["confirming"] and "connection.ambiguous" in await services.event_types()


async def test_one_that_the_list_does_not_show_is_ambiguous_after_a_day_and_polled_daily_from_then_on(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, _ = await waiting(services, ada, bob)
    Hidden(services, connection)
    for _ in range(28):
        await services.later(HOUR)
    assert await is_decided(services, connection)
    assert await calls_in_an_hour(services) == 0


async def test_so_it_is_where_the_provider_refuses_the_list(services: RunningServices, ada: User, bob: User) -> None:
    connection, _ = await waiting(services, ada, bob)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        is_list = "/company/" in request.url.path
        return httpx.Response(400, json={"detail": "no"}) if is_list and request.method == "GET" else None

    services.outgoing.instead = refuse
    for _ in range(28):
        await services.later(HOUR)
    assert await is_decided(services, connection)
    assert await calls_in_an_hour(services) == 0


async def test_one_that_was_removed_waits_for_nothing_once_its_claim_is_undone(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, session_id = await waiting(services, ada, bob)
    assert (await claim(services, connection, session_id)).status_code == 200
    await services.sandbox.plain("DELETE", f"/_control/connections/{connection['id']}")
    await poll(services, connection, 3)
    assert (await services.host.delete(f"/v1/connections/{connection['id']}/claim")).is_success
    after = await services.get(f"/v1/connections/{connection['id']}")
    assert (after["status"], after["userId"]) == ("REMOVED", None)
    assert await is_decided(services, connection)


# a return


async def test_reminders_go_on_where_it_is_back_as_broken_as_it_was(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    await services.later(HOUR)
    hidden = Hidden(services, connection)
    hidden.status = 404
    await poll(services, connection, 2)
    assert (await ada.newest())["status"] == "REMOVED"
    for _ in range(8):
        await services.later(DAY / 4)
    assert "connection.reminder" not in await services.event_types()
    hidden.ids.clear()
    for _ in range(8):
        await services.later(DAY / 4)
    after = await ada.newest()
    assert (after["status"], after["needsAttention"]) == ("PASSWORD_INCORRECT", True)
    events = await services.rows("/v1/events", limit=100)
    assert [one["data"]["day"] for one in events if one["type"] == "connection.reminder"] == [1, 3]
    assert (await services.event_types()).count("connection.needs_attention") == 1
