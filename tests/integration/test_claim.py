"""Settling an ambiguous connection, and undoing it: the host's word, where no evidence speaks against it."""

import asyncio
from typing import Any

import pytest

from tests.support.connection_steps import ambiguous, claim
from tests.support.services import RunningServices, refused
from tests.support.users import FramePage, User

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_an_unknown_connection_cannot_be_claimed(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    refused(await claim(services, {"id": UNKNOWN}, made["id"]), 404, "not_found")
    refused(await claim(services, {"id": "nonsense"}, made["id"]), 404, "not_found")
    refused(await services.host.delete(f"/v1/connections/{UNKNOWN}/claim"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/sessionId"),
        ({"sessionId": "nonsense"}, "/sessionId"),
        ({"sessionId": 7}, "/sessionId"),
        ({"sessionId": "ses_0123456789", "userId": "ada"}, "/userId"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(
    services: RunningServices, ada: User, bob: User, body: Any, pointer: str
) -> None:
    connection, _, _ = await ambiguous(services, ada, bob)
    answer = await services.host.post(f"/v1/connections/{connection['id']}/claim", json=body)
    refused(answer, 422, "invalid_request", pointer)


async def test_an_unknown_session_claims_nothing(services: RunningServices, ada: User, bob: User) -> None:
    connection, _, _ = await ambiguous(services, ada, bob)
    refused(await claim(services, connection, "ses_00000000000000000000"), 404, "not_found")


async def test_another_tenant_can_neither_claim_nor_be_claimed_for(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, hers, _ = await ambiguous(services, ada, bob)
    other = await services.stranger()
    path = f"/v1/connections/{connection['id']}/claim"
    refused(await other.post(path, json={"sessionId": hers.id}), 404, "not_found")
    refused(await other.delete(path), 404, "not_found")


async def test_a_session_of_another_company_claims_nothing(
    services: RunningServices, ada: User, bob: User, mallory: User
) -> None:
    connection, _, _ = await ambiguous(services, ada, bob)
    theirs = await mallory.frame(link="magic_link")
    refused(await claim(services, connection, theirs.id), 409, "already_claimed")
    assert await mallory.connections() == []


async def test_what_an_invitation_has_shown_cannot_be_claimed_away(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await ada.connected()
    his = await bob.session()
    refused(await claim(services, connection, his["id"]), 409, "already_claimed")
    assert (await ada.newest())["id"] == connection["id"]


async def test_a_claim_settles_it_and_connects_the_session(services: RunningServices, ada: User, bob: User) -> None:
    connection, hers, his = await ambiguous(services, ada, bob)
    answer = await claim(services, connection, hers.id)
    assert answer.status_code == 200
    settled = answer.json()
    assert (settled["userId"], settled["sessionId"]) == ("ada", hers.id)
    assert (settled["evidence"]["kind"], settled["evidence"]["presumed"]) == ("claimed", False)
    assert "candidates" not in settled
    assert (await hers.stored())["status"] == "connected"
    assert (await his.stored())["status"] != "connected"
    assert await bob.connections() == []
    assert "connection.recorded" in await hers.event_types()
    await services.later(600)
    assert (await ada.newest())["evidence"]["kind"] == "claimed"


async def test_whose_key_claimed_and_whose_undid_it_is_in_the_log(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, hers, _ = await ambiguous(services, ada, bob)
    await claim(services, connection, hers.id)
    await services.host.delete(f"/v1/connections/{connection['id']}/claim")
    await services.host.delete(f"/v1/connections/{connection['id']}/claim")
    rows = await services.rows("/v1/events", limit=100)
    signed = [(row["type"], row["data"].get("claim"), row["data"]["by"]) for row in rows if "by" in row["data"]]
    assert signed == [("connection.updated", "made", "bootstrap"), ("connection.updated", "undone", "bootstrap")]


async def test_claiming_again_for_the_same_is_the_same_and_for_another_is_refused(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, hers, his = await ambiguous(services, ada, bob)
    first = (await claim(services, connection, hers.id)).json()
    assert (await claim(services, connection, hers.id)).json() == first
    refused(await claim(services, connection, his.id), 409, "already_claimed")
    assert (await ada.newest())["userId"] == "ada"


async def test_of_two_claims_at_once_one_wins(services: RunningServices, ada: User, bob: User) -> None:
    connection, hers, his = await ambiguous(services, ada, bob)
    answers = await asyncio.gather(*(claim(services, connection, page.id) for page in (hers, his) * 10))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] * 10 + [409] * 10
    assert len(await ada.connections()) + len(await bob.connections()) == 1


async def test_a_claim_overturns_a_presumed_owner_and_emits_the_event(
    services: RunningServices, ada: User, bob: User
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    connection = await ada.newest()
    his = await bob.session()
    assert (await claim(services, connection, his["id"])).status_code == 200
    assert await ada.connections() == []
    assert (await bob.newest())["id"] == connection["id"]
    assert (await services.event_types(his["id"])).count("connection.reassigned") == 1
    assert (await page.stored())["connections"] == []


async def test_undoing_a_claim_makes_it_ambiguous_again(services: RunningServices, ada: User, bob: User) -> None:
    connection, hers, his = await ambiguous(services, ada, bob)
    await claim(services, connection, hers.id)
    answer = await services.host.delete(f"/v1/connections/{connection['id']}/claim")
    assert answer.status_code == 200
    undone = answer.json()
    assert (undone["userId"], undone["evidence"]) == (None, None)
    assert {one["userId"] for one in undone["candidates"]} == {"ada", "bob"}
    assert (await claim(services, connection, his.id)).json()["userId"] == "bob"


async def test_undoing_what_was_never_claimed_changes_nothing(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    answer = await services.host.delete(f"/v1/connections/{connection['id']}/claim")
    assert (answer.status_code, answer.json()) == (200, connection)


async def test_a_claim_is_in_the_log(services: RunningServices, ada: User, bob: User) -> None:
    connection, hers, _ = await ambiguous(services, ada, bob)
    await claim(services, connection, hers.id)
    reported = [
        event for event in await services.rows("/v1/events", limit=100) if event["connectionId"] == connection["id"]
    ]
    recorded = [event for event in reported if event["type"] == "connection.recorded"]
    assert [(event["data"]["evidence"], event["userId"]) for event in recorded] == [("claimed", "ada")]


async def test_a_session_renewed_while_it_was_connected_has_a_link_again_when_its_claim_is_undone(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, _, _ = await ambiguous(services, ada, bob)
    page = await ada.frame(link="invitation")
    assert (await claim(services, connection, page.id)).status_code == 200
    fresh = FramePage(services, await services.post(f"/v1/sessions/{page.id}/renew"))
    await fresh.start(take_over=True)
    assert (await services.host.delete(f"/v1/connections/{connection['id']}/claim")).is_success
    await services.drain()
    assert (await fresh.view())["status"] == "opened"
    await fresh.connect()
    assert (await fresh.finish())["status"] == "connected"


async def test_a_session_waits_for_no_further_account_when_the_claim_of_its_first_is_undone(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, _, _ = await ambiguous(services, ada, bob)
    page = await ada.frame(link="invitation", maxConnections=2)
    assert (await claim(services, connection, page.id)).status_code == 200
    await page.post("another")
    await services.drain()
    await page.connect()
    assert len((await page.finish())["connections"]) == 2
    assert (await services.host.delete(f"/v1/connections/{connection['id']}/claim")).is_success
    view = await page.view()
    assert (view["status"], len(view["connections"]), view["another"]) == ("connected", 1, "possible")
