"""POST /webhooks/nectar: the provider's signed events, in any order and number, cause a poll and prove nothing."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Standard

from tests.support.clock import Clock
from tests.support.sandbox_client import SECRET
from tests.support.services import RunningServices
from tests.support.users import WRONG, User
from tests.support.webhooks import HOOK, UNKNOWN, created, made_by, send

OTHER_SECRET = "whsec_b2xkLXNlY3JldC1vZi10aGUtcHJvdmlkZXItMDEyMw=="


async def test_a_signed_event_is_taken_and_the_truth_behind_it_fetched(services: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    answer = await send(services, created(connection_id, status="SOMETHING_ELSE", company={"id": UNKNOWN}))
    assert (answer.status_code, answer.content) == (204, b"")
    answer = await send(services, created(connection_id, status="SOMETHING_ELSE"), "msg_2")
    await services.drain()
    connection = await ada.newest()
    assert (connection["id"], connection["status"]) == (connection_id, "CONNECTED")


async def test_the_standard_webhooks_library_signs_as_well(services: RunningServices, ada: User) -> None:
    body = json.dumps(created(await made_by(ada)))
    at = datetime.fromtimestamp(services.clock.now(), UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Standard(SECRET).sign("msg_1", at, body),
    }
    assert (await services.web().post(HOOK, content=body, headers=headers)).status_code == 204
    await services.drain()
    assert len(await ada.connections()) == 1


async def test_two_secrets_are_both_taken_while_they_rotate(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, provider_webhook_secrets=(SECRET, OTHER_SECRET))
    await services.open()
    assert (await send(services, created(UNKNOWN), "m1", secret=SECRET)).status_code == 204
    assert (await send(services, created(UNKNOWN), "m2", secret=OTHER_SECRET)).status_code == 204
    await services.close()


async def test_one_message_sent_fifty_times_at_once_is_worked_off_once(services: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    await services.drain()
    services.outgoing.calls.clear()
    answers = await asyncio.gather(*(send(services, created(connection_id)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {204}
    await services.drain()
    assert services.outgoing.made(f"GET /connection/{connection_id}/details") <= 1
    assert (await services.event_types()).count("connection.recorded") == 1


async def test_a_replay_long_after_changes_nothing(services: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    await send(services, created(connection_id))
    await services.drain()
    await services.later(200)
    before = await services.event_types()
    assert (await send(services, created(connection_id))).status_code == 204
    await services.drain()
    assert await services.event_types() == before


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
    services: RunningServices, ada: User, payload: dict[str, Any]
) -> None:
    connection_id = await made_by(ada)
    company = (await services.rows("/v1/sessions"))[0]["company"]["id"]
    whole = payload if "data" in payload else {"id": connection_id, **payload}
    body = json.dumps(whole).replace("COMPANY", company).replace("CONNECTION", connection_id).encode()
    assert (await send(services, body)).status_code == 204
    await services.drain()
    assert (await ada.newest())["id"] == connection_id


async def test_a_type_that_we_do_not_know_is_kept_and_ignored(services: RunningServices, ada: User) -> None:
    await ada.session()
    before = await services.event_types()
    assert (await send(services, {"eventType": "invitation.sent", "id": "x"})).status_code == 204
    await services.drain()
    assert await services.event_types() == before


async def test_an_unknown_companys_event_is_parked_and_shown_to_nobody(services: RunningServices, ada: User) -> None:
    await ada.session()
    company, sites = await services.sandbox.company("Somebody else's")
    made = await services.sandbox.connect(company, sites)
    assert (await send(services, created(made["id"], company={"id": company}))).status_code == 204
    await services.drain()
    assert await services.rows("/v1/connections") == []


async def test_an_update_that_comes_before_the_creation_leaves_the_newest_truth(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    user = await page.connect(WRONG)
    services.clock.advance(10)
    await user.sign_in()
    await user.connect()
    await services.sandbox.trouble("webhook_shuffled")
    await services.deliver_webhooks()
    connection = await ada.newest()
    assert connection["status"] == "CONNECTED"
    old = created(connection["id"], status="INCORRECT_PASSWORD", updated="2027-01-15T07:00:00.000000")
    await send(services, old, "msg_late")
    await services.drain()
    assert (await ada.newest())["status"] == "CONNECTED"


@pytest.mark.parametrize("trouble", ["webhook_thrice", "webhook_shuffled", "webhook_first"])
async def test_the_sandboxs_own_events_in_trouble_record_once(
    services: RunningServices, ada: User, trouble: str
) -> None:
    await services.sandbox.trouble(trouble)
    page = await ada.frame()
    await page.connect()
    await services.deliver_webhooks()
    assert set(services.sandbox.delivered) == {204}
    (connection,) = await ada.connections()
    assert connection["status"] == "CONNECTED"
    assert (await page.event_types()).count("connection.recorded") == 1
    assert (await page.stored())["status"] == "connected"


async def test_events_without_a_company_cost_one_call_each_and_one_poll(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    services.outgoing.calls.clear()
    await services.deliver_webhooks()
    connection = await ada.newest()
    assert (connection["sessionId"], connection["status"]) == (page.id, "CONNECTED")
    assert len(services.sandbox.delivered) == 3
    assert services.outgoing.made(f"GET /connection/{connection['id']}/details") == 3
    assert services.outgoing.made("GET /connection") == 1


async def test_events_of_a_connection_that_is_not_shown_yet_record_it_once_it_is(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await services.sandbox.trouble("webhook_first", seconds=30)
    await page.connect()
    await services.drain()
    assert await ada.connections() == []
    assert services.outgoing.made("GET /details") == 3
    await services.later(31)
    (connection,) = await ada.connections()
    assert (connection["sessionId"], connection["status"]) == (page.id, "CONNECTED")
    assert (await page.event_types()).count("connection.recorded") == 1


async def test_a_bad_signature_of_the_sandbox_is_refused_and_its_retry_is_taken(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.trouble("webhook_bad_signature", times=1)
    page = await ada.frame()
    await page.connect()
    await services.deliver_webhooks()
    assert 401 in services.sandbox.delivered
    services.clock.advance(6)
    await services.deliver_webhooks()
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_status_that_changes_is_known_through_its_webhook_alone(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await services.deliver_webhooks()
    services.clock.advance(60)
    await services.sandbox.trouble("status_change", status="WEBSITE_DOWN")
    await services.deliver_webhooks()
    assert (await ada.newest())["status"] == "WEBSITE_DOWN"
    reported = [e for e in await services.rows("/v1/events", limit=100) if e["type"] == "connection.updated"]
    assert reported[-1]["data"] == {"status": "WEBSITE_DOWN", "state": "delayed", "from": "CONNECTED"}
    assert reported[-1]["connectionId"] == connection["id"]


async def test_a_provider_that_is_away_when_the_webhook_comes_is_asked_until_it_answers(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect()
    services.outgoing.is_down = True
    await services.deliver_webhooks()
    assert set(services.sandbox.delivered) == {204}
    assert await ada.connections() == []
    services.outgoing.is_down = False
    await services.later(30)
    assert (await ada.newest())["sessionId"] == page.id


@pytest.mark.parametrize("named", [{"id": UNKNOWN}, {}, {"id": 7}])
async def test_a_documents_event_may_come_before_its_connection_was_recorded(
    services: RunningServices, ada: User, named: dict[str, Any]
) -> None:
    page = await ada.frame()
    company = (await page.stored())["company"]["id"]
    event = {"eventType": "document.created.v2", "company": company} | named
    assert (await send(services, event)).status_code == 204
    await services.drain()
    await page.connect()
    await page.finish()
    assert len(await ada.connections()) == 1


async def test_what_was_acknowledged_is_worked_off_by_the_next_process(services: RunningServices, ada: User) -> None:
    connection_id = await made_by(ada)
    assert (await send(services, created(connection_id))).status_code == 204
    await services.die()
    await services.drain()
    assert (await ada.newest())["id"] == connection_id


async def test_a_burst_of_document_events_is_read_into_every_half_minute(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await services.later(86400 * 5)
    services.outgoing.calls.clear()
    for number in range(60):
        event = {"eventType": "document.created.v2", "id": UNKNOWN, "company": connection["company"]["id"]}
        assert (await send(services, event, f"msg_{number}")).status_code == 204
        await services.later(0.5)
    await services.later(30)
    assert services.outgoing.made("GET /document") <= 2
