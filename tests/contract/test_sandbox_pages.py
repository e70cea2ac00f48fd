"""The sandbox's hosted pages, walked through as a person without scripts or cookies would."""

from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, Sandbox


async def test_the_last_page_says_that_a_provider_cannot_be_reached(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider("https://utility.example")
    await user.press("Sign in", username="ada", password="secret")
    await sandbox.trouble("status_change", companyId=company, status="URL_INACCESSIBLE")
    done = await user.connect()
    assert done.step == "done"
    assert "website cannot be reached" in done.text
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["URL_INACCESSIBLE"]


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "no such name"}, "url"),
        ({"url": "ftp://x.example"}, "url"),
        ({"country": "USA"}, "country"),
    ],
)
async def test_a_wrong_provider_or_country_is_an_error_at_its_field(
    sandbox: Sandbox, user: ProviderUser, entered: dict[str, str], field: str
) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    screen = await user.press("Continue", **{"url": GUIDE["url"], "country": "US", **entered})
    assert (screen.step, screen.status) == ("provider", 200)
    assert f'id="{field}-wrong"' in screen.source
    assert screen.form.values[field] == [entered[field]]


async def test_empty_credentials_are_refused_and_create_nothing(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    screen = await user.press("Sign in", username=" ", password="")
    assert (screen.step, screen.status) == ("credentials", 200)
    assert 'id="username-wrong"' in screen.source
    assert 'id="password-wrong"' in screen.source
    assert await connections_of(sandbox, company) == []


async def test_a_wrong_password_creates_one_connection_which_the_second_try_corrects(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, sites = await sandbox.company(sites=2)
    invitation = await invitation_of(sandbox, company, maxUses=1, prefill={"initialSites": sites[1:]})
    await user.open(invitation["invitationUrl"])
    await user.choose_provider()
    for password in ("not-this-one", "nor-this-one"):
        screen = await user.sign_in(password)
        assert screen.step == "credentials"
        assert "did not accept" in screen.text
        assert password not in screen.source
    (refused,) = await connections_of(sandbox, company)
    assert refused["status"] == "INCORRECT_PASSWORD"
    assert refused["initialSites"] == sites[1:]
    await user.sign_in()
    assert (await user.connect()).step == "done"
    (made,) = await connections_of(sandbox, company)
    assert (made["id"], made["status"]) == (refused["id"], "CONNECTED")
    used = await sandbox.get(f"/invitation/{invitation['id']}")
    assert (used["useCount"], used["status"]) == (1, "FULFILLED")
    assert [each["id"] for each in used["createdConnections"]] == [made["id"]]


@pytest.mark.parametrize("count", [0, 4])
async def test_no_site_and_four_sites_are_refused_at_their_field(
    sandbox: Sandbox, user: ProviderUser, count: int
) -> None:
    company, sites = await sandbox.company(sites=4)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    screen = await user.connect(sites=sites[:count])
    assert (screen.step, screen.status) == ("settings", 200)
    assert "Choose one to three sites." in screen.text
    assert screen.form.values["sites"] == sites[:count]
    assert await connections_of(sandbox, company) == []


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"ownerEmail": "nobody"}, "ownerEmail"),
        ({"startDate": "yesterday"}, "startDate"),
        ({"types": ["COFFEE"]}, "types"),
    ],
)
async def test_a_wrong_setting_is_an_error_at_its_field(
    sandbox: Sandbox, user: ProviderUser, entered: dict[str, Any], field: str
) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    screen = await user.connect(**entered)
    assert (screen.step, screen.status) == ("settings", 200)
    assert f'id="{field}-wrong"' in screen.source


