"""POST /webhooks/nectar: what is not the provider's, or no event, is refused and changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices, refused
from tests.support.users import User
from tests.support.webhooks import HOOK, UNKNOWN, created, made_by, send, signed

OTHER_SECRET = "whsec_b2xkLXNlY3JldC1vZi10aGUtcHJvdmlkZXItMDEyMw=="
LARGEST = 4 * 1024 * 1024


async def test_without_a_secret_the_route_is_not_there(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, provider_webhook_secrets=())
    await services.open()
    refused(await send(services, created(UNKNOWN)), 404, "not_found")
    await services.close()


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
async def test_an_event_without_one_of_its_headers_is_refused(services: RunningServices, missing: str) -> None:
    body = json.dumps(created(UNKNOWN)).encode()
    headers = signed(services, body)
    del headers[missing]
    refused(await services.web().post(HOOK, content=body, headers=headers), 401, "bad_webhook")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("svix-id", "another"),
        ("svix-id", "x" * 300),
        ("svix-timestamp", "0"),
        ("svix-timestamp", "-1"),
        ("svix-timestamp", "9" * 400),
        ("svix-timestamp", "١٢٣"),
        ("svix-timestamp", "1e9"),
        ("svix-signature", "v1,"),
        ("svix-signature", "v1,AAAA"),
        ("svix-signature", "v2,AAAA"),
        ("svix-signature", "," * 1000),
        ("svix-signature", "é"),
    ],
)
async def test_headers_that_nobody_should_send_are_a_401_and_keep_nothing(
    services: RunningServices, ada: User, name: str, value: str
) -> None:
    body = json.dumps(created(await made_by(ada))).encode()
    headers = signed(services, body)
    headers = httpx.Headers([*((n, v) for n, v in headers.raw if n != name.encode()), (name.encode(), value.encode())])
    refused(await services.web().post(HOOK, content=body, headers=headers), 401, "bad_webhook")
    await services.drain()
    assert await ada.connections() == []


async def test_a_body_that_was_changed_on_its_way_is_refused(services: RunningServices) -> None:
    body = json.dumps(created(UNKNOWN)).encode()
    answer = await services.web().post(HOOK, content=body + b" ", headers=signed(services, body))
    refused(answer, 401, "bad_webhook")


@pytest.mark.parametrize(
    "changes",
    [
        {"svix-id": None, "svix-timestamp": None, "svix-signature": None},
        {"svix-id": "two words"},
        {"svix-timestamp": None},
        {"svix-timestamp": "1"},
        {"svix-signature": None},
        {"svix-signature": "v1,AAAA v2,AAAA"},
    ],
    ids=["unsigned", "no id", "no time", "old", "no signature", "another form of signature"],
)
async def test_without_the_headers_of_a_signature_no_body_is_read(
    services: RunningServices, changes: dict[str, str | None]
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{")
        yield b"{"

    headers = {**signed(services, b"{"), **changes}
    given = {name: value for name, value in headers.items() if value is not None}
    refused(await services.web().post(HOOK, content=body(), headers=given), 401, "bad_webhook")
    assert read == []


@pytest.mark.parametrize(("late", "status"), [(300, 204), (301, 401), (-300, 204), (-301, 401)])
async def test_an_event_may_be_five_minutes_off_and_no_more(services: RunningServices, late: int, status: int) -> None:
    assert (await send(services, created(UNKNOWN), late=late)).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b"{",
        b'{"id": "x"}',
        b'{"eventType": 7, "id": "x"}',
        b'{"eventType": "connection.created.v2"}',
        b'{"eventType": "connection.created.v2", "id": 7}',
        b'{"eventType": "connection.created.v2", "id": "../company"}',
        b'{"eventType": "connection.created.v2", "id": "\\ud800"}',
        b'{"eventType": "connection.created.v2", "id": NaN}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:60].decode(),
)
async def test_a_signed_body_that_is_no_event_is_a_400(services: RunningServices, body: bytes) -> None:
    refused(await send(services, body), 400, "bad_webhook")
    await services.drain()
    assert await services.event_types() == []


def padded(event: dict[str, Any], size: int) -> bytes:
    body = json.dumps(event | {"padding": ""}).encode()
    return body.replace(b'"padding": "', b'"padding": "' + b"x" * (size - len(body)))


async def test_an_event_of_4_mib_is_taken_and_only_its_ids_are_kept(services: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    assert (await send(services, padded(created(connection_id), LARGEST))).status_code == 204
    (row,) = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM inbox"))
    assert len(row["sealed_body"]) < 1000
    await services.drain()
    assert (await ada.newest())["id"] == connection_id


async def test_a_body_over_4_mib_is_refused(services: RunningServices) -> None:
    refused(await send(services, padded(created(UNKNOWN), LARGEST + 1)), 413, "too_large")


async def test_all_bodies_that_are_being_read_have_64_mib_together_and_the_next_is_a_503(
    services: RunningServices,
) -> None:
    body = padded(created(UNKNOWN), LARGEST)
    have_arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def in_two_parts() -> AsyncIterator[bytes]:
        yield body[:-1]
        have_arrived.release()
        await go_on.wait()
        yield body[-1:]

    async with asyncio.TaskGroup() as group:
        held = [
            group.create_task(
                services.web().post(HOOK, content=in_two_parts(), headers=signed(services, body, f"msg_{number}"))
            )
            for number in range(16)
        ]
        for _ in held:
            await have_arrived.acquire()
        answer = await send(services, created(UNKNOWN, padding="x" * 100))
        refused(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "2"
        go_on.set()
    assert {one.result().status_code for one in held} == {204}
    assert (await send(services, body)).status_code == 204


async def test_bodies_that_a_stranger_sends_slowly_keep_no_event_out(services: RunningServices, clock: Clock) -> None:
    have_arrived, never = asyncio.Semaphore(0), asyncio.Event()

    async def all_but_the_last_byte() -> AsyncIterator[bytes]:
        yield b"x" * (LARGEST - 1)
        have_arrived.release()
        await never.wait()

    forged = signed(services, b"x")
    async with asyncio.TaskGroup() as group:
        held = [
            group.create_task(services.web().post(HOOK, content=all_but_the_last_byte(), headers=forged))
            for _ in range(16)
        ]
        for _ in held:
            await have_arrived.acquire()
        clock.advance(6)
        assert (await send(services, padded(created(UNKNOWN), 1000))).status_code == 204
        refused(await held[0], 503, "unavailable")
        never.set()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_post_brings_events(services: RunningServices, method: str) -> None:
    refused(await services.web().request(method, HOOK), 405, "method_not_allowed")


async def test_the_log_says_why_the_providers_events_are_refused_and_not_once_for_each(
    services: RunningServices, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        said = [line for line in caplog.messages if line.startswith("a webhook event is refused: ")]
        return [line.removeprefix("a webhook event is refused: ").partition(". ")[0] for line in said]

    for number in range(5):
        await send(services, created(UNKNOWN), f"msg_{number}", secret=OTHER_SECRET)
        await send(services, created(UNKNOWN), f"late_{number}", late=3600)
    unknown = "The webhook's signature is not by any secret that we know"
    late = "The webhook's timestamp is more than five minutes off"
    assert lines() == [unknown, late]
    assert "MAGICLINK_PROVIDER_WEBHOOK_SECRETS" in caplog.text
    services.clock.advance(600)
    await send(services, created(UNKNOWN), "later", secret=OTHER_SECRET)
    assert lines() == [unknown, late, unknown]
