"""The pages of edit links, invitations and closed links."""

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, Sandbox


async def test_a_link_for_a_new_connection_cannot_skip_the_sign_in(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    screen = await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.post(screen.form.action, {"step": "keep"})).step == "credentials"


async def test_no_step_of_such_an_invitation_works_without_the_address(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    invitation = await invitation_of(sandbox, company, allowedEmails=["ada@example.com"])
    for step in ("provider", "credentials", "keep", "settings"):
        data = {"step": step, **GUIDE, "country": "US", "sites": sites}
        assert (await user.post(invitation["invitationUrl"], data)).step == "email"
    assert await connections_of(sandbox, company) == []


async def test_a_revoked_invitation_closes_a_flow_that_has_started(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company, prefill={"url": GUIDE["url"]})
    await user.open(invitation["invitationUrl"])
    await user.sign_in()
    await sandbox.post(f"/invitation/{invitation['id']}/revoke")
    screen = await user.connect()
    assert (screen.step, screen.status) == ("error", 410)
    assert "withdrawn" in screen.text
    assert await connections_of(sandbox, company) == []


async def test_expired_used_and_unknown_links_say_why_they_do_not_open(
    sandbox: Sandbox, user: ProviderUser, clock: Clock
) -> None:
    company, _ = await sandbox.company()
    short = await invitation_of(sandbox, company, expiresInSeconds=60)
    once = await invitation_of(sandbox, company, maxUses=1, prefill={"url": GUIDE["url"]})
    await user.open(once["invitationUrl"])
    await user.sign_in()
    await user.connect()
    clock.advance(61)
    for url, status, words in (
        (short["invitationUrl"], 410, "expired"),
        (once["invitationUrl"], 410, "already used"),
        ("/p/i/unknown", 404, "do not know"),
        ("/p/connect/unknown/unknown", 404, "do not know"),
        ("/p/connect/unknown/workflow/unknown", 404, "do not know"),
    ):
        screen = await user.open(url)
        assert (screen.step, screen.status) == ("error", status)
        assert words in screen.text
        assert screen.tags["h1"] == 1


async def test_the_last_use_of_another_flow_closes_this_one(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company, maxUses=1, prefill={"url": GUIDE["url"]})
    ada, bob = ProviderUser(sandbox), ProviderUser(sandbox)
    for user in (ada, bob):
        await user.open(invitation["invitationUrl"])
        await user.sign_in()
    assert (await ada.connect()).step == "done"
    assert ((await bob.connect()).status, bob.screen.step) == (410, "error")
    assert len(await connections_of(sandbox, company)) == 1


async def test_a_link_is_not_valid_below_another_company_or_as_another_kind(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, sites = await sandbox.company()
    other, others_sites = await sandbox.company("Bolt Ltd")
    public = (await sandbox.connect(other, others_sites))["publicCompanyId"]
    made = await sandbox.connect(company, sites)
    secret = (await sandbox.post(f"/company/{company}/connection/link"))["companyMagicLinkSecret"]
    assert (await user.open(f"/p/connect/{public}/{secret}")).status == 404
    assert (await user.open(f"/p/connect/{made['publicCompanyId']}/workflow/{secret}")).status == 404
    assert (await user.open(f"/p/connect/{made['publicCompanyId']}/{made['connectionMagicLinkSecret']}")).status == 404


async def test_the_link_expired_trouble_closes_links_and_invitations(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    link, invitation = await link_of(sandbox, company), await invitation_of(sandbox, company)
    await sandbox.trouble("link_expired", companyId=company)
    for url in (link, invitation["invitationUrl"]):
        assert ((await user.open(url)).status, "expired" in user.screen.text) == (410, True)


async def test_an_edit_link_changes_credentials_and_sites_and_keeps_the_id(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, sites = await sandbox.company(sites=3)
    before = await sandbox.connect(company, sites[:1], password="wrong")
    link = await sandbox.post(f"/connection/{before['id']}")
    screen = await user.open(f"/p/connect/{link['publicCompanyId']}/workflow/{link['connectionMagicLinkSecret']}")
    assert screen.step == "credentials"
    assert screen.form.values["username"] == [GUIDE["username"]]
    assert (await user.sign_in("still wrong")).step == "credentials"
    assert (await user.sign_in()).form.values["sites"] == sites[:1]
    assert (await user.press("Save changes", sites=sites[1:])).step == "done"
    (after,) = await connections_of(sandbox, company)
    assert (after["id"], after["status"], after["initialSites"]) == (before["id"], "CONNECTED", sites[1:])


async def test_an_edit_link_can_change_the_sites_without_a_password(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company(sites=2)
    before = await sandbox.connect(company, sites[:1])
    await user.open(f"/p/connect/{before['publicCompanyId']}/workflow/{before['connectionMagicLinkSecret']}")
    assert (await user.press("Keep the saved sign-in and change sites or types only")).step == "settings"
    assert (await user.press("Save changes", sites=sites)).step == "done"
    (after,) = await connections_of(sandbox, company)
    assert (after["status"], after["initialSites"]) == ("CONNECTED", sites)


async def test_an_edit_invitation_counts_its_use_when_the_new_password_works(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, sites = await sandbox.company()
    before = await sandbox.connect(company, sites, password="old")
    invitation = await sandbox.post(f"/invitation/connection/{before['id']}", {"maxUses": 1})
    await user.open(invitation["invitationUrl"])
    await user.sign_in("wrong")
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["useCount"] == 0
    await user.sign_in()
    assert (await user.press("Save changes")).step == "done"
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["status"] == "FULFILLED"
    assert [made["id"] for made in await connections_of(sandbox, company)] == [before["id"]]


async def test_an_invitation_with_allowed_emails_starts_with_the_address(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    prefill = {"url": GUIDE["url"], "connectionOwnerEmail": "ada@example.com", "utilityTypes": ["GAS"]}
    invitation = await invitation_of(sandbox, company, allowedEmails=["ada@example.com"], maxUses=1, prefill=prefill)
    assert (await user.open(invitation["invitationUrl"])).step == "email"
    assert 'id="email-wrong"' in (await user.press("Confirm", email="mallory@example.com")).source
    assert (await user.press("Confirm", email="Ada@example.com ")).step == "credentials"
    settings = await user.sign_in()
    assert settings.form.values["ownerEmail"] == ["ada@example.com"]
    assert settings.form.values["types"] == ["GAS"]
    assert (await user.connect()).step == "done"
    log = (await sandbox.get(f"/invitation/{invitation['id']}"))["events"]
    assert [entry["type"] for entry in log] == ["VIEWED", "EMAIL_VERIFIED", "USED"]
