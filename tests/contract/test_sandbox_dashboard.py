"""The sandbox's dashboard and its wizard."""

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of
from tests.support.sandbox_client import GUIDE, Sandbox


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://sandbox.test"},
    ],
)
async def test_another_sites_page_cannot_post_here(sandbox: Sandbox, headers: dict[str, str]) -> None:
    company, _ = await sandbox.company()
    for path in ("companies", f"companies/{company}/sites", f"companies/{company}/connect"):
        answer = await sandbox.plain("POST", f"/dashboard/{path}", data={"name": "Evil"}, headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.text
    assert [each["name"] for each in await sandbox.get("/company")] == ["Acme Ltd"]


@pytest.mark.parametrize("host", ["evil.example.com:9000", "127.0.0.1.evil.com", "sandbox.test.evil.com", "["])
async def test_a_name_that_a_stranger_gave_to_its_address_shows_and_changes_nothing(
    sandbox: Sandbox, host: str
) -> None:
    company, _ = await sandbox.company()
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    for method, path in (("GET", ""), ("POST", "/companies"), ("GET", f"/companies/{company}")):
        answer = await sandbox.plain(method, f"/dashboard{path}", headers=headers)
        assert (answer.status_code, "Acme" in answer.text) == (403, False)
    assert [each["name"] for each in await sandbox.get("/company")] == ["Acme Ltd"]


async def test_an_origin_that_cannot_be_read_is_another_site(sandbox: Sandbox) -> None:
    answer = await sandbox.plain("POST", "/dashboard/companies", data={"name": "Evil"}, headers={"origin": "http://["})
    assert answer.status_code == 403


async def test_no_other_page_may_frame_it(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    for path in ("/dashboard", f"/dashboard/companies/{company}", f"/dashboard/companies/{company}/connect"):
        screen = await user.open(path)
        assert screen.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in screen.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/companies/unknown",
        "/dashboard/companies/unknown/connect",
        "/dashboard/connections/unknown",
        "/dashboard/connections/unknown/bills/unknown",
    ],
)
async def test_an_unknown_address_shows_an_error_page(user: ProviderUser, path: str) -> None:
    screen = await user.open(path)
    assert (screen.status, screen.step) == (404, "error")


