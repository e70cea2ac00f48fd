"""Secrets of endpoints: shown once, encrypted, rotated; deliveries are verified by the public libraries."""

from time import time  # noqa: TID251 - the public libraries read the machine's clock

import pytest
from cryptography.exceptions import InvalidSignature

from tests.support.clock import Clock
from tests.support.endpoints import DAY, endpoint, marks, seen, verified, verified_by_key
from tests.support.receivers import URL, Receiver
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import User

PATH = "/v1/webhook-endpoints"


@pytest.fixture
def clock() -> Clock:
    return Clock(time())


@pytest.fixture
async def made(services: RunningServices) -> JsonObject:
    return await endpoint(services)


async def test_the_secret_is_in_the_answer_that_made_it_and_nowhere_else(
    services: RunningServices, made: JsonObject
) -> None:
    assert made["secret"].startswith("whsec_")
    assert made["publicKey"].startswith("whpk_")
    assert "secret" not in await seen(services, made)
    assert all("secret" not in row for row in await services.rows(PATH))
    tables = ("endpoints", "endpoint_secrets", "endpoint_audit", "idempotency", "deliveries", "events")
    stored = await services.parts.store.engine.read(
        lambda tx: [str(dict(row)) for table in tables for row in tx.all(f"SELECT * FROM {table}")]  # noqa: S608
    )
    assert made["secret"].removeprefix("whsec_") not in "".join(stored)


async def test_an_equal_call_gets_the_same_secret_again(services: RunningServices) -> None:
    headers, body = {"Idempotency-Key": "k"}, {"url": URL}
    first = await services.host.post(PATH, json=body, headers=headers)
    again = await services.host.post(PATH, json=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert len(await services.rows(PATH)) == 1
    stored = await services.parts.store.engine.read(lambda tx: str(dict(tx.all("SELECT answer FROM idempotency")[0])))
    assert first.json()["secret"] not in stored


async def test_deliveries_are_verified_by_the_public_libraries(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    await ada.connected()
    await services.deliver()
    posts = services.receivers.main.posts
    assert len(posts) > 5
    for post in posts:
        assert verified(post, made["secret"]) == post.json
        verified_by_key(post, made["publicKey"])


async def test_after_a_rotation_both_secrets_sign_for_a_day(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    rotated = await services.post(f"{PATH}/{made['id']}/rotate-secret")
    assert rotated["secret"] != made["secret"]
    assert rotated["publicKey"] != made["publicKey"]
    await ada.session()
    await services.deliver()
    post = services.receivers.main.posts[0]
    assert (len(marks(post, "v1")), len(marks(post, "v1a"))) == (2, 2)
    for secret in (rotated["secret"], made["secret"]):
        assert verified(post, secret) == post.json
    verified_by_key(post, rotated["publicKey"])
    services.clock.advance(DAY + 1)
    await ada.session()
    await services.deliver()
    assert len(marks(services.receivers.main.posts[-1], "v1")) == 1


async def test_a_secret_is_rotated_nine_times_a_day_at_most(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    for _ in range(9):
        await services.post(f"{PATH}/{made['id']}/rotate-secret")
        services.clock.advance(1)
    answer = await services.host.post(f"{PATH}/{made['id']}/rotate-secret")
    refused(answer, 422, "invalid_request")
    assert "rotated 9 times within a day" in answer.json()["detail"]
    await ada.session()
    await services.deliver()
    post = services.receivers.main.posts[0]
    assert (len(marks(post, "v1")), len(marks(post, "v1a"))) == (10, 10)
    assert verified(post, made["secret"]) == post.json
    services.clock.advance(DAY - 8.5)  # the first that was replaced signs no more
    await services.post(f"{PATH}/{made['id']}/rotate-secret")
    refused(await services.host.post(f"{PATH}/{made['id']}/rotate-secret"), 422, "invalid_request")


async def test_a_change_of_the_origin_is_possible_however_often_the_secret_was_rotated(
    services: RunningServices, made: JsonObject
) -> None:
    for _ in range(9):
        await services.post(f"{PATH}/{made['id']}/rotate-secret")
    for number in range(12):
        url = f"https://hooks-{number}.example.com/hooks"
        answer = await services.host.patch(f"{PATH}/{made['id']}", json={"url": url})
        assert (answer.status_code, "secret" in answer.json()) == (200, True)


async def test_a_replay_is_signed_with_todays_secret_alone(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    await ada.session()
    await services.deliver()
    rotated = await services.post(f"{PATH}/{made['id']}/rotate-secret")
    (row, *_) = await services.rows(f"{PATH}/{made['id']}/deliveries")
    await services.post(f"/v1/deliveries/{row['id']}/replay")
    await services.deliver()
    post = services.receivers.main.posts[-1]
    assert (len(marks(post, "v1")), len(marks(post, "v1a"))) == (1, 1)
    assert verified(post, rotated["secret"]) == post.json


async def test_another_origin_gets_a_new_secret_at_once(services: RunningServices, ada: User, made: JsonObject) -> None:
    services.receivers.names["new.example.com"] = [["93.184.215.20"]]
    services.receivers.at["93.184.215.20"] = moved = Receiver()
    answer = await services.host.patch(f"{PATH}/{made['id']}", json={"url": "https://new.example.com/hooks"})
    assert answer.json()["secret"] != made["secret"]
    await ada.session()
    await services.deliver()
    assert services.receivers.main.posts == []
    (mark,) = marks(moved.posts[0], "v1")
    assert mark
    assert verified(moved.posts[0], answer.json()["secret"]) == moved.posts[0].json
    with pytest.raises(InvalidSignature):
        verified_by_key(moved.posts[0], made["publicKey"])


async def test_a_secret_that_was_replaced_shortly_before_signs_nothing_for_another_origin(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    services.receivers.names["new.example.com"] = [["93.184.215.20"]]
    services.receivers.at["93.184.215.20"] = moved = Receiver()
    await services.post(f"{PATH}/{made['id']}/rotate-secret")
    answer = await services.host.patch(f"{PATH}/{made['id']}", json={"url": "https://new.example.com/hooks"})
    await ada.session()
    await services.deliver()
    assert (len(marks(moved.posts[0], "v1")), len(marks(moved.posts[0], "v1a"))) == (1, 1)
    assert verified(moved.posts[0], answer.json()["secret"]) == moved.posts[0].json


async def test_another_path_of_the_same_origin_keeps_the_secret(services: RunningServices, made: JsonObject) -> None:
    answer = await services.host.patch(f"{PATH}/{made['id']}", json={"url": URL + "/v2", "description": "new"})
    changed = answer.json()
    assert ("secret" in changed, changed["url"], changed["description"]) == (False, URL + "/v2", "new")
    assert changed["publicKey"] == made["publicKey"]
