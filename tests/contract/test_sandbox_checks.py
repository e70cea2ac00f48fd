"""Checks that take time, custom providers, and how every status is reached."""

from pathlib import Path

import pytest

from service.sandbox.wire.enums import STATUSES
from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, JsonObject, Sandbox, on_disk, with_webhooks

MINUTE, HOUR, DAY = 60, 3600, 86_400
CUSTOM = {"url": "https://utility.example", "username": "ada", "password": "secret"}


async def status_of(sandbox: Sandbox, made: JsonObject) -> str:
    return str((await sandbox.get(f"/connection/{made['id']}/details"))["status"])


async def advance(sandbox: Sandbox, seconds: float) -> None:
    await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": seconds})


@pytest.mark.parametrize("size", [{"seconds": MINUTE}, {"hours": 2}, {"hours": 72}])
@pytest.mark.parametrize("is_advanced", [True, False])
async def test_a_check_takes_as_long_as_the_trouble_says_by_either_clock(
    sandbox: Sandbox, size: dict[str, float], *, is_advanced: bool
) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", companyId=company, **size)
    made = await sandbox.connect(company, sites)
    assert made["status"] == "PENDING"
    seconds = size.get("seconds") or size["hours"] * HOUR
    for passed, status in ((seconds - 1, "PENDING"), (1, "CONNECTED")):
        await advance(sandbox, passed) if is_advanced else sandbox.clock.advance(passed)
        assert await status_of(sandbox, made) == status


