"""Webhooks: which are sent, in which shape, how they are signed, and when they are retried."""

from datetime import datetime

import httpx
import pytest

from service.sandbox.deliveries import DOCUMENTS_AT_ONCE
from service.sandbox.world.account_form import read_edit
from tests.support.clock import Clock
from tests.support.provider_schema import faults_of_event
from tests.support.sandbox_client import GUIDE, Sandbox, with_webhooks

CREATED, UPDATED, VALIDATED = "connection.created.v2", "connection.updated.v2", "connection.validated.v2"
DOCUMENT = "document.created.v2"
FIRST = [CREATED, UPDATED, VALIDATED]


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return with_webhooks(clock)


async def test_wrong_credentials_are_announced_and_no_document_is(sandbox: Sandbox) -> None:
    await sandbox.connect_gas(password="wrong")
    sandbox.clock.advance(60)
    await sandbox.deliver_webhooks(3)
    assert [received.body["status"] for received in sandbox.received] == [
        "PENDING",
        "INCORRECT_PASSWORD",
        "INCORRECT_PASSWORD",
    ]


async def test_an_edit_announces_what_changed_and_never_a_password(sandbox: Sandbox) -> None:
    company, (north, south) = await sandbox.company(sites=2)
    made = await sandbox.connect(company, [north], password="wrong")
    await sandbox.deliver_webhooks()
    sandbox.received.clear()
    sandbox.clock.advance(10)
    before = sandbox.world.connections.get(made["id"])
    sandbox.world.submissions.edit(before.id, read_edit(before, {"password": GUIDE["password"], "sites": [south]}))
    await sandbox.deliver_webhooks()
    assert sandbox.events() == [UPDATED, VALIDATED]
    body = sandbox.received[0].body
    assert body["protectedChanges"] == ["initialSites", "status", "password"]
    assert body["old"] == {"initialSites": [north], "status": "INCORRECT_PASSWORD"}
    assert GUIDE["password"].encode() not in sandbox.received[0].raw


