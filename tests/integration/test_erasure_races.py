"""A call that races the erasure of its user ends erased, or is of the new user with the same id: never in between."""

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest

from service.domain.deliveries import Attempt, Delivery, DeliveryKind, DeliveryStatus
from service.domain.model import EventId, Tenant, UserId, UserRef
from service.domain.requests import IdempotentRequest, KeyLease
from service.store.delivery_rows import attempted_values
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.users import adopt_user
from tests.support.services import RunningServices
from tests.support.stored_rows import rows_with
from tests.support.users import User

DEFAULT = Tenant("default")
ADA = UserId("ada")
_MEANWHILE_SECONDS = 0.5  # long enough for a write that nothing holds up
ROUNDS = 10


async def check_whole(services: RunningServices, session_id: str) -> bool:
    """Return whether the session is erased; it is of the living user otherwise, with all that it was created with."""
    session = await services.get(f"/v1/sessions/{session_id}")
    living = [one["id"] for one in await services.rows("/v1/sessions", userId="ada", limit=100)]
    if session["userId"] is None:
        assert (session["status"], session["metadata"], session_id in living) == ("revoked", {}, False)
        return True
    assert (session["userId"], session["metadata"], session_id in living) == ("ada", {"mark": "zoe-mark"}, True)
    return False


async def test_sessions_that_are_created_meanwhile_are_erased_or_of_the_new_user(
    services: RunningServices, ada: User
) -> None:
    body = ada.wants(metadata={"mark": "zoe-mark"})
    for number in range(ROUNDS):
        await services.post("/v1/sessions", body)
        calls: list[Any] = [
            services.host.post("/v1/sessions", json=body, headers={"Idempotency-Key": f"{number}.{one}"})
            for one in range(4)
        ]
        calls.insert(number % 5, services.host.delete("/v1/users/ada"))
        answers = await asyncio.gather(*calls)
        assert [one.status_code for one in answers if one.request.method == "DELETE"] == [204]
        created = [one.json()["id"] for one in answers if one.request.method == "POST"]
        for session_id in created:
            await check_whole(services, session_id)
    await services.host.delete("/v1/users/ada")
    assert await rows_with(services, "zoe-mark") == []


async def test_of_erasures_at_once_one_erases(services: RunningServices, ada: User) -> None:
    for _ in range(ROUNDS):
        await ada.session()
        answers = await asyncio.gather(*(services.host.delete("/v1/users/ada") for _ in range(4)))
        assert sorted(one.status_code for one in answers) == [204, 404, 404, 404]
    assert (await services.event_types()).count("user.erased") == ROUNDS


async def test_an_erasure_waits_for_a_session_that_is_being_created(services: RunningServices, ada: User) -> None:
    made = await services.post("/v1/sessions", ada.wants())
    store, loop = services.parts.store, asyncio.get_running_loop()
    meanwhile: list[Future[UserRef]] = []

    def create(tx: Transaction) -> UserRef:
        found = adopt_user(tx, DEFAULT, ADA, UserRef("usr_unused"), services.clock.now())
        erasure = store.users.begin_erasure(DEFAULT, ADA, "key_1")
        meanwhile.append(asyncio.run_coroutine_threadsafe(erasure, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        assert not meanwhile[0].done(), "it waits for this transaction"
        return found

    user = await store.engine.write(create)
    assert await asyncio.wrap_future(meanwhile[0]) == user
    assert user == (await store.sessions.get(made["id"])).user


async def test_an_erasure_waits_for_an_answer_that_is_being_stored(services: RunningServices, ada: User) -> None:
    made = await services.post("/v1/sessions", ada.wants())
    event = (await services.rows(f"/v1/sessions/{made['id']}/events"))[0]["id"]
    store, loop = services.parts.store, asyncio.get_running_loop()
    attempt = Attempt(at=0.0, status=500, milliseconds=1, response_start="Who is ada?")
    delivery = Delivery(
        id="whd_1",
        tenant=DEFAULT,
        endpoint_id="whe_1",
        event_id=EventId(event),
        kind=DeliveryKind.EVENT,
        url=None,
        lane="lane",
        status=DeliveryStatus.PENDING,
        attempts=(attempt,),
        next_at=None,
        created_at=0.0,
    )
    meanwhile: list[Future[UserRef]] = []

    def store_answer(tx: Transaction) -> str:
        (values,) = attempted_values(tx, [delivery])
        erasure = store.users.begin_erasure(DEFAULT, ADA, "key_1")
        meanwhile.append(asyncio.run_coroutine_threadsafe(erasure, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        assert not meanwhile[0].done(), "it waits for this transaction"
        return str(values["attempts"])

    assert "Who is ada?" in await store.engine.write(store_answer)
    await asyncio.wrap_future(meanwhile[0])
    (values,) = await store.engine.write(lambda tx: attempted_values(tx, [delivery]))
    assert "Who is ada?" not in values["attempts"]


async def test_a_session_that_waits_for_an_erasure_is_of_a_new_user(services: RunningServices, ada: User) -> None:
    if not isinstance(services.parts.store.engine, PostgresEngine):
        return  # SQLite has one writer at a time: there is no such wait
    old = await services.post("/v1/sessions", ada.wants())
    store, loop = services.parts.store, asyncio.get_running_loop()
    meanwhile: list[Future[Any]] = []

    def erase(tx: Transaction) -> None:
        tx.run("UPDATE users SET user_id = NULL WHERE user_id = 'ada'")
        meanwhile.append(asyncio.run_coroutine_threadsafe(services.post("/v1/sessions", ada.wants()), loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        assert not meanwhile[0].done(), "it waits for this transaction"

    await store.engine.write(erase)
    new = await asyncio.wrap_future(meanwhile[0])
    refs = [(await store.sessions.get(one["id"])).user for one in (old, new)]
    assert refs[0] != refs[1]
    assert [one["id"] for one in await services.rows("/v1/sessions", userId="ada")] == [new["id"]]


@pytest.mark.parametrize("with_new_user", [True, False])
async def test_an_answer_that_comes_after_the_erasure_is_not_stored(
    services: RunningServices, ada: User, *, with_new_user: bool
) -> None:
    made = await services.post("/v1/sessions", ada.wants(metadata={"mark": "zoe-mark"}))
    answer = await services.get(f"/v1/sessions/{made['id']}")
    key = KeyLease(DEFAULT, IdempotentRequest("/v1/sessions/x/revoke", "k", "digest"), "token")
    await services.parts.store.idempotency.begin(key)
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    if with_new_user:
        await ada.session()
    await services.parts.store.idempotency.keep(key, answer)
    assert await rows_with(services, "zoe-mark") == []
    assert await services.parts.store.idempotency.begin(key) is None


async def test_a_call_that_waits_for_its_link_stores_no_answer_after_the_erasure(
    services: RunningServices, ada: User
) -> None:
    headers = {"Idempotency-Key": "order-1"}

    async def meanwhile(request: Any) -> None:
        if request.method == "POST" and "/invitation" in request.url.path:
            services.outgoing.before = None
            assert (await services.host.delete("/v1/users/ada")).status_code == 204

    services.outgoing.before = meanwhile
    body = ada.wants(prepare="now", metadata={"mark": "zoe-mark"})
    answer = await services.host.post("/v1/sessions", json=body, headers=headers)
    assert answer.status_code in {201, 503}, answer.text
    await services.drain()
    assert await rows_with(services, "zoe-mark") == []
