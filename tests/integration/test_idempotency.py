"""`Idempotency-Key`: the same key and body give the same answer, once; another body is refused."""

import asyncio
from typing import Any

import httpx
import pytest

from service.domain.timing import LEASE_SECONDS
from tests.support.services import RunningServices, refused
from tests.support.users import User


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_another_body_under_the_same_key_is_refused_and_makes_nothing(
    services: RunningServices, ada: User
) -> None:
    await services.host.post("/v1/sessions", json=ada.wants(), headers=keyed("k"))
    answer = await services.host.post("/v1/sessions", json=ada.wants(expiresIn=61), headers=keyed("k"))
    refused(answer, 422, "idempotency_key_reused")
    assert len(await services.rows("/v1/sessions")) == 1


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "naïve".encode("latin-1"), b"a\tb"])
async def test_a_key_that_is_no_key_is_refused(services: RunningServices, ada: User, key: Any) -> None:
    answer = await services.host.post("/v1/sessions", json=ada.wants(), headers=keyed(key))
    refused(answer, 422, "invalid_request")
    assert await services.rows("/v1/sessions") == []


# No id is a NUL, which PostgreSQL cannot store, nor thousands of characters, which its index cannot hold.
@pytest.mark.parametrize("unknown", ["%00", "".join(map(str, range(3000)))], ids=["NUL", "long"])
@pytest.mark.parametrize(
    "call", ["sessions/{}/revoke", "sessions/{}/renew", "connections/{}/reconnect", "webhook-endpoints/{}/test"]
)
async def test_an_id_that_cannot_exist_is_unknown_with_a_key_too(
    services: RunningServices, call: str, unknown: str
) -> None:
    answer = await services.host.post(f"/v1/{call.format(unknown)}", headers=keyed("k"))
    refused(answer, 404, "not_found")


async def test_a_hundred_equal_calls_make_one_session_and_get_a_hundred_equal_answers(
    services: RunningServices, ada: User
) -> None:
    calls = (services.host.post("/v1/sessions", json=ada.wants(), headers=keyed("k")) for _ in range(100))
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await services.rows("/v1/sessions")) == 1


async def test_a_repeat_answers_the_same_urls_long_after_and_whatever_became_of_the_session(
    services: RunningServices, ada: User
) -> None:
    first = await services.host.post("/v1/sessions", json=ada.wants(), headers=keyed("k"))
    await services.drain()
    services.clock.advance(600)
    again = await services.host.post("/v1/sessions", json=ada.wants(), headers=keyed("k"))
    assert (again.status_code, again.json()) == (201, first.json())


async def test_the_same_body_spelled_in_another_order_is_the_same(services: RunningServices, ada: User) -> None:
    body = ada.wants()
    first = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    turned = dict(reversed(list(body.items())))
    again = await services.host.post("/v1/sessions", json=turned, headers=keyed("k"))
    assert again.json() == first.json()


async def test_calls_without_a_key_are_all_new(services: RunningServices, ada: User) -> None:
    for _ in range(2):
        await services.post("/v1/sessions", ada.wants())
    assert len(await services.rows("/v1/sessions")) == 2