async def test_another_companys_site_is_refused(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    _, foreign = await sandbox.company("Bolt Ltd")
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    assert (await user.connect(sites=foreign)).step == "settings"
    assert await connections_of(sandbox, company) == []


@pytest.mark.parametrize("step", ["settings", "mfa", "mfa-off", "forwarding-address", "done", "", "nonsense"])
async def test_a_later_step_cannot_be_posted_directly(sandbox: Sandbox, user: ProviderUser, step: str) -> None:
    company, sites = await sandbox.company()
    url = await link_of(sandbox, company)
    screen = await user.post(url, {"step": step, "sites": sites, "code": "123456", "configured": "yes"})
    assert screen.step == "provider"
    assert "Please start again" in screen.text
    assert await connections_of(sandbox, company) == []


async def test_the_wrong_password_trouble_refuses_even_the_right_one_once(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("wrong_password", companyId=company, times=1)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.sign_in()).step == "credentials"
    assert (await user.sign_in()).step == "settings"
    assert (await user.connect()).step == "done"
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_a_password_that_fails_only_at_the_end_returns_to_the_sign_in(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await sandbox.trouble("status_change", companyId=company, times=1, status="PASSWORD_INCORRECT")
    assert (await user.connect()).step == "credentials"
    await user.sign_in()
    assert (await user.connect()).step == "done"
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_a_magic_link_takes_every_step_to_a_connection_with_bills(
    sandbox: Sandbox, user: ProviderUser, clock: Clock
) -> None:
    company, sites = await sandbox.company(sites=2)
    assert (await user.open(await link_of(sandbox, company, sites=sites[:1]))).step == "provider"
    assert (await user.choose_provider(country="gb")).step == "credentials"
    assert (await user.sign_in()).step == "settings"
    assert user.screen.form.values["sites"] == sites[:1]
    done = await user.connect(ownerEmail="ada@example.com", types=["GAS", "SOLAR"], startDate="2026-01-01")
    assert done.step == "done"
    assert "You can close this window" in done.text
    (made,) = await connections_of(sandbox, company)
    assert made["status"] == "CONNECTED"
    assert made["country"] == "GB"
    assert made["initialSites"] == sites[:1]
    assert made["initialDatasourceTypes"] == ["GAS", "SOLAR"]
    assert made["workflowOwnerEmail"] == "ada@example.com"
    assert made["dataCollectionStartDate"] == "2026-01-01"
    clock.advance(10)
    bills = await sandbox.get(f"/company/{company}/connection/{made['id']}/document")
    assert bills["totalDocuments"] == 48


async def test_a_prefilled_provider_skips_its_step_and_can_be_changed(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    assert (await user.open(await link_of(sandbox, company, url=GUIDE["url"]))).step == "credentials"
    assert (await user.press("Choose another provider or country")).step == "provider"
    assert user.screen.form.values["url"] == [GUIDE["url"]]


@pytest.mark.parametrize("words", ["nectar sandbox utility", "nectarclimate.com", " https://nectarclimate.com "])
async def test_the_provider_is_found_by_name_or_address(sandbox: Sandbox, user: ProviderUser, words: str) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    assert (await user.choose_provider(words)).step == "credentials"
    assert "Nectar Sandbox Utility" in user.screen.text


async def test_the_provider_can_be_picked_from_the_list(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    assert (await user.press("Nectar Sandbox Utility")).step == "credentials"


async def test_no_page_ever_shows_a_password_that_was_entered(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    secret = "a-password-of-my-own"
    assert secret not in (await user.press("Sign in", username="ada", password=secret)).source
    assert user.screen.form.values["password"] == [""]
    assert "ada" in user.screen.form.values["username"]


async def test_the_only_site_of_a_company_is_checked_and_a_company_without_one_gets_a_note(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    one, sites = await sandbox.company(sites=1)
    await user.open(await link_of(sandbox, one, url=GUIDE["url"]))
    assert (await user.sign_in()).form.values["sites"] == sites
    none, _ = await sandbox.company("Empty Ltd", sites=0)
    await user.open(await link_of(sandbox, none, url=GUIDE["url"]))
    assert "has no sites yet" in (await user.sign_in()).text


async def test_the_same_settings_posted_twice_create_one_connection(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    form = user.screen.form
    for _ in range(2):
        assert (await user.post(form.action, form.values)).step == "done"
    assert len(await connections_of(sandbox, company)) == 1


async def test_a_flow_belongs_to_its_link_and_lasts_an_hour(sandbox: Sandbox, user: ProviderUser, clock: Clock) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    flow = (await user.choose_provider()).form.values["flow"]
    stranger = ProviderUser(sandbox)
    other = await link_of(sandbox, company)
    assert "start again" in (await stranger.post(other, {"step": "credentials", "flow": flow})).text
    clock.advance(3601)
    assert (await user.sign_in()).step == "provider"


async def test_the_mfa_trouble_requires_a_code(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.sign_in()).step == "mfa"
    assert 'id="code-wrong"' in (await user.press("Verify", code="12345")).source
    assert (await user.press("Verify", code="424242")).step == "settings"
    assert (await user.connect()).step == "done"
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_a_trouble_in_the_query_applies_to_the_whole_flow(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(f"{await link_of(sandbox, company, url=GUIDE['url'])}?trouble=mfa")
    assert (await user.sign_in()).step == "mfa"
    await user.press("Verify", code="424242")
    assert (await user.connect()).step == "done"
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_mfa_that_starts_only_at_the_end_requires_a_code_then(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await sandbox.trouble("mfa", companyId=company)
    assert (await user.connect()).step == "mfa"
    assert (await user.press("Verify", code="424242")).step == "settings"
    assert (await user.connect()).step == "done"
    assert [made["status"] for made in await connections_of(sandbox, company)] == ["CONNECTED"]


async def test_going_back_shows_the_earlier_steps_errors_there(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    earlier = await user.choose_provider()
    later = await user.sign_in()
    path, flow = later.form.action, later.form.values["flow"]
    screen = await user.post(path, {"step": "provider", "flow": flow, "url": "", "country": "US"})
    assert (screen.step, 'id="url-wrong"' in screen.source) == ("provider", True)
    screen = await user.post(path, {**earlier.form.values, "username": "", "password": ""})
    assert (screen.step, 'id="username-wrong"' in screen.source) == ("credentials", True)
    user.screen = later
    assert (await user.connect()).step == "done"
