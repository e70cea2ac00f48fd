"""POST /v1/verify: the host need not trust its own query string."""

import asyncio
from typing import Any

import pytest

from tests.support.services import RunningServices, refused
from tests.support.streams import EventStream
from tests.support.users import TopPage, User, asked_in


async def result_of(user: User) -> str:
    """What a browser brings back to the host after this person has connected an account."""
    page = await user.browser()
    await page.connect()
    return asked_in(await page.finish())["state"]


async def test_adas_result_is_refused_when_mallory_hands_it_in(services: RunningServices, ada: User) -> None:
    answer = await services.host.post("/v1/verify", json={"state": await result_of(ada), "userId": "mallory"})
    refused(answer, 422, "invalid_request", "/state")


async def test_another_tenant_cannot_confirm_it(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    answer = await other.post("/v1/verify", json={"state": await result_of(ada), "userId": "ada"})
    refused(answer, 422, "invalid_request", "/state")


async def test_every_single_changed_letter_is_refused(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    for i, webhook in enumerate(state):
        mutated = state[:i] + ("A" if webhook != "A" else "B") + state[i + 1 :]
        answer = await services.host.post("/v1/verify", json={"state": mutated, "userId": "ada"})
        refused(answer, 422, "invalid_request", "/state")


@pytest.mark.parametrize(("seconds", "status"), [(600, 200), (601, 422), (86400, 422)])
async def test_it_holds_for_ten_minutes(services: RunningServices, ada: User, seconds: float, status: int) -> None:
    state = await result_of(ada)
    services.clock.advance(seconds)
    answer = await services.host.post("/v1/verify", json={"state": state, "userId": "ada"})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"userId": "ada"}, "/state"),
        ({"state": "x"}, "/userId"),
        ({"state": "", "userId": "ada"}, "/state"),
        ({"state": "x" * 2049, "userId": "ada"}, "/state"),
        ({"state": 7, "userId": "ada"}, "/state"),
        ({"state": "x", "userId": ""}, "/userId"),
        ({"state": "x", "userId": "ada", "sessionId": "ses_x"}, "/sessionId"),
    ],
)
async def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    services: RunningServices, body: Any, pointer: str
) -> None:
    refused(await services.host.post("/v1/verify", json=body), 422, "invalid_request", pointer)


async def presented(services: RunningServices, state: str, user_id: str = "mallory") -> None:
    answer = await services.host.post("/v1/verify", json={"state": state, "userId": user_id})
    refused(answer, 422, "invalid_request", "/state")


async def failures(services: RunningServices) -> list[Any]:
    """For whom a result was presented, by the log of all events."""
    events = await services.rows("/v1/events", limit=100)
    return [event["data"]["presentedFor"] for event in events if event["type"] == "session.verify_failed"]


