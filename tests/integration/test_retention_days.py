"""RETENTION_DAYS: what is long over is deleted, and never what the verdict on a connection needs."""

import json
from typing import Any

import pytest

from service.domain.model import Tenant
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.stored_rows import rows_with
from tests.support.users import User

DAY = 86_400
DAYS = 400
MARKED = {"metadata": {"crm": "zoequill-metadata"}, "userLabel": "zoequill label", "userEmail": None}


async def days_later(services: RunningServices, days: float) -> None:
    """Let so many days pass, at the end of which everything that is due is done, the daily purge included."""
    await services.later(days * DAY)
    await services.later(DAY / 2)
    await services.later(DAY / 2)


async def forget(services: RunningServices, connection_id: str) -> None:
    """The provider no longer has the connection, and two polls have found so."""
    answer = await services.sandbox.plain("DELETE", f"/_control/connections/{connection_id}")
    assert answer.status_code == 204
    for _ in range(3):
        await services.later(DAY)
    assert (await services.get(f"/v1/connections/{connection_id}"))["status"] == "REMOVED"


async def is_gone(services: RunningServices, path: str) -> bool:
    return (await services.host.get(path)).status_code == 404


async def magic(user: User, **fields: Any) -> JsonObject:
    """A session whose magic link was shown, and that is over."""
    page = await user.frame(link="magic_link", **fields)
    await user.services.later(2 * 3600)
    return await page.stored()


async def test_a_session_that_is_long_over_is_deleted_and_its_user_too(services: RunningServices, ada: User) -> None:
    made = await ada.session(**MARKED)
    await days_later(services, DAYS + 1)
    refused(await services.host.get(f"/v1/sessions/{made['id']}"), 404, "not_found")
    refused(await services.host.get("/v1/users/ada/export"), 404, "not_found")
    assert await rows_with(services, "zoequill", "'ada'") == []
    assert [row for row in await rows_with(services, made["id"]) if not row.startswith(("events", "work"))] == []


async def test_before_that_it_is_kept_whole(services: RunningServices, ada: User) -> None:
    made = await ada.session(**MARKED)
    await days_later(services, DAYS - 2)
    kept = await services.get(f"/v1/sessions/{made['id']}")
    assert (kept["status"], kept["metadata"]) == ("expired", MARKED["metadata"])


