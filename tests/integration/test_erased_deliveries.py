"""After an erasure no delivery has the user's name: in an address of their session, or in what a receiver answered."""

import asyncio

import pytest

from service.store.engine import Transaction
from tests.support.connection_steps import ambiguous
from tests.support.endpoints import deliveries, endpoint
from tests.support.receivers import URL
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import User

NAME = "ada.lovelace"


@pytest.fixture(autouse=True)
def names_the_user(services: RunningServices) -> None:
    body = f"thanks, {NAME}".encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    services.receivers.main.answer = lambda _post: [head + body]


async def named(services: RunningServices) -> list[JsonObject]:
    """Deliveries with the user's name."""

    def unit(tx: Transaction) -> list[JsonObject]:
        rows = [dict(row) for row in tx.all("SELECT id, kind, url, attempts FROM deliveries")]
        return [row for row in rows if NAME in str(row)]

    return await services.parts.store.engine.read(unit)


async def erase_ada(services: RunningServices) -> None:
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    await services.drain()
    await services.deliver()


async def test_a_replay_of_a_delivery_to_the_sessions_own_address(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.session(webhookUrl=f"{URL}/{NAME}")
    await services.deliver()
    own = next(row for row in await deliveries(services, made) if row["kind"] == "own")
    await services.post(f"/v1/deliveries/{own['id']}/replay")
    await services.deliver()
    assert len(await named(services)) > 1
    await erase_ada(services)
    assert await named(services) == []


async def test_a_replay_of_all_since_a_time(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.session()
    await services.deliver()
    before = len(await named(services))
    await services.post(f"/v1/webhook-endpoints/{made['id']}/replay", {"since": "2027-01-15T07:00:00Z"})
    await services.drain()
    await services.deliver()
    assert len(await named(services)) > before
    await erase_ada(services)
    assert await named(services) == []


async def test_what_an_endpoint_got_that_was_deleted_since(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.session(webhookUrl=f"{URL}/{NAME}")
    await services.deliver()
    assert (await services.host.delete(f"/v1/webhook-endpoints/{made['id']}")).status_code == 204
    assert await named(services) != []
    await erase_ada(services)
    assert await named(services) == []


async def test_an_event_about_the_user_that_belongs_to_no_session(services: RunningServices, ada: User) -> None:
    await endpoint(services, types=["user.exported", "user.erased"])
    await ada.session()
    await services.get("/v1/users/ada/export")
    await services.deliver()
    await erase_ada(services)
    assert [post.json["type"] for post in services.receivers.main.posts] == ["user.exported", "user.erased"]
    assert await named(services) == []


async def test_an_answer_about_a_candidate_that_came_before_the_erasure_and_is_stored_after_it(
    services: RunningServices, ada: User, bob: User
) -> None:
    await endpoint(services, types=["connection.ambiguous"])
    receiver = services.receivers.main
    receiver.gate = asyncio.Event()
    await ambiguous(services, ada, bob)
    sending = asyncio.create_task(services.deliver())
    await receiver.has_posts(1)
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    await services.drain()
    receiver.gate.set()
    await sending
    assert await named(services) == []
