"""The signature of a webhook, against Svix's own code, and what an odd receiver can do to the sandbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
from hypothesis import given
from hypothesis import strategies as st
from svix.webhooks import Webhook

from service.sandbox.deliveries import ANSWER_MOST_BYTES, RETRY_SECONDS, SandboxDeliveries, sign
from tests.support.clock import Clock
from tests.support.sandbox_client import Sandbox, with_webhooks

SECRET = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"


@given(st.text(), st.integers(1, 4_000_000_000))
def test_it_signs_as_svix_does(body: str, timestamp: int) -> None:
    raw = body.encode("utf-8", "replace")
    theirs = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(timestamp, UTC), raw.decode())
    assert sign(SECRET, "msg_1", timestamp, raw) == theirs


def test_its_retry_schedule_is_the_one_that_svix_publishes() -> None:
    minute, hour = 60, 3600
    assert (5, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour) == RETRY_SECONDS


async def waiting_after(sandbox: Sandbox, body: Callable[[], AsyncIterator[bytes]]) -> list[int]:
    """The attempts that the sandbox has yet to make, after one to a receiver whose 200 has this body."""
    await sandbox.connect_gas()
    receiver = httpx.MockTransport(lambda _: httpx.Response(200, content=body()))
    async with httpx.AsyncClient(transport=receiver) as http:
        await SandboxDeliveries(sandbox.world, http, timeout_seconds=0.05).pump()
    return [message.attempt for message in sandbox.world.outbox]


async def test_a_receiver_whose_answer_never_ends_has_not_accepted_the_webhook(clock: Clock) -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.Event().wait()

    assert await waiting_after(with_webhooks(clock), drip) == [1, 1, 1]


async def test_of_an_endless_answer_only_the_beginning_is_read(clock: Clock) -> None:
    sent: list[int] = []

    async def flood() -> AsyncIterator[bytes]:
        while True:
            sent.append(ANSWER_MOST_BYTES // 2)
            yield bytes(sent[-1])

    await waiting_after(with_webhooks(clock), flood)
    assert sum(sent) < 10 * ANSWER_MOST_BYTES