async def test_another_tenants_equal_key_is_its_own(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    first = await services.host.post("/v1/sessions", json=ada.wants(), headers=keyed("k"))
    theirs = await other.post("/v1/sessions", json=ada.wants(), headers=keyed("k"))
    assert theirs.status_code == 201
    assert theirs.json()["id"] != first.json()["id"]


async def test_a_call_that_waits_for_its_link_lets_no_equal_one_in_between(
    services: RunningServices, ada: User
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: httpx.Request) -> None:
        reached.set()
        await go_on.wait()

    services.outgoing.before = hold
    body = ada.wants(prepare="now")
    first = asyncio.create_task(services.host.post("/v1/sessions", json=body, headers=keyed("k")))
    await reached.wait()
    refused(await services.host.post("/v1/sessions", json=body, headers=keyed("k")), 409, "idempotency_in_progress")
    go_on.set()
    made = (await first).json()
    assert made["link"]["status"] == "ready"
    assert (await services.host.post("/v1/sessions", json=body, headers=keyed("k"))).json() == made
    assert len(await services.rows("/v1/sessions")) == 1


async def test_a_call_that_waits_for_longer_than_a_lease_renews_it(services: RunningServices, ada: User) -> None:
    answers: list[httpx.Response] = []
    body = ada.wants(prepare="now", expiresIn=86400)

    async def slow(_: httpx.Request) -> None:
        services.outgoing.before = None
        await services.outgoing.pass_time(2 * LEASE_SECONDS)
        answers.append(await services.host.post("/v1/sessions", json=body, headers=keyed("k")))

    services.outgoing.before = slow
    made = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    refused(answers[0], 409, "idempotency_in_progress")
    assert (made.status_code, made.json()["link"]["status"]) == (201, "ready")


async def test_a_key_whose_call_the_provider_failed_may_be_tried_again(services: RunningServices, ada: User) -> None:
    services.outgoing.is_down = True
    body = ada.wants(prepare="now")
    refused(await services.host.post("/v1/sessions", json=body, headers=keyed("k")), 502, "provider_error")
    services.outgoing.is_down = False
    answer = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    assert (answer.status_code, answer.json()["link"]["status"]) == (201, "ready")


@pytest.mark.parametrize("verb", ["revoke", "renew"])
async def test_a_repeated_post_to_a_session_answers_as_the_first_did(
    services: RunningServices, ada: User, verb: str
) -> None:
    made = await ada.session()
    path = f"/v1/sessions/{made['id']}/{verb}"
    first = await services.host.post(path, headers=keyed("k"))
    services.clock.advance(5)
    again = await services.host.post(path, headers=keyed("k"))
    assert (again.status_code, again.json()) == (200, first.json())


async def test_a_repeated_reconnect_makes_one_session(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    path = f"/v1/connections/{connection['id']}/reconnect"
    first = await services.host.post(path, json={}, headers=keyed("k"))
    again = await services.host.post(path, json={}, headers=keyed("k"))
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(await services.rows("/v1/sessions")) == 2
    refused(await services.host.post(path, json={"expiresIn": 61}, headers=keyed("k")), 422, "idempotency_key_reused")


async def endpoint(services: RunningServices) -> str:
    made = await services.post("/v1/webhook-endpoints", {"url": "https://hooks.example.com/in"})
    return f"/v1/webhook-endpoints/{made['id']}"


@pytest.mark.parametrize("prepare", ["background", "now"])
async def test_a_repeat_answers_as_the_first_did_though_its_endpoint_is_disabled_since(
    services: RunningServices, ada: User, prepare: str
) -> None:
    path, body = await endpoint(services), ada.wants(webhookUrl="https://hooks.example.com/in/ada", prepare=prepare)
    first = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    await services.host.patch(path, json={"status": "disabled"})
    again = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    assert (again.status_code, again.json()) == (201, first.json())
    other = await services.host.post("/v1/sessions", json=body | {"expiresIn": 61}, headers=keyed("k"))
    refused(other, 422, "idempotency_key_reused")
    new = await services.host.post("/v1/sessions", json=body, headers=keyed("another"))
    refused(new, 422, "invalid_request", "/webhookUrl")


async def test_a_repeated_reconnect_answers_as_the_first_did_though_the_claim_is_undone_since(
    services: RunningServices, ada: User, bob: User
) -> None:
    pages = [await user.frame(link="magic_link") for user in (ada, bob)]
    await pages[0].connect()
    await pages[0].finish()
    await services.later(130)
    (connection,) = await services.rows("/v1/connections")
    path = f"/v1/connections/{connection['id']}"
    await services.post(f"{path}/claim", {"sessionId": pages[0].id})
    first = await services.host.post(f"{path}/reconnect", json={}, headers=keyed("k"))
    await services.host.delete(f"{path}/claim")
    again = await services.host.post(f"{path}/reconnect", json={}, headers=keyed("k"))
    assert (again.status_code, again.json()) == (201, first.json())
    refused(await services.host.post(f"{path}/reconnect", json={}, headers=keyed("another")), 422, "invalid_request")


async def test_a_call_that_died_is_taken_over_though_its_endpoint_is_disabled_since(
    services: RunningServices, ada: User
) -> None:
    reached = asyncio.Event()

    async def stop(_: httpx.Request) -> None:
        reached.set()
        await asyncio.Event().wait()

    path = await endpoint(services)
    body = ada.wants(webhookUrl="https://hooks.example.com/in/ada", prepare="now", expiresIn=86400)
    services.outgoing.before = stop
    waiting = asyncio.create_task(services.host.post("/v1/sessions", json=body, headers=keyed("k")))
    await reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    await services.die()
    services.outgoing.before = None
    await services.host.patch(path, json={"status": "disabled"})
    refused(await services.host.post("/v1/sessions", json=body, headers=keyed("k")), 409, "idempotency_in_progress")
    services.clock.advance(LEASE_SECONDS)
    answer = await services.host.post("/v1/sessions", json=body, headers=keyed("k"))
    assert answer.status_code == 201
    assert [row["id"] for row in await services.rows("/v1/sessions")] == [answer.json()["id"]]


async def test_a_refused_call_does_not_use_its_key_up(services: RunningServices, ada: User) -> None:
    body = ada.wants()
    refused(
        await services.host.post("/v1/sessions", json=body | {"expiresIn": 1}, headers=keyed("k")),
        422,
        "invalid_request",
        "/expiresIn",
    )
    assert (await services.host.post("/v1/sessions", json=body, headers=keyed("k"))).status_code == 201


async def test_fifty_renewals_at_once_under_one_key_are_one(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    services.clock.advance(5)
    path = f"/v1/sessions/{made['id']}/renew"
    answers = await asyncio.gather(*(services.host.post(path, headers=keyed("k")) for _ in range(50)))
    done = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code != 200:
            refused(answer, 409, "idempotency_in_progress")
    assert len({one["embedUrl"] for one in done}) == 1