async def test_a_missing_or_too_long_name_is_an_error_at_its_field(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open("/dashboard")
    for name in (" ", "x" * 201):
        screen = await user.press("Add the company", name=name)
        assert screen.status == 422
        assert 'id="name-wrong"' in screen.source
    await user.open(f"/dashboard/companies/{company}")
    screen = await user.press("Add the site", name="", address="y" * 256)
    assert screen.status == 422
    assert 'id="name-wrong"' in screen.source
    assert 'id="address-wrong"' in screen.source
    assert screen.form.values["address"] == ["y" * 256]
    assert len((await sandbox.get(f"/company/{company}"))["sites"]) == 1


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"origin": "http://sandbox.test"}, {}])
async def test_the_dashboards_own_forms_are_accepted(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = await sandbox.plain("POST", "/dashboard/companies", data={"name": "Acme"}, headers=headers)
    assert answer.status_code == 303


async def test_the_root_redirects_to_the_dashboard_which_says_that_nobody_signs_in(user: ProviderUser) -> None:
    screen = await user.open("/")
    assert "without a sign-in" in screen.text
    assert GUIDE["username"] in screen.text
    assert GUIDE["password"] in screen.text
    assert "No company yet" in screen.text


async def test_the_dashboard_suffices_from_an_empty_sandbox_to_a_bill(
    sandbox: Sandbox, user: ProviderUser, clock: Clock
) -> None:
    await user.open("/dashboard")
    company = await user.press("Add the company", name="Acme Ltd")
    assert "No site yet" in company.text
    assert "Headquarters" in (await user.press("Add the site", name="Headquarters", address="1 Main St")).text
    assert (await user.open(user.screen.links["Connect a utility account"])).step == "provider"
    assert (await user.choose_provider()).step == "credentials"
    assert (await user.sign_in("wrong")).step == "credentials"
    assert (await user.sign_in()).step == "settings"
    done = await user.connect()
    assert done.step == "done"
    page = await user.open(done.links["Go to the connection"])
    assert "CONNECTED" in page.text
    assert "on their way" in page.text
    clock.advance(10)
    page = await user.open(done.links["Go to the connection"])
    assert "120 bills, page 1 of 3" in page.text
    bill = await user.open(page.links["2026-12"])
    assert "Electricity bill, 2026-12" in bill.text
    pdf = await sandbox.plain("GET", bill.links["Open the bill as PDF"])
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-1.4")


async def test_a_connection_lists_its_bills_in_pages(sandbox: Sandbox, user: ProviderUser, clock: Clock) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    clock.advance(10)
    path = f"/dashboard/connections/{made['id']}"
    first = await user.open(path)
    assert "Older bills" in first.links
    assert "Newer bills" not in first.links
    for number in ("3", "99", "99999999"):
        last = await user.open(f"{path}?page={number}")
        assert "page 3 of 3" in last.text
        assert "Older bills" not in last.links
    for number in ("0", "-1", "x", "999999999999"):
        assert "page 1 of 3" in (await user.open(f"{path}?page={number}")).text
    assert (await user.open(f"{path}/bills/unknown")).status == 404


async def test_a_connection_without_working_credentials_says_why_it_has_no_bills(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites, password="wrong")
    screen = await user.open(f"/dashboard/connections/{made['id']}")
    assert "INCORRECT_PASSWORD" in screen.text
    assert "the sign-in has not worked yet" in screen.text
    assert (await user.open(screen.links["Change sign-in, sites or types"])).step == "credentials"


async def test_the_wizards_connection_is_one_like_any_other(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company(sites=2)
    await user.open(f"/dashboard/companies/{company}/connect")
    await user.press("Nectar Sandbox Utility")
    await user.sign_in()
    await user.connect(sites=sites, ownerEmail="ada@example.com")
    (made,) = await connections_of(sandbox, company)
    assert (made["status"], made["initialSites"]) == ("CONNECTED", sites)
    assert "dashboard" in (await user.open(f"/dashboard/companies/{company}")).text


async def test_every_page_has_one_heading_labels_and_no_script(
    sandbox: Sandbox, user: ProviderUser, clock: Clock
) -> None:
    company, sites = await sandbox.company("<b>Acme</b>")
    made = await sandbox.connect(company, sites)
    clock.advance(10)
    for path in ("/dashboard", f"/dashboard/companies/{company}", f"/dashboard/connections/{made['id']}"):
        screen = await user.open(path)
        assert (screen.tags["h1"], screen.tags["main"]) == (1, 1)
        assert screen.tags["script"] == screen.tags["b"] == 0
        assert set(screen.named) <= screen.labels


async def test_a_connections_page_shows_its_check_and_sets_any_status(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("pending_for", companyId=company, hours=2)
    made = await sandbox.connect(company, sites)
    page = await user.open(f"/dashboard/connections/{made['id']}")
    assert "as CONNECTED" in page.text
    page = await user.press("Set the status", status="WEBSITE_DOWN")
    assert "as CONNECTED" not in page.text
    assert [each["status"] for each in await connections_of(sandbox, company)] == ["WEBSITE_DOWN"]
    await user.press("Set the status", status="FINE")
    assert [each["status"] for each in await connections_of(sandbox, company)] == ["WEBSITE_DOWN"]


async def test_another_sites_page_cannot_set_a_status(sandbox: Sandbox) -> None:
    made = await sandbox.connect_gas()
    headers, data = {"sec-fetch-site": "cross-site"}, {"status": "WEBSITE_DOWN"}
    path = f"/dashboard/connections/{made['id']}/status"
    assert (await sandbox.plain("POST", path, data=data, headers=headers)).status_code == 403
    assert (await sandbox.get(f"/connection/{made['id']}/details"))["status"] == "CONNECTED"


async def test_a_company_shows_its_invitations_activity_and_its_uploads(
    sandbox: Sandbox, user: ProviderUser, clock: Clock
) -> None:
    company, _ = await sandbox.company()
    invitation = await sandbox.post(f"/invitation/company/{company}", {"maxUses": 1})
    sandbox.world.invitations.open(invitation["token"])
    await sandbox.post(f"/job/company/{company}/bulk", {"documents": ["https://files.example/gas.pdf"]})
    page = await user.open(f"/dashboard/companies/{company}")
    assert ("0 of 1" in page.text, "viewed 20" in page.text, "PENDING" in page.text) == (True, True, True)
    clock.advance(5)
    assert "gas.pdf: read" in (await user.open(f"/dashboard/companies/{company}")).text