async def test_an_edit_without_a_change_announces_nothing(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sandbox.received.clear()
    before = sandbox.world.connections.get(made["id"])
    sandbox.world.submissions.edit(before.id, read_edit(before, {"sites": made["initialSites"]}))
    await sandbox.deliver_webhooks()
    assert sandbox.received == []


async def test_without_a_receiver_nothing_is_queued(clock: Clock) -> None:
    sandbox = Sandbox(clock)
    company, sites = await sandbox.company()
    await sandbox.connect(company, sites)
    clock.advance(6)
    await sandbox.deliver_webhooks()
    assert len(sandbox.world.outbox) == 0


async def test_a_message_that_is_being_sent_is_not_sent_by_another_pass(sandbox: Sandbox) -> None:
    await sandbox.connect_gas()
    sandbox.on_webhook = sandbox.deliver_webhooks
    await sandbox.deliver_webhooks()
    assert sandbox.events() == FIRST


async def test_a_new_connection_sends_created_updated_and_validated(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas(workflowOwnerEmail="ada@example.com")
    assert sandbox.received == []
    await sandbox.deliver_webhooks()
    assert sandbox.events() == FIRST
    created, updated, validated = (received.body for received in sandbox.received)
    assert {body["id"] for body in (created, updated, validated)} == {made["id"]}
    assert [body["status"] for body in (created, updated, validated)] == ["PENDING", "CONNECTED", "CONNECTED"]
    assert (updated["protectedChanges"], updated["old"]) == (["status"], {"status": "PENDING"})
    assert created["updated"] < updated["updated"]
    assert created["workflowOwnerEmail"] == "ada@example.com"


async def test_events_have_the_described_shape_and_naive_times(sandbox: Sandbox) -> None:
    await sandbox.connect_gas()
    sandbox.clock.advance(6)
    await sandbox.deliver_webhooks()
    for received in sandbox.received:
        assert faults_of_event(received.event, received.body) == []
        assert datetime.fromisoformat(received.body["created"]).tzinfo is None
        assert "." in received.body["updated"]


async def test_an_event_of_a_connection_names_no_company_and_no_utility(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert sandbox.events() == FIRST
    for received in sandbox.received:
        assert {"company", "datasource", "emails"} & received.body.keys() == set()
        assert made["company"]["id"] not in received.raw.decode()
        assert {"accounts", "initialSites", "username", "workflowOwnerEmail"} <= received.body.keys()


async def test_events_have_no_password_and_no_secret_of_a_link(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sent = b"".join(received.raw for received in sandbox.received).decode()
    for secret in (GUIDE["password"], made["connectionMagicLinkSecret"], made["publicCompanyId"]):
        assert secret not in sent


async def test_every_event_is_signed_as_svix_signs(sandbox: Sandbox) -> None:
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert all(received.has_valid_signature for received in sandbox.received)
    assert len({received.headers["svix-id"] for received in sandbox.received}) == 3
    assert {received.headers["content-type"] for received in sandbox.received} == {"application/json"}


async def test_a_signature_has_the_real_time_even_if_the_sandboxs_was_advanced(sandbox: Sandbox) -> None:
    await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 7200})
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert {received.headers["svix-timestamp"] for received in sandbox.received} == {str(int(sandbox.clock.now()))}


async def test_each_document_is_announced_once_a_few_at_a_time_the_newest_first(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sandbox.clock.advance(6)
    await sandbox.deliver_webhooks()
    assert sandbox.events()[3:] == [UPDATED] + [DOCUMENT] * DOCUMENTS_AT_ONCE
    await sandbox.deliver_webhooks(4)
    sent = [received.body for received in sandbox.received[4:]]
    listed = (await sandbox.get(f"/document/connection/{made['id']}"))["documents"]
    assert [body["id"] for body in sent] == [document["id"] for document in listed]
    assert sent[0]["company"] == made["company"]["id"]
    assert made["id"] not in {body.get("connectionId") for body in sent}


async def test_a_connection_to_which_no_account_comes_announces_none(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    made = await sandbox.connect_gas(initialDatasourceTypes=["WASTE"])
    await sandbox.deliver_webhooks()
    sandbox.received.clear()
    clock.advance(6)
    await sandbox.deliver_webhooks(2)
    assert sandbox.events() == []
    assert (await sandbox.get(f"/connection/{made['id']}/details"))["updated"] == made["updated"]


async def test_accounts_that_appear_are_announced_once_and_move_updated(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sandbox.received.clear()
    sandbox.clock.advance(6)
    await sandbox.deliver_webhooks(30)
    (received,) = [each for each in sandbox.received if each.event == UPDATED]
    shown = await sandbox.get(f"/connection/{made['id']}/details")
    assert received.body["protectedChanges"] == ["accounts"]
    assert (received.body["old"], received.body["accounts"]) == ({"accounts": []}, shown["accounts"])
    assert len(shown["accounts"]) == 1
    assert f"{received.body['updated']}Z" == shown["updated"] > made["updated"]
    assert (shown["status"], shown["statusLastUpdateTime"]) == ("CONNECTED", made["statusLastUpdateTime"])


async def test_a_failed_delivery_is_retried_on_svixs_schedule_and_then_dropped(sandbox: Sandbox) -> None:
    sandbox.answers = [500] * 100
    made = await sandbox.connect_gas(password="wrong")
    waits = [0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    for attempt, wait in enumerate(waits, 1):
        if wait:
            sandbox.clock.advance(wait - 1)
            await sandbox.deliver_webhooks()
            assert len(sandbox.received) == 3 * (attempt - 1)
            sandbox.clock.advance(1)
        await sandbox.deliver_webhooks()
        assert len(sandbox.received) == 3 * attempt
    sandbox.clock.advance(10**6)
    await sandbox.deliver_webhooks()
    assert len(sandbox.received) == 3 * len(waits)
    assert len({received.headers["svix-id"] for received in sandbox.received}) == 3
    assert {received.body["id"] for received in sandbox.received} == {made["id"]}


@pytest.mark.parametrize(
    "answer", [301, 400, 500, httpx.ConnectError("down"), httpx.ReadTimeout("slow"), AttributeError("gone")]
)
async def test_anything_but_a_2xx_is_a_failure(sandbox: Sandbox, answer: int | Exception) -> None:
    sandbox.answers = [answer]
    await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sandbox.clock.advance(5)
    sandbox.answers = []
    await sandbox.deliver_webhooks()
    ids = [received.headers["svix-id"] for received in sandbox.received if received.event == CREATED]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_a_deleted_companys_messages_are_dropped_even_while_one_is_being_sent(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    company = made["company"]["id"]

    async def delete() -> None:
        sandbox.on_webhook = None
        await sandbox.call("DELETE", f"/company/{company}")

    sandbox.on_webhook = delete
    sandbox.answers = [500]
    await sandbox.deliver_webhooks()
    assert len(sandbox.world.outbox) == 0


async def test_a_removed_connection_is_not_announced_any_more(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    sandbox.clock.advance(6)
    await sandbox.deliver_webhooks()
    assert len(sandbox.received) == 4 + DOCUMENTS_AT_ONCE
    await sandbox.plain("DELETE", f"/_control/connections/{made['id']}")
    await sandbox.deliver_webhooks(3)
    assert len(sandbox.received) == 4 + DOCUMENTS_AT_ONCE
    assert len(sandbox.world.outbox) == 0


async def test_a_connection_removed_while_its_webhook_is_sent_first_stays_removed(sandbox: Sandbox) -> None:
    async def take_away() -> None:
        await sandbox.plain("DELETE", f"/_control/connections/{sandbox.received[0].body['id']}")

    await sandbox.trouble("webhook_first")
    sandbox.on_webhook = take_away
    made = await sandbox.connect_gas()
    assert (await sandbox.call("GET", f"/connection/{made['id']}/details")).status_code == 404
