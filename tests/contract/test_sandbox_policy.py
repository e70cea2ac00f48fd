"""The hosted pages in a browser: framing, policy, labels, and redirects."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, Sandbox, with_webhooks


async def test_by_default_the_last_page_never_redirects(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    link = await link_of(sandbox, company, url=GUIDE["url"], redirect_uri="https://app.example/back", state="s")
    await user.open(f"{link}?redirect_uri=https://app.example/back&state=s")
    await user.sign_in()
    done = await user.connect()
    assert (done.status, done.step) == (200, "done")
    assert "app.example" not in done.headers["content-security-policy"]
    assert 'href="https://app.example' not in done.source


@pytest.mark.parametrize("target", ["javascript:alert(1)", "https://a.example;script-src *", "https://;x"])
async def test_an_unsafe_redirect_uri_is_ignored(clock: Clock, target: str) -> None:
    sandbox = Sandbox(clock, redirects=True)
    company, _ = await sandbox.company()
    path = urlsplit(await link_of(sandbox, company)).path
    answer = await sandbox.plain("GET", path, params={"redirect_uri": target})
    assert answer.headers["content-security-policy"].endswith("form-action 'self'")


async def test_the_older_addresses_redirect_to_the_newer_ones(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    link = await sandbox.post(f"/company/{company}/connection/link")
    for known in (company, made["publicCompanyId"]):
        older = f"/create-datasource/magic-link/{known}/{link['companyMagicLinkSecret']}"
        for path in (f"{older}/connect", older):
            answer = await sandbox.plain("GET", path)
            assert answer.status_code == 302
            assert answer.headers["location"] == urlsplit(link["magicLinkUrl"]).path


async def test_the_pages_may_be_framed_unless_the_trouble_forbids_it(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    url = await link_of(sandbox, company)
    open_page = await user.open(url)
    assert "x-frame-options" not in open_page.headers
    assert "frame-ancestors" not in open_page.headers["content-security-policy"]
    await sandbox.trouble("framing_refused", companyId=company, times=1)
    assert (await user.open(url)).headers["x-frame-options"] == "DENY"
    assert "x-frame-options" not in (await user.open(url)).headers


async def test_every_page_has_a_strict_policy_and_no_cookie(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    url = await link_of(sandbox, company, url=GUIDE["url"])
    for screen in (await user.open(url), await user.sign_in(), await user.connect(), await user.open("/p/i/x")):
        policy = screen.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action")
        assert screen.headers["cache-control"] == "no-store"
        assert "set-cookie" not in screen.headers
        assert screen.tags["script"] == screen.tags["style"] == 0
        assert "Sandbox: sample data only" in screen.text


async def test_every_field_has_a_label_and_every_page_one_heading(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company, allowedEmails=["ada@example.com"])
    await sandbox.trouble("mfa", companyId=company)
    seen = set()
    for screen in (
        await user.open(invitation["invitationUrl"]),
        await user.press("Confirm", email="ada@example.com"),
        await user.choose_provider(),
        await user.sign_in(),
        await user.press("Verify", code="123456"),
    ):
        assert set(screen.named) <= screen.labels
        assert (screen.tags["h1"], screen.tags["main"]) == (1, 1)
        assert 'lang="en"' in screen.source
        seen |= set(screen.named.values())
    assert {"url", "country", "username", "password", "sites", "ownerEmail"} <= seen


async def test_names_from_outside_are_shown_as_text(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company("<script>alert(1)</script>")
    screen = await user.open(await link_of(sandbox, company))
    assert screen.tags["script"] == 0
    assert "<script>alert(1)</script>" in screen.text
    assert (await user.press("Continue", url='"><script>', country="US")).tags["script"] == 0


@pytest.mark.parametrize("where", ["body", "address"])
async def test_with_redirects_on_the_last_page_returns_with_state_and_connection(clock: Clock, where: str) -> None:
    sandbox = Sandbox(clock, redirects=True)
    user = ProviderUser(sandbox)
    company, _ = await sandbox.company()
    target = {"redirect_uri": "https://app.example:8443/back?keep=1", "state": "a b&c"}
    link = await link_of(sandbox, company, url=GUIDE["url"], **(target if where == "body" else {}))
    query = "" if where == "body" else "?redirect_uri=https%3A//app.example%3A8443/back%3Fkeep%3D1&state=a%20b%26c"
    screen = await user.open(link + query)
    assert screen.headers["content-security-policy"].endswith("form-action 'self' https://app.example:8443")
    await user.sign_in()
    form = user.screen.form
    answer = await sandbox.plain("POST", form.action, data=form.values)
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    (made,) = await connections_of(sandbox, company)
    assert (back.netloc, back.path) == ("app.example:8443", "/back")
    assert parse_qs(back.query) == {"keep": ["1"], "state": ["a b&c"], "connectionId": [made["id"]]}


async def test_the_pages_changes_are_sent_as_webhooks(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    user = ProviderUser(sandbox)
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in("wrong")
    await user.sign_in()
    await user.connect()
    await sandbox.deliver_webhooks(3)
    sent = [event for event in sandbox.events() if event.startswith("connection.created")]
    assert sent == ["connection.created.v2"]
    assert {received.body["status"] for received in sandbox.received} >= {"INCORRECT_PASSWORD", "CONNECTED"}
