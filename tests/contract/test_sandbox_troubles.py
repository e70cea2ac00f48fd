"""Each trouble by name: what it does, for whom and how often."""

from email.utils import parsedate_to_datetime

import httpx
import pytest

from service.sandbox.wire.errors import ClosedLink
from service.sandbox.world.account_form import read_edit
from tests.support.clock import Clock
from tests.support.sandbox_client import GUIDE, Sandbox


async def status_of(sandbox: Sandbox, path: str = "/ping") -> int:
    return (await sandbox.call("GET", path)).status_code


async def test_provider_5xx_fails_before_anything_is_done(sandbox: Sandbox) -> None:
    await sandbox.trouble("provider_5xx", times=1)
    failed = await sandbox.call("POST", "/company", {"name": "Acme"})
    assert (failed.status_code, set(failed.json())) == (500, {"detail"})
    assert await sandbox.get("/company") == []


async def test_provider_5xx_fails_with_the_requested_status(sandbox: Sandbox) -> None:
    await sandbox.trouble("provider_5xx", status=503)
    assert await status_of(sandbox) == 503


async def test_invalid_json_carries_the_call_out_and_garbles_the_answer(sandbox: Sandbox) -> None:
    await sandbox.trouble("invalid_json", times=1)
    answer = await sandbox.call("POST", "/company", {"name": "Acme"})
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert len(await sandbox.get("/company")) == 1


