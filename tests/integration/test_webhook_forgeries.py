"""POST /webhooks/nectar: what is not the provider's, or no event, is refused and changes nothing."""

import json

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.people import User
from tests.support.services import RunningServices, refused
from tests.support.webhooks import HOOK, UNKNOWN, created, made_by, send, signed


async def test_without_a_secret_the_route_is_not_there(clock: Clock, database_url: str) -> None:
    street = RunningServices(clock, database_url, provider_webhook_secrets=())
    await street.open()
    refused(await send(street, created(UNKNOWN)), 404, "not_found")
    await street.close()


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
async def test_an_event_without_one_of_its_headers_is_refused(street: RunningServices, missing: str) -> None:
    body = json.dumps(created(UNKNOWN)).encode()
    headers = signed(street, body)
    del headers[missing]
    refused(await street.web().post(HOOK, content=body, headers=headers), 401, "bad_webhook")


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
    street: RunningServices, ada: User, name: str, value: str
) -> None:
    body = json.dumps(created(await made_by(ada))).encode()
    headers = signed(street, body)
    headers = httpx.Headers([*((n, v) for n, v in headers.raw if n != name.encode()), (name.encode(), value.encode())])
    refused(await street.web().post(HOOK, content=body, headers=headers), 401, "bad_webhook")
    await street.drain()
    assert await ada.connections() == []


async def test_a_body_that_was_changed_on_its_way_is_refused(street: RunningServices) -> None:
    body = json.dumps(created(UNKNOWN)).encode()
    answer = await street.web().post(HOOK, content=body + b" ", headers=signed(street, body))
    refused(answer, 401, "bad_webhook")


@pytest.mark.parametrize(("late", "status"), [(300, 204), (301, 401), (-300, 204), (-301, 401)])
async def test_an_event_may_be_five_minutes_off_and_no_more(street: RunningServices, late: int, status: int) -> None:
    assert (await send(street, created(UNKNOWN), late=late)).status_code == status


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
async def test_a_signed_body_that_is_no_event_is_a_400(street: RunningServices, body: bytes) -> None:
    refused(await send(street, body), 400, "bad_webhook")
    await street.drain()
    assert await street.told() == []


async def test_a_body_over_256_kib_is_refused(street: RunningServices) -> None:
    body = json.dumps(created(UNKNOWN, padding="x" * 256 * 1024)).encode()
    refused(await send(street, body), 413, "too_large")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_post_brings_events(street: RunningServices, method: str) -> None:
    refused(await street.web().request(method, HOOK), 405, "method_not_allowed")