async def test_a_session_that_was_renewed_is_as_old_as_its_last_time(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    await days_later(services, DAYS - 2)
    await services.post(f"/v1/sessions/{made['id']}/renew")
    await days_later(services, DAYS - 2)
    assert not await is_gone(services, f"/v1/sessions/{made['id']}")
    await days_later(services, 4)
    assert await is_gone(services, f"/v1/sessions/{made['id']}")


async def test_what_owns_a_connection_stays_with_what_the_verdict_needs(services: RunningServices, ada: User) -> None:
    made = await ada.connected(**MARKED)
    await days_later(services, DAYS + 1)
    assert await services.get(f"/v1/connections/{made['id']}") == made
    session = await services.get(f"/v1/sessions/{made['sessionId']}")
    assert (session["status"], session["userId"], session["metadata"]) == ("connected", "ada", {})
    assert [one["id"] for one in session["connections"]] == [made["id"]]
    assert await rows_with(services, "zoequill") == []
    await days_later(services, DAYS + 1)
    assert await services.get(f"/v1/connections/{made['id']}") == made


async def test_a_candidate_of_an_undecided_connection_stays(services: RunningServices, ada: User, bob: User) -> None:
    page = await ada.frame(link="magic_link")
    await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(150)
    await days_later(services, DAYS + 1)
    (row,) = await services.rows("/v1/connections", attributed="false")
    assert sorted(one["userId"] for one in row["candidates"]) == ["ada", "bob"]
    given = await services.host.post(f"/v1/connections/{row['id']}/claim", json={"sessionId": page.id})
    assert given.json()["userId"] == "ada"


async def test_whoever_was_shown_a_magic_link_stays_a_candidate(
    services: RunningServices, ada: User, bob: User
) -> None:
    old = await magic(bob, **MARKED)
    await days_later(services, DAYS + 1)
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(150)
    (row,) = await services.rows("/v1/connections")
    assert (row["userId"], row["evidence"]) == (None, None)
    assert old["id"] in [one["sessionId"] for one in row["candidates"]]
    assert await rows_with(services, "zoequill") == []


async def test_a_removed_connection_is_deleted_and_its_session_after_it(services: RunningServices, ada: User) -> None:
    made = await ada.connected()
    await forget(services, made["id"])
    await days_later(services, DAYS - 4)
    assert not await is_gone(services, f"/v1/connections/{made['id']}")
    await days_later(services, 6)
    assert await is_gone(services, f"/v1/connections/{made['id']}")
    assert await is_gone(services, f"/v1/sessions/{made['sessionId']}")


async def test_an_invitation_whose_connection_was_deleted_is_still_used_up(
    services: RunningServices, ada: User, bob: User
) -> None:
    made = await ada.connected()
    await forget(services, made["id"])
    await days_later(services, DAYS + 6)
    assert await is_gone(services, f"/v1/connections/{made['id']}")
    page = await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(121)
    await services.later(30)
    found = await bob.newest()
    assert (found["evidence"]["kind"], found["evidence"]["presumed"]) == ("sole_candidate", True)


async def test_old_events_are_deleted_and_positions_go_on(services: RunningServices, ada: User) -> None:
    await ada.session()
    before = (await services.rows("/v1/events", limit=100))[-1]
    await days_later(services, DAYS + 1)
    await services.post("/v1/sessions", ada.wants())
    await days_later(services, 1)
    rows = await services.rows("/v1/events", limit=100)
    assert rows[0]["at"] >= before["at"]
    assert all(row["seq"] >= before["seq"] for row in rows)
    after = await services.rows("/v1/events", after=str(before["seq"]))
    assert [row["seq"] for row in after] == sorted({row["seq"] for row in after})
    assert "session.created" in [row["type"] for row in after]


async def test_a_log_of_which_everything_is_old_keeps_its_last_event(services: RunningServices, ada: User) -> None:
    await ada.session()
    newest = (await services.rows("/v1/events", limit=100))[-1]["seq"]
    await days_later(services, DAYS + 5)
    rows = await services.rows("/v1/events", limit=100)
    assert len(rows) == 1
    assert rows[0]["seq"] >= newest


async def test_who_changed_an_endpoint_is_recorded_for_as_long_and_no_longer(services: RunningServices) -> None:
    async def recorded() -> list[str]:
        rows = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM endpoint_audit ORDER BY at"))
        return [row["change"] for row in rows]

    made = await services.post("/v1/webhook-endpoints", {"url": "https://meadow.example/hooks"})
    await days_later(services, DAYS - 3)
    await services.host.patch(f"/v1/webhook-endpoints/{made['id']}", json={"description": "ours"})
    assert await recorded() == ["created", "changed"]
    await days_later(services, 3)
    assert await recorded() == ["changed"]
    await days_later(services, DAYS)
    assert await recorded() == []


async def test_an_erased_user_is_forgotten_when_nothing_refers_to_it(services: RunningServices, ada: User) -> None:
    await ada.session()
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    await days_later(services, DAYS + 1)
    users = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM users"))
    assert users == []


async def test_another_tenants_rows_are_deleted_by_the_same_rule(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    body = ada.wants(company={"externalId": "evil", "name": "Evil"})
    theirs = (await other.post("/v1/sessions", json=body)).json()
    mine = await ada.connected()
    await days_later(services, DAYS + 1)
    assert (await other.get(f"/v1/sessions/{theirs['id']}")).status_code == 404
    assert not await is_gone(services, f"/v1/sessions/{mine['sessionId']}")
    assert await services.parts.store.users.sessions((await _only_user(services))["ref"])


async def _only_user(services: RunningServices) -> Any:
    (row,) = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM users"))
    assert row["tenant"] == Tenant("default")
    return row


@pytest.mark.parametrize("finished", [True, False])
async def test_a_processed_webhook_keeps_its_id_and_not_its_body(
    services: RunningServices, ada: User, *, finished: bool
) -> None:
    page = await ada.frame()
    await page.connect()
    await services.sandbox.deliver_webhooks()
    if finished:
        await services.drain()
    rows = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM inbox"))
    assert rows
    assert {row["sealed_body"] == "" for row in rows} == {finished}
    assert "nectar-sandbox-username" not in json.dumps([dict(row) for row in rows])