async def test_without_the_trouble_good_credentials_are_connected_at_once(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    assert (await sandbox.connect(company, sites))["status"] == "CONNECTED"


async def test_documents_come_after_a_check_and_not_before_it(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", hours=2)
    made = await sandbox.connect(company, sites)
    await advance(sandbox, 2 * HOUR - 1)
    assert (await sandbox.get(f"/document/connection/{made['id']}"))["totalDocuments"] == 0
    await advance(sandbox, 60)
    assert (await sandbox.get(f"/document/connection/{made['id']}"))["totalDocuments"] == 120


@pytest.mark.parametrize("status", ["MFA_TOKEN_EXPIRED", "NO_ACCOUNTS_FOUND", "UNDER_INVESTIGATION"])
async def test_a_check_can_end_with_any_status(sandbox: Sandbox, status: str) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", seconds=MINUTE, status=status, times=1)
    slow, quick = [await sandbox.connect(company, sites) for _ in range(2)]
    assert (slow["status"], quick["status"]) == ("PENDING", "CONNECTED")
    await advance(sandbox, MINUTE)
    assert await status_of(sandbox, slow) == status


async def test_a_wrong_password_is_found_by_the_check_too(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", seconds=MINUTE)
    made = await sandbox.connect(company, sites, password="wrong")
    assert made["status"] == "PENDING"
    await advance(sandbox, MINUTE)
    assert await status_of(sandbox, made) == "INCORRECT_PASSWORD"


async def test_a_check_ends_at_its_own_time_however_late_it_is_looked_at(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", hours=2)
    await sandbox.trouble("clock_skew", companyId=company, seconds=600)
    made = await sandbox.connect(company, sites)
    await advance(sandbox, 3 * DAY)
    shown = await sandbox.get(f"/connection/{made['id']}/details")
    assert shown["statusLastUpdateTime"] == shown["updated"]
    hours = int(shown["updated"][11:13]) - int(made["created"][11:13])
    assert (hours % 24, shown["updated"][14:26]) == (2, made["created"][14:26])


async def test_the_end_of_a_check_is_announced_as_a_change_of_the_status(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    await sandbox.trouble("pending_for", hours=2)
    made = await sandbox.connect_gas()
    await sandbox.deliver_webhooks()
    assert sandbox.events() == ["connection.created.v2"]
    clock.advance(2 * HOUR)
    await sandbox.deliver_webhooks()
    assert sandbox.events()[1:] == ["connection.updated.v2", "connection.validated.v2"]
    updated = sandbox.received[1].body
    assert (updated["id"], updated["status"], updated["old"]) == (made["id"], "CONNECTED", {"status": "PENDING"})


async def test_a_check_survives_a_restart(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    company, sites = await first.company()
    await first.trouble("pending_for", hours=48)
    made = await first.connect(company, sites)
    first.world.close()
    second = on_disk(clock, tmp_path)
    assert await status_of(second, made) == "PENDING"
    clock.advance(2 * DAY)
    assert await status_of(second, made) == "CONNECTED"


@pytest.mark.parametrize("how", ["status_change", "control", "removed", "deleted"])
async def test_what_happens_meanwhile_ends_the_check(sandbox: Sandbox, how: str) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", hours=2)
    made = await sandbox.connect(company, sites)
    if how == "status_change":
        await sandbox.trouble("status_change", companyId=company, status="WEBSITE_DOWN", times=1)
    elif how == "control":
        body = {"status": "WEBSITE_DOWN"}
        assert (await sandbox.plain("PUT", f"/_control/connections/{made['id']}", json=body)).json() == {
            "id": made["id"],
            **body,
        }
    elif how == "removed":
        await sandbox.plain("DELETE", f"/_control/connections/{made['id']}")
    else:
        await sandbox.call("DELETE", f"/company/{company}")
    await advance(sandbox, 3 * HOUR)
    answer = await sandbox.call("GET", f"/connection/{made['id']}/details")
    assert (answer.json().get("status") if answer.is_success else answer.status_code) in {"WEBSITE_DOWN", 404}
    assert sandbox.world.checks.find(made["id"]) is None


async def test_a_custom_provider_is_pending_and_cannot_be_reached_after_the_check(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites, **CUSTOM)
    assert (made["status"], made["datasource"]["name"]) == ("PENDING", "utility.example")
    await advance(sandbox, 2 * HOUR - 1)
    assert await status_of(sandbox, made) == "PENDING"
    await advance(sandbox, 1)
    assert await status_of(sandbox, made) == "URL_INACCESSIBLE"


async def test_the_trouble_sets_the_time_of_a_custom_provider_too(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", companyId=company, seconds=5)
    made = await sandbox.connect(company, sites, **CUSTOM)
    await advance(sandbox, 5)
    assert await status_of(sandbox, made) == "URL_INACCESSIBLE"


async def test_a_custom_provider_has_the_name_that_the_user_gave_it(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company, maxUses=1)
    await user.open(invitation["invitationUrl"])
    await user.press("Continue", url="utility.example", country="US", providerName="Harbour Water Board")
    assert "Harbour Water Board" in user.screen.text
    await user.press("Sign in", username="ada", password="secret")
    done = await user.connect()
    assert ("Handed over" in done.text, "You need not wait" in done.text) == (True, True)
    (made,) = await connections_of(sandbox, company)
    assert (made["status"], made["datasource"]["name"]) == ("PENDING", "Harbour Water Board")
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["status"] == "FULFILLED"


async def test_the_wizard_names_a_check_that_takes_time(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("pending_for", companyId=company, hours=48)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    done = await user.connect()
    assert "PENDING" in done.text
    await advance(sandbox, 2 * DAY)
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_a_password_that_the_page_refused_is_wrong_at_once_also_while_checks_take_time(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("pending_for", companyId=company, hours=48, times=1)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in("wrong")
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["INCORRECT_PASSWORD"]
    await user.sign_in()
    await user.connect()
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["PENDING"]


@pytest.mark.parametrize("status", sorted({*STATUSES} - {"PENDING", "PASSWORD_INCORRECT", "INCORRECT_PASSWORD"}))
async def test_every_status_is_reached_by_a_user_name(sandbox: Sandbox, user: ProviderUser, status: str) -> None:
    company, sites = await sandbox.company()
    name = f"{GUIDE['username']}+{status.lower()}"
    assert (await sandbox.connect(company, sites, username=name))["status"] == status
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.press("Sign in", username=name, password=GUIDE["password"])
    done = await user.connect()
    assert (done.step, status in done.text) == ("done", True)
    assert {made["status"] for made in await connections_of(sandbox, company)} == {status}


async def test_pending_by_name_is_connected_after_a_check(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites, username=f"{GUIDE['username']}+PENDING")
    assert made["status"] == "PENDING"
    await advance(sandbox, 2 * HOUR)
    assert await status_of(sandbox, made) == "CONNECTED"


@pytest.mark.parametrize("name", ["+password_incorrect", "+incorrect_password", "+no_such_status", "+", "x+connected"])
async def test_other_names_are_wrong_ones(sandbox: Sandbox, user: ProviderUser, name: str) -> None:
    company, sites = await sandbox.company()
    username = GUIDE["username"] + name if name.startswith("+") else name
    assert (await sandbox.connect(company, sites, username=username))["status"] == "INCORRECT_PASSWORD"
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.press("Sign in", username=username, password=GUIDE["password"])).step == "credentials"


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_is_reached_by_the_control_api(sandbox: Sandbox, status: str) -> None:
    company, sites = await sandbox.company()
    made, other = [await sandbox.connect(company, sites) for _ in range(2)]
    answer = await sandbox.plain("PUT", f"/_control/connections/{made['id']}", json={"status": status})
    assert answer.status_code == 200
    assert (await status_of(sandbox, made), await status_of(sandbox, other)) == (status, "CONNECTED")


async def test_the_control_api_refuses_an_unknown_status_or_connection(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    path = f"/_control/connections/{made['id']}"
    assert (await sandbox.plain("PUT", path, json={"status": "FINE"})).json().keys() == {"status"}
    assert (await sandbox.plain("PUT", path, json={})).status_code == 400
    assert (await sandbox.plain("PUT", "/_control/connections/x", json={"status": "PENDING"})).status_code == 404
