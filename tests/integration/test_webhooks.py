"""POST /webhooks/nectar: the provider's signed events, in any order and number, are news, and the truth is fetched."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Standard

from tests.support.clock import Clock
from tests.support.people import WRONG, User
from tests.support.sandbox_client import SECRET
from tests.support.services import RunningServices
from tests.support.webhooks import HOOK, UNKNOWN, created, made_by, send

OTHER_SECRET = "whsec_b2xkLXNlY3JldC1vZi10aGUtcHJvdmlkZXItMDEyMw=="


async def test_a_signed_event_is_taken_and_the_truth_behind_it_fetched(street: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    answer = await send(street, created(connection_id, status="SOMETHING_ELSE", company={"id": UNKNOWN}))
    assert (answer.status_code, answer.content) == (204, b"")
    answer = await send(street, created(connection_id, status="SOMETHING_ELSE"), "msg_2")
    await street.drain()
    connection = await ada.newest()
    assert (connection["id"], connection["status"]) == (connection_id, "CONNECTED")


async def test_the_standard_webhooks_library_signs_as_well(street: RunningServices, ada: User) -> None:
    body = json.dumps(created(await made_by(ada)))
    at = datetime.fromtimestamp(street.clock.now(), UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Standard(SECRET).sign("msg_1", at, body),
    }
    assert (await street.web().post(HOOK, content=body, headers=headers)).status_code == 204
    await street.drain()
    assert len(await ada.connections()) == 1


async def test_two_secrets_are_both_taken_while_they_rotate(clock: Clock, database_url: str) -> None:
    street = RunningServices(clock, database_url, provider_webhook_secrets=(SECRET, OTHER_SECRET))
    await street.open()
    assert (await send(street, created(UNKNOWN), "m1", secret=SECRET)).status_code == 204
    assert (await send(street, created(UNKNOWN), "m2", secret=OTHER_SECRET)).status_code == 204
    await street.close()


async def test_one_message_sent_fifty_times_at_once_is_worked_off_once(street: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    await street.drain()
    street.outgoing.calls.clear()
    answers = await asyncio.gather(*(send(street, created(connection_id)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {204}
    await street.drain()
    assert street.outgoing.made(f"GET /connection/{connection_id}/details") <= 1
    assert (await street.told()).count("connection.recorded") == 1


async def test_a_replay_long_after_changes_nothing(street: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    await send(street, created(connection_id))
    await street.drain()
    await street.later(200)
    before = await street.told()
    assert (await send(street, created(connection_id))).status_code == 204
    await street.drain()
    assert await street.told() == before


@pytest.mark.parametrize(
    "payload",
    [
        {
            "company": {"id": "COMPANY", "name": "Acme Ltd", "externalId": "acme", "publicId": "x"},
            "datasource": {"name": "Nectar"},
            "sitesRelations": [{"accountIds": [], "datasourceTypes": ["GAS"], "site": {"id": "x", "name": "y"}}],
            "created": "2027-01-15T08:00:00.123456789",
            "updated": "2027-01-15T08:00:00",
            "status": "PENDING",
            "url": "https://nectarclimate.com",
        },
        {
            "eventType": "connection.created.v2",
            "company": {"id": "COMPANY", "name": "Acme Ltd"},
            "datasource": {"name": "Nectar", "url": "https://nectarclimate.com"},
            "accounts": [],
            "emails": [],
        },
        {
            "eventType": "connection.created.v2",
            "accounts": [],
            "country": "US",
            "initialSites": [],
            "multiplyByOccupancy": False,
            "status": "PENDING",
        },
        {"eventType": "connection.created"},
        {"type": "connection.created.v2", "timestamp": "2027-01-15T08:00:00Z", "data": {"id": "CONNECTION"}},
    ],
    ids=["2024", "May 2025", "late 2025", "without a version", "in an envelope"],
)
async def test_every_generation_of_payloads_is_understood(
    street: RunningServices, ada: User, payload: dict[str, Any]
) -> None:
    connection_id = await made_by(ada)
    company = (await street.rows("/v1/sessions"))[0]["company"]["id"]
    whole = payload if "data" in payload else {"id": connection_id, **payload}
    body = json.dumps(whole).replace("COMPANY", company).replace("CONNECTION", connection_id).encode()
    assert (await send(street, body)).status_code == 204
    await street.drain()
    assert (await ada.newest())["id"] == connection_id


async def test_a_type_that_we_do_not_know_is_kept_and_ignored(street: RunningServices, ada: User) -> None:
    await ada.session()
    before = await street.told()
    assert (await send(street, {"eventType": "invitation.sent", "id": "x"})).status_code == 204
    await street.drain()
    assert await street.told() == before


async def test_an_unknown_companys_event_is_parked_and_shown_to_nobody(street: RunningServices, ada: User) -> None:
    await ada.session()
    company, sites = await street.sandbox.company("Somebody else's")
    made = await street.sandbox.connect(company, sites)
    assert (await send(street, created(made["id"], company={"id": company}))).status_code == 204
    await street.drain()
    assert await street.rows("/v1/connections") == []


async def test_an_update_that_comes_before_the_creation_leaves_the_newest_truth(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    person = await page.connect(WRONG)
    street.clock.advance(10)
    await person.sign_in()
    await person.connect()
    await street.sandbox.trouble("webhook_shuffled")
    await street.pump()
    connection = await ada.newest()
    assert connection["status"] == "CONNECTED"
    old = created(connection["id"], status="INCORRECT_PASSWORD", updated="2027-01-15T07:00:00.000000")
    await send(street, old, "msg_late")
    await street.drain()
    assert (await ada.newest())["status"] == "CONNECTED"


@pytest.mark.parametrize("trouble", ["webhook_thrice", "webhook_shuffled", "webhook_first"])
async def test_the_sandboxs_own_events_in_trouble_record_once(street: RunningServices, ada: User, trouble: str) -> None:
    await street.sandbox.trouble(trouble)
    page = await ada.frame()
    await page.connect()
    await street.pump()
    assert set(street.sandbox.delivered) == {204}
    (connection,) = await ada.connections()
    assert connection["status"] == "CONNECTED"
    assert (await page.told()).count("connection.recorded") == 1
    assert (await page.stored())["status"] == "connected"


async def test_a_bad_signature_of_the_sandbox_is_refused_and_its_retry_is_taken(
    street: RunningServices, ada: User
) -> None:
    await street.sandbox.trouble("webhook_bad_signature", times=1)
    page = await ada.frame()
    await page.connect()
    await street.pump()
    assert 401 in street.sandbox.delivered
    street.clock.advance(6)
    await street.pump()
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_status_that_changes_is_told_through_its_webhook_alone(street: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await street.pump()
    street.clock.advance(60)
    await street.sandbox.trouble("status_change", status="WEBSITE_DOWN")
    await street.pump()
    assert (await ada.newest())["status"] == "WEBSITE_DOWN"
    told = [e for e in await street.rows("/v1/events", limit=100) if e["type"] == "connection.updated"]
    assert told[-1]["data"] == {"status": "WEBSITE_DOWN", "from": "CONNECTED"}
    assert told[-1]["connectionId"] == connection["id"]


async def test_a_provider_that_is_away_when_the_webhook_comes_is_asked_until_it_answers(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect()
    street.outgoing.is_down = True
    await street.pump()
    assert set(street.sandbox.delivered) == {204}
    assert await ada.connections() == []
    street.outgoing.is_down = False
    await street.later(30)
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_documents_event_may_come_before_its_connection_was_recorded(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    company = (await page.stored())["company"]["id"]
    event = {"eventType": "document.created.v2", "id": UNKNOWN, "company": company}
    assert (await send(street, event)).status_code == 204
    await street.drain()
    await page.connect()
    await page.finish()
    assert len(await ada.connections()) == 1


async def test_what_was_acknowledged_is_worked_off_by_the_next_process(street: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    assert (await send(street, created(connection_id))).status_code == 204
    await street.die()
    await street.drain()
    assert (await ada.newest())["id"] == connection_id


async def test_a_burst_of_document_events_is_read_into_every_half_minute(street: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await street.later(86400 * 5)
    street.outgoing.calls.clear()
    for number in range(60):
        event = {"eventType": "document.created.v2", "id": UNKNOWN, "company": connection["company"]["id"]}
        assert (await send(street, event, f"msg_{number}")).status_code == 204
        await street.later(0.5)
    await street.later(30)
    assert street.outgoing.made("GET /document") <= 2