async def test_invalid_json_garbles_an_empty_answer_too(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("invalid_json", times=1)
    answer = await sandbox.call("DELETE", f"/company/{company}")
    assert (answer.status_code, answer.content) == (200, b"{")


async def test_wrong_password_refuses_the_right_one_as_often_as_requested(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("wrong_password", companyId=company, times=1)
    assert (await sandbox.connect(company, sites))["status"] == "INCORRECT_PASSWORD"
    assert (await sandbox.connect(company, sites))["status"] == "CONNECTED"


async def test_the_wrong_passwords_spelling_is_a_setting(clock: Clock) -> None:
    sandbox = Sandbox(clock, wrong_password_status="PASSWORD_INCORRECT")
    company, sites = await sandbox.company()
    assert (await sandbox.connect(company, sites, password="x"))["status"] == "PASSWORD_INCORRECT"


async def test_mfa_does_not_hide_a_wrong_password(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("mfa")
    assert (await sandbox.connect(company, sites, password="x"))["status"] == "INCORRECT_PASSWORD"


async def test_link_expired_closes_links_and_invitations(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    connection = await sandbox.connect(company, sites)
    link = await sandbox.post(f"/company/{company}/connection/link")
    invitation = await sandbox.post(f"/invitation/company/{company}")
    await sandbox.trouble("link_expired", companyId=company)
    public = link["publicCompanyId"]
    with pytest.raises(ClosedLink, match="expired"):
        sandbox.world.links.find(public, link["companyMagicLinkSecret"])
    with pytest.raises(ClosedLink, match="expired"):
        sandbox.world.links.find_edit(public, connection["connectionMagicLinkSecret"])
    with pytest.raises(ClosedLink, match="expired"):
        sandbox.world.invitations.open(invitation["token"])
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["status"] == "EXPIRED"


async def test_framing_refused_forbids_the_page_to_be_framed(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    link = await sandbox.post(f"/company/{company}/connection/link")
    path = httpx.URL(link["magicLinkUrl"]).path
    policies = [(await sandbox.plain("GET", path)).headers["content-security-policy"]]
    await sandbox.trouble("framing_refused", companyId=company)
    policies.append((await sandbox.plain("GET", path)).headers["content-security-policy"])
    assert ["frame-ancestors 'none'" in policy for policy in policies] == [False, True]


async def test_slow_delays_every_call(sandbox: Sandbox) -> None:
    await sandbox.trouble("slow", seconds=12.5)
    assert await status_of(sandbox) == 200
    assert sandbox.slept == [12.5]


async def test_rate_limited_says_how_long_to_wait(sandbox: Sandbox) -> None:
    await sandbox.trouble("rate_limited", seconds=7, times=1)
    answer = await sandbox.call("GET", "/ping")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert await status_of(sandbox) == 200


async def test_drop_connection_carries_the_call_out_and_loses_the_answer(sandbox: Sandbox) -> None:
    await sandbox.trouble("drop_connection", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await sandbox.call("POST", "/company", {"name": "Acme"})
    assert [one["name"] for one in await sandbox.get("/company")] == ["Acme"]


async def test_mfa_leaves_a_connection_waiting_for_its_code(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("mfa", companyId=company)
    made = await sandbox.connect(company, sites)
    assert made["status"] == "MFA_TOKEN_EXPIRED"
    assert sandbox.world.submissions.answer_mfa(made["id"], "000000").status == "MFA_TOKEN_EXPIRED"
    assert sandbox.world.submissions.answer_mfa(made["id"], "123 456").status == "CONNECTED"


@pytest.mark.parametrize("status", ["NEW_PASSWORD_NEEDED", "COMPANY_INACTIVE", "PASSWORD_INCORRECT", "PENDING"])
async def test_status_change_changes_existing_and_new_connections(sandbox: Sandbox, status: str) -> None:
    company, sites = await sandbox.company()
    other, others = await sandbox.company("Other")
    made = await sandbox.connect(company, sites)
    untouched = await sandbox.connect(other, others)
    sandbox.clock.advance(1)
    await sandbox.trouble("status_change", companyId=company, status=status)
    shown = await sandbox.get(f"/connection/{made['id']}/details")
    assert (shown["status"], shown["updated"] > made["updated"]) == (status, True)
    assert (await sandbox.connect(company, sites))["status"] == status
    assert (await sandbox.get(f"/connection/{untouched['id']}/details"))["status"] == "CONNECTED"


async def test_status_change_yields_to_new_credentials(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    await sandbox.trouble("status_change", status="NEW_PASSWORD_NEEDED", times=1)
    before = sandbox.world.connections.get(made["id"])
    assert before.status == "NEW_PASSWORD_NEEDED"
    after = sandbox.world.submissions.edit(before.id, read_edit(before, {"password": GUIDE["password"]}))
    assert after.status == "CONNECTED"


@pytest.mark.parametrize("skew", [600, -600])
async def test_clock_skew_changes_every_time_that_the_provider_shows(sandbox: Sandbox, skew: int) -> None:
    company, sites = await sandbox.company()
    plain = await sandbox.connect(company, sites)
    true_date = (await sandbox.call("GET", f"/company/{company}")).headers["date"]
    await sandbox.trouble("clock_skew", companyId=company, seconds=skew)
    skewed = await sandbox.connect(company, sites)
    date = (await sandbox.call("GET", f"/company/{company}")).headers["date"]
    assert (parsedate_to_datetime(date) - parsedate_to_datetime(true_date)).total_seconds() == skew
    assert (plain["created"] < skewed["created"]) == (skew > 0)
    assert (await sandbox.call("GET", "/ping")).headers["date"] == true_date


async def test_an_answer_has_one_date_and_it_is_the_sandboxs(sandbox: Sandbox) -> None:
    for path in ("/v2.2/ping", "/healthz", "/dashboard", "/_control/requests"):
        dates = (await sandbox.plain("GET", path)).headers.get_list("date")
        assert [parsedate_to_datetime(date).timestamp() for date in dates] == [sandbox.clock.now()]


async def test_untidy_lists_have_one_odd_field_at_each_call_and_everything_else_is_as_it_was(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    before = await sandbox.get("/company")
    await sandbox.trouble("untidy", companyId=company)
    odd = [(await sandbox.get(f"/connection/company/{company}"))["connections"] for _ in range(60)]
    whole = (await sandbox.get(f"/connection/{made['id']}/details")) | {}
    differing = [{name for name in whole if one.get(name, "absent") != whole[name]} for (one,) in odd]
    assert {len(names) for names in differing} == {0, 1}  # none where null stands in the place of null
    assert len(set.union(*differing)) > 15
    assert await sandbox.get("/company") == before
