"""A secret key is rotated, as the operators' page says, while people are in the middle of everything."""

import base64
import hmac
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.endpoints import deliveries, endpoint, marks, seen, wait
from tests.support.receivers import Post
from tests.support.services import RunningServices
from tests.support.users import FramePage, User, asked_in
from tests.support.webhooks import created, made_by, send

OLD, NEW = "the-first-key-0123456789-0123456789", "the-second-key-0123456789-012345678"
REPEAT = {"Idempotency-Key": "in-flight"}


@pytest.fixture
async def old(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    """The services, with one key."""
    opened = RunningServices(clock, database_url, secret_keys=(OLD,))
    await opened.open()
    yield opened
    await opened.close()


async def restart(services: RunningServices, *keys: str) -> None:
    await services.close()
    services.settings = replace(services.settings, secret_keys=keys)
    await services.open()


def signed_by(post: Post, secret: str) -> bool:
    """Whether the only signature is of this secret."""
    signed = f"{post.id}.{post.headers['webhook-timestamp']}.".encode() + post.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return marks(post, "v1") == [base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()]


async def confirmed(services: RunningServices, state: str) -> int:
    return (await services.host.post("/v1/verify", json={"state": state, "userId": "bob"})).status_code


async def create(services: RunningServices, body: Any) -> Any:
    answer = await services.host.post("/v1/sessions", json=body, headers=REPEAT)
    assert answer.status_code == 201
    return answer.json()


@pytest.mark.parametrize("how_far", [1, 2])
async def test_no_session_in_flight_is_lost(old: RunningServices, how_far: int) -> None:
    ada, bob = User(old, "ada"), User(old, "bob")
    carol = User(old, "carol", {"externalId": "globex", "name": "Globex"})
    opened = await ada.frame()
    wanted = ada.wants(expiresIn=86400)
    unopened = await create(old, wanted)
    back = await bob.browser()
    await back.connect()
    state = asked_in(await back.finish())["state"]
    unheard = await made_by(carol)
    assert (await send(old, created(unheard))).status_code == 204  # sealed with the old key, and worked off by the new
    for keys in ((OLD, NEW), (NEW, OLD))[:how_far]:
        await restart(old, *keys)
        assert (await opened.view())["link"]["url"]
        assert await create(old, wanted) == unopened
        assert await confirmed(old, state) == 200
    await opened.connect()
    assert (await opened.finish())["status"] == "connected"
    later = FramePage(old, unopened)
    await later.start()
    await old.drain()
    await later.connect()
    assert (await later.finish())["status"] == "connected"
    assert {row["sessionId"] for row in await ada.connections()} == {opened.id, later.id}
    assert [row["id"] for row in await carol.connections()] == [unheard]


async def test_an_endpoint_whose_secret_no_key_can_read_fails_until_its_secret_is_rotated(
    old: RunningServices, caplog: pytest.LogCaptureFixture
) -> None:
    made = await endpoint(old, types=["session.created"])
    await restart(old, NEW)  # against the advice: the secret was never encrypted with the new key
    await old.drain()
    await User(old, "ada").session()
    with caplog.at_level(logging.ERROR, "service.usecases.deliveries"):
        await old.deliver()
        await old.deliver()
    (row,) = await deliveries(old, made)
    assert (row["status"], row["attempts"][0]["error"]) == ("pending", "secret_unreadable")
    assert caplog.messages == [f"the secrets of a webhook endpoint cannot be read; rotate them: {made['id']}"]
    found = await seen(old, made)
    assert found["health"]["failingSince"] is not None
    assert 'magiclink_deliveries_total{outcome="retried"} 1.0' in old.parts.metrics.render(0)
    await old.post(f"/v1/webhook-endpoints/{made['id']}/rotate-secret")
    await wait(old, 10)
    assert len(old.receivers.main.taken) == 1
    (row,) = await deliveries(old, made)
    assert row["status"] == "delivered"


@pytest.mark.parametrize("rounds", [1, 2])
async def test_when_the_old_key_is_gone_as_the_operators_page_says_endpoints_keep_their_secrets(
    old: RunningServices, rounds: int
) -> None:
    made = await endpoint(old, types=["session.created"])
    keys = [OLD, NEW, OLD][: rounds + 1]
    for before, after in pairwise(keys):
        for some in ((before, after), (after, before), (after,)):
            await restart(old, *some)
            await old.drain()
    await User(old, "ada").session()
    await old.deliver()
    (post,) = old.receivers.main.posts
    assert signed_by(post, made["secret"])


async def test_when_the_old_key_is_gone_what_the_new_one_signed_goes_on(old: RunningServices) -> None:
    await restart(old, NEW, OLD)
    page = await User(old, "ada").frame()
    await restart(old, NEW)
    await page.connect()
    assert (await page.finish())["status"] == "connected"
