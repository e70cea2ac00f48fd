"""The troubles of webhooks: never, first, thrice, late, shuffled, badly signed."""

import pytest

from tests.support.clock import Clock
from tests.support.sandbox_client import Sandbox, with_webhooks

CREATED, UPDATED, VALIDATED = "connection.created.v2", "connection.updated.v2", "connection.validated.v2"
FIRST = [CREATED, UPDATED, VALIDATED]


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return with_webhooks(clock)


async def test_never_webhook_sends_nothing(sandbox: Sandbox) -> None:
    await sandbox.trouble("never_webhook")
    await sandbox.connect_gas()
    sandbox.clock.advance(60)
    await sandbox.deliver_webhooks(4)
    await sandbox.plain("DELETE", "/_control/troubles/never_webhook")
    await sandbox.deliver_webhooks(4)
    assert sandbox.received == []


@pytest.mark.parametrize("other", ["never_webhook", "none"])
async def test_webhook_first_hides_nothing_when_no_webhook_is_sent(clock: Clock, other: str) -> None:
    sandbox = with_webhooks(clock) if other != "none" else Sandbox(clock)
    await sandbox.trouble("webhook_first")
    if other != "none":
        await sandbox.trouble(other)
    made = await sandbox.connect_gas()
    assert (await sandbox.call("GET", f"/connection/{made['id']}/details")).status_code == 200


async def test_webhook_first_arrives_before_the_call_is_answered_or_the_api_shows_it(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    invitation = await sandbox.post(f"/invitation/company/{company}")
    await sandbox.trouble("webhook_first", times=1)
    seen: list[int] = []

    async def ask_the_api() -> None:
        connection = sandbox.received[-1].body["id"]
        seen.append((await sandbox.call("GET", f"/connection/{connection}/details")).status_code)
        seen.append((await sandbox.get(f"/company/{company}/connection"))["totalConnections"])

    sandbox.on_webhook = ask_the_api
    made = await sandbox.connect(company, sites)
    assert sandbox.events() == FIRST
    assert seen == [404, 0] * 3
    assert (await sandbox.get(f"/connection/{made['id']}/details"))["status"] == "CONNECTED"
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["createdConnections"] == []


async def test_webhook_first_can_keep_the_connection_hidden_for_longer(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("webhook_first", seconds=30, times=1)
    made = await sandbox.connect(company, sites)
    path = f"/connection/{made['id']}/details"
    assert (await sandbox.call("GET", path)).status_code == 404
    sandbox.clock.advance(30)
    assert (await sandbox.call("GET", path)).status_code == 200


async def test_webhook_first_shows_the_connection_even_if_the_receiver_is_down(sandbox: Sandbox) -> None:
    sandbox.answers = [500] * 3
    await sandbox.trouble("webhook_first")
    made = await sandbox.connect_gas()
    assert (await sandbox.call("GET", f"/connection/{made['id']}/details")).status_code == 200
    sandbox.clock.advance(5)
    await sandbox.deliver_webhooks()
    assert len(sandbox.received) == 6


async def test_webhook_thrice_repeats_the_same_message(sandbox: Sandbox) -> None:
    await sandbox.trouble("webhook_thrice", times=1)
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert sandbox.events() == [CREATED] * 3 + [UPDATED, VALIDATED]
    assert len({received.headers["svix-id"] for received in sandbox.received[:3]}) == 1


async def test_webhook_late_sends_that_much_later(sandbox: Sandbox) -> None:
    await sandbox.trouble("webhook_late", seconds=90)
    await sandbox.connect_gas(password="x")
    sandbox.clock.advance(89)
    await sandbox.deliver_webhooks()
    assert sandbox.received == []
    sandbox.clock.advance(1)
    await sandbox.deliver_webhooks()
    assert sandbox.events() == FIRST


async def test_webhook_shuffled_sends_the_latest_first(sandbox: Sandbox) -> None:
    await sandbox.trouble("webhook_shuffled")
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert sandbox.events() == FIRST[::-1]


async def test_webhook_bad_signature_is_signed_with_another_key(sandbox: Sandbox) -> None:
    await sandbox.trouble("webhook_bad_signature", times=1)
    sandbox.answers = [401]
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert [received.has_valid_signature for received in sandbox.received] == [False, True, True]
    sandbox.clock.advance(5)
    await sandbox.deliver_webhooks()
    assert sandbox.received[-1].has_valid_signature
    assert sandbox.received[-1].headers["svix-id"] == sandbox.received[0].headers["svix-id"]
