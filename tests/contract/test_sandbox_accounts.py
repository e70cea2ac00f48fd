"""The team, accounts and their tracking, intervals, and the lag of the invitation's activity log."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.provider_schema import faults_of_answer
from tests.support.sandbox_client import JsonObject, Sandbox, on_disk, with_webhooks

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def accounts_of(sandbox: Sandbox, company: str) -> list[JsonObject]:
    found: list[JsonObject] = (await sandbox.get(f"/account/company/{company}"))["accounts"]
    return found


async def with_accounts(sandbox: Sandbox) -> tuple[str, str, list[JsonObject]]:
    """A company with bills of every type: its id, its connection's id, and its accounts."""
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    sandbox.clock.advance(10)
    return company, made["id"], await accounts_of(sandbox, company)


async def test_the_team_has_a_name_members_and_billing(sandbox: Sandbox) -> None:
    answer = await sandbox.call("GET", "/team")
    assert faults_of_answer("GET", "/team", answer) == []
    assert answer.json()["name"] == "Sandbox Team"
    assert answer.json()["email"] in answer.json()["users"]
    assert answer.json()["billing"].keys() == {"usageEvents", "paymentMethods", "portalUrl"}
    assert (await sandbox.plain("GET", "/v2.2/team")).status_code == 401


async def test_the_teams_members_are_replaced_and_the_caller_stays(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    before = await first.get("/team")
    changed = (await first.call("PATCH", "/team", {"users": ["ada@example.com"]})).json()
    assert changed == before | {"users": [before["email"], "ada@example.com"]}
    assert (await first.call("PATCH", "/team", {})).json() == changed
    assert (await first.call("PATCH", "/team", {"users": ["nobody"]})).status_code == 400
    first.world.close()
    assert await on_disk(clock, tmp_path).get("/team") == changed


async def test_reading_the_team_changes_no_id_that_a_seed_gives(clock: Clock) -> None:
    one, two = Sandbox(clock, seed="one"), Sandbox(clock, seed="one")
    await one.get("/team")
    assert (await one.company())[0] == (await two.company())[0]


@pytest.mark.parametrize("path", ["/account/company/{}", "/company/{}/account"])
async def test_accounts_are_listed_as_soon_as_there_are_bills(sandbox: Sandbox, path: str) -> None:
    company, sites = await sandbox.company()
    await sandbox.connect(company, sites)
    assert (await sandbox.get(path.format(company)))["totalAccounts"] == 0
    sandbox.clock.advance(10)
    listed = await sandbox.get(path.format(company))
    assert (listed["totalAccounts"], {each["trackingStatus"] for each in listed["accounts"]}) == (5, {"UNSET"})


async def test_an_accounts_tracking_is_changed_with_its_meters(sandbox: Sandbox) -> None:
    company, connection, (account, *others) = await with_accounts(sandbox)
    changed = await sandbox.call("PATCH", f"/account/{account['id']}", {"isTracked": False})
    assert changed.json() == account | {"isTracked": False, "trackingStatus": "DISABLED"}
    assert await accounts_of(sandbox, company) == [changed.json(), *others]
    assert changed.json() in (await sandbox.get(f"/connection/{connection}/details"))["accounts"]
    meter = await sandbox.get(f"/meter/{account['meters'][0]}")
    assert meter["isTracked"] is False
    usage = (await sandbox.get(f"/usage/company/{company}"))["usageData"]
    assert {entry["meter"] for entry in usage if not entry["meterIsTracked"]} == set(account["meters"])
    documents = (await sandbox.get(f"/document/company/{company}"))["documents"]
    untracked = [each for each in documents if not each["usageData"][0]["meterIsTracked"]]
    assert {each["usageData"][0]["meter"] for each in untracked} == set(account["meters"])
    back = await sandbox.call("PATCH", f"/account/{account['id']}", {"isTracked": True})
    assert back.json()["trackingStatus"] == "ENABLED"


async def test_the_meters_stay_as_they_are_where_the_call_says_so(sandbox: Sandbox) -> None:
    _, _, (account, *_) = await with_accounts(sandbox)
    await sandbox.call("PATCH", f"/account/{account['id']}", {"isTracked": False, "updateMeters": False})
    assert (await sandbox.get(f"/meter/{account['meters'][0]}"))["isTracked"] is True


async def test_several_accounts_are_changed_together_or_not_at_all(sandbox: Sandbox) -> None:
    company, _, accounts = await with_accounts(sandbox)
    ids = [each["id"] for each in accounts]
    path = f"/account/company/{company}"
    refused = await sandbox.call("PATCH", path, {"accounts": [ids[0], UNKNOWN], "isTracked": False})
    assert (refused.status_code, refused.json().keys()) == (400, {"accounts"})
    assert await accounts_of(sandbox, company) == accounts
    changed = (await sandbox.call("PATCH", path, {"accounts": ids[:2], "isTracked": False})).json()
    assert [(each["id"], each["isTracked"]) for each in changed] == [(ids[0], False), (ids[1], False)]
    assert [each["isTracked"] for each in await accounts_of(sandbox, company)] == [False, False, True, True, True]


@pytest.mark.parametrize("body", [{"isTracked": "no"}, {"isTracked": None}, {"updateMeters": 1}])
async def test_a_wrong_field_of_an_account_is_400_naming_it(sandbox: Sandbox, body: dict[str, Any]) -> None:
    _, _, (account, *_) = await with_accounts(sandbox)
    answer = await sandbox.call("PATCH", f"/account/{account['id']}", body)
    assert (answer.status_code, answer.json().keys()) == (400, body.keys())


async def test_a_change_of_tracking_is_announced_once_on_its_connection(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    _, connection, (account, *_) = await with_accounts(sandbox)
    await sandbox.deliver_webhooks(20)
    sandbox.received.clear()
    before = (await sandbox.get(f"/connection/{connection}/details"))["updated"]
    for _ in range(2):
        await sandbox.call("PATCH", f"/account/{account['id']}", {"isTracked": False})
    await sandbox.deliver_webhooks()
    (received,) = sandbox.received
    assert (received.event, received.body["id"]) == ("connection.updated.v2", connection)
    assert received.body["protectedChanges"] == ["accounts"]
    assert [each["isTracked"] for each in received.body["accounts"]] == [False, True, True, True, True]
    assert account in received.body["old"]["accounts"]
    assert f"{received.body['updated']}Z" > before


async def test_tracking_survives_a_restart_and_goes_with_its_company(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    company, _, (account, *_) = await with_accounts(first)
    await first.call("PATCH", f"/account/{account['id']}", {"isTracked": False})
    first.world.close()
    second = on_disk(clock, tmp_path)
    assert (await second.get(f"/account/{account['id']}"))["isTracked"] is False
    await second.call("DELETE", f"/company/{company}")
    assert (await second.call("GET", f"/account/{account['id']}")).status_code == 404


async def test_intervals_are_hourly_newest_first_and_the_same_at_each_call(sandbox: Sandbox) -> None:
    _, connection, accounts = await with_accounts(sandbox)
    first = await sandbox.get(f"/interval/connection/{connection}")
    assert (first["totalIntervals"], len(first["intervals"]), first["hasNext"]) == (14 * 24, 100, True)
    assert await sandbox.get(f"/interval/connection/{connection}") == first
    pages = [(await sandbox.get(f"/interval/connection/{connection}", page=page))["intervals"] for page in range(1, 5)]
    intervals = [each for page in pages for each in page]
    assert len({each["id"] for each in intervals}) == 14 * 24
    for newer, older in pairwise(intervals):
        assert newer["start"] == older["end"]
    electricity = {each["id"] for each in accounts if each["datasourceTypes"] == ["ELECTRICITY"]}
    assert {each["account"] for each in intervals} == electricity
    hours = datetime.fromisoformat(intervals[0]["end"]) - datetime.fromisoformat(intervals[0]["start"])
    assert hours.total_seconds() == 3600


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("datasourceType=GAS", 0),
        ("datasourceType=GAS&datasourceType=ELECTRICITY", 336),
        *((f"identifier={nothing}", 0) for nothing in ("nothing", "0", "-", "/")),
        ("endDate=2000-01-01T00:00:00Z", 0),
        ("startDate=2000-01-01T00:00:00Z", 336),
    ],
)
async def test_intervals_can_be_filtered(sandbox: Sandbox, query: str, count: int) -> None:
    _, connection, _ = await with_accounts(sandbox)
    answer = await sandbox.call("GET", f"/interval/connection/{connection}?{query}")
    assert answer.json()["totalIntervals"] == count


async def test_intervals_begin_and_end_within_the_requested_time(sandbox: Sandbox) -> None:
    _, connection, _ = await with_accounts(sandbox)
    path = f"/interval/connection/{connection}"
    newest, second, third, *_ = (await sandbox.get(path))["intervals"]
    listed = await sandbox.get(path, startDate=third["start"], endDate=second["end"])
    assert [each["id"] for each in listed["intervals"]] == [second["id"], third["id"]]
    number = next(each["value"] for each in newest["identifiers"] if each["name"] == "METER")
    assert (await sandbox.get(path, identifier=number.replace("-", " ").lower()))["totalIntervals"] == 336


@pytest.mark.parametrize("query", ["startDate=yesterday", "endDate=x", "datasourceType=COAL", "identifier=", "page=0"])
async def test_a_wrong_parameter_of_the_interval_list_is_400_naming_it(sandbox: Sandbox, query: str) -> None:
    made = await sandbox.connect_gas()
    answer = await sandbox.call("GET", f"/interval/connection/{made['id']}?{query}")
    assert (answer.status_code, answer.json().keys()) == (400, {query.partition("=")[0]})


async def test_the_activity_log_can_lag_and_is_complete_later(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    made = await sandbox.post(f"/invitation/company/{company}", {"allowedEmails": ["ada@example.com"]})
    path = f"/invitation/{made['id']}"
    await sandbox.trouble("invitation_activity_lag", companyId=company, seconds=30)
    sandbox.world.invitations.open(made["token"])
    sandbox.clock.advance(20)
    sandbox.world.invitations.verify_email(made["token"], "ada@example.com")
    await sandbox.post(f"{path}/revoke")
    shown = []
    for seconds in (9, 1, 20):
        sandbox.clock.advance(seconds)
        shown.append([entry["type"] for entry in (await sandbox.get(path))["events"]])
    assert shown == [[], ["VIEWED"], ["VIEWED", "EMAIL_VERIFIED", "REVOKED"]]
    assert (await sandbox.get(path))["status"] == "REVOKED"


async def test_the_log_is_the_last_field_of_the_detail_and_not_in_lists(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    made = await sandbox.post(f"/invitation/company/{company}")
    assert list(await sandbox.get(f"/invitation/{made['id']}"))[-2:] == ["createdConnections", "events"]
    assert "events" not in made
    assert "events" not in (await sandbox.get(f"/invitation/company/{company}"))["invitations"][0]


@pytest.mark.parametrize("path", ["/account/company/{c}", "/interval/connection/{k}", "/job/company/{c}"])
async def test_the_new_lists_can_be_untidy(sandbox: Sandbox, path: str) -> None:
    company, connection, _ = await with_accounts(sandbox)
    await sandbox.post(f"/job/company/{company}/bulk", {"documents": ["https://files.example/bill.pdf"]})
    path = path.format(c=company, k=connection)
    tidy = await sandbox.get(path)
    await sandbox.trouble("untidy")
    assert [await sandbox.get(path) != tidy for _ in range(3)] == [True] * 3