async def test_a_result_of_another_user_is_recorded_once_for_each_and_five_times_at_most(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser()
    await page.connect()
    state = asked_in(await page.finish())["state"]
    before = await page.stored()
    for user in ("mallory", "mallory", "b", "c", "mallory", "d", "e", "f", "g"):
        await presented(services, state, user)
    assert await failures(services) == ["mallory", "b", "c", "d", "e"]
    timeline = await services.rows(f"/v1/sessions/{page.id}/events", limit=100)
    assert [event["type"] for event in timeline][-5:] == ["session.verify_failed"] * 5
    assert {(event["sessionId"], event["userId"]) for event in timeline} == {(page.id, "ada")}
    # It may be the host's own mistake: nothing is revoked, and Ada's result holds.
    assert await page.stored() == before
    await services.post("/v1/verify", {"state": state, "userId": "ada"})


async def test_who_hands_in_anothers_result_has_no_status_without_a_session(
    services: RunningServices, ada: User
) -> None:
    await presented(services, await result_of(ada))
    refused(await services.host.get("/v1/users/mallory/status"), 404, "not_found")
    await User(services, "mallory").session()
    assert (await services.get("/v1/users/mallory/status"))["connections"] == []


async def test_equal_calls_at_once_record_it_once(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    await asyncio.gather(*(presented(services, state) for _ in range(5)))
    assert await failures(services) == ["mallory"]


async def test_another_session_of_the_user_has_its_own_record(services: RunningServices, ada: User) -> None:
    for _ in range(2):
        await presented(services, await result_of(ada))
    assert await failures(services) == ["mallory", "mallory"]


async def test_what_is_not_authentic_or_another_tenants_is_not_recorded(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    for text in ("x", state[:-2], f"{state[:-1]}{'A' if state[-1] != 'A' else 'B'}"):
        await presented(services, text)
    other = await services.stranger()
    for user in ("ada", "mallory"):
        refused(await other.post("/v1/verify", json={"state": state, "userId": user}), 422, "invalid_request")
    assert (await other.get("/v1/events")).json()["data"] == []
    services.clock.advance(601)
    await presented(services, state, "ada")  # too old, and for the right user
    assert await failures(services) == []


async def test_a_session_that_is_gone_has_no_timeline_for_it(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    await services.parts.store.engine.write(lambda tx: tx.run("DELETE FROM sessions"))
    await presented(services, state)
    assert await failures(services) == []


async def test_no_page_learns_of_it(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session())
    await page.press_start()
    state = asked_in(await page.get((await page.view())["doneUrl"]))["state"]
    newest = (await services.rows(f"/v1/sessions/{page.id}/events", limit=100))[-1]
    before = await page.view()
    async with EventStream(services, page) as stream:
        await presented(services, state)
        assert (await page.event_types())[-1] == "session.verify_failed"
        assert {**await page.view(), "at": before["at"]} == before
        await page.connect()
        await page.finish()
        seen = await stream.until("session.connected")
    async with EventStream(services, page, newest["id"]) as stream:
        replayed = await stream.until("session.connected")
    for frames in (seen, replayed):
        assert [one.type for one in frames] == ["connection.recorded", "session.connected"]


async def test_metrics_count_what_became_of_each_result(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    for user in ("ada", "mallory", "mallory"):
        await services.host.post("/v1/verify", json={"state": state, "userId": user})
    await services.host.post("/v1/verify", json={"state": "x", "userId": "ada"})
    page = services.parts.metrics.render(0).splitlines()
    found = {line for line in page if line.startswith("magiclink_verifications_total{")}
    assert found == {
        'magiclink_verifications_total{outcome="confirmed"} 1.0',
        'magiclink_verifications_total{outcome="other_user"} 2.0',
        'magiclink_verifications_total{outcome="refused"} 1.0',
    }


async def test_it_returns_what_was_signed_and_may_be_called_again(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    connection = await ada.newest()
    for _ in range(2):
        assert await services.post("/v1/verify", {"state": state, "userId": "ada"}) == {
            "valid": True,
            "sessionId": connection["sessionId"],
            "userId": "ada",
            "status": "connected",
            "connectionId": connection["id"],
            "connectionState": "working",
            "at": "2027-01-15T08:00:00.000Z",
        }


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        ("PENDING", "submitted", "checking"),
        ("WEBSITE_DOWN", "submitted", "delayed"),
        ("NO_ACCOUNTS_FOUND", "opened", "empty"),
        ("PASSWORD_INCORRECT", "opened", "action_needed"),
        ("COMPANY_INACTIVE", "opened", "inactive"),
    ],
)
async def test_a_connection_that_does_not_work_never_reads_as_success(
    services: RunningServices, ada: User, status: str, said: str, state: str
) -> None:
    page = await ada.browser()
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)
    back = asked_in(await page.finish())
    assert (back["status"], back["connectionState"]) == (said, state)
    verified = await services.post("/v1/verify", {"state": back["state"], "userId": "ada"})
    assert (verified["status"], verified["connectionId"]) == (said, back["connectionId"])
    assert verified["connectionState"] == state


async def test_the_state_is_that_of_now_and_the_status_the_signed_one(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status="PENDING", times=1, companyId=company)
    state = asked_in(await page.finish())["state"]
    await services.sandbox.trouble("status_change", status="CONNECTED", times=1, companyId=company)
    await page.finish()
    verified = await services.post("/v1/verify", {"state": state, "userId": "ada"})
    assert (verified["status"], verified["connectionState"]) == ("submitted", "working")


@pytest.mark.parametrize("sql", ["DELETE FROM connections", "UPDATE connections SET user_ref = 'usr_bob'"])
async def test_a_connection_that_is_no_longer_the_users_has_no_state(
    services: RunningServices, ada: User, sql: str
) -> None:
    state = await result_of(ada)
    await services.parts.store.engine.write(lambda tx: tx.run(sql))
    verified = await services.post("/v1/verify", {"state": state, "userId": "ada"})
    assert (verified["status"], verified["connectionState"]) == ("connected", None)


async def test_a_result_without_a_connection_names_none(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    back = asked_in(await page.post("exit"))
    assert not {"connectionId", "connectionState"} & set(back)
    verified = await services.post("/v1/verify", {"state": back["state"], "userId": "ada"})
    assert (verified["connectionId"], verified["connectionState"]) == (None, None)


async def test_a_result_names_its_user_in_no_readable_way(ada: User) -> None:
    ada.user_id = "ada.lovelace@example.com"
    assert "lovelace" not in await result_of(ada)
