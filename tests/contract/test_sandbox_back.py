"""Posts are answered by redirects: Back and reload show pages, and change nothing."""

from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, Sandbox


async def step_at(sandbox: Sandbox, address: str) -> str:
    """The step that the page at this address shows."""
    answer = await sandbox.plain("GET", address)
    assert answer.status_code == 200
    return answer.text.partition('data-step="')[2].partition('"')[0]


async def walk(sandbox: Sandbox, user: ProviderUser, company: str) -> dict[str, str]:
    """Every step of a new connection, with the address of its page."""
    addresses = {}
    await user.open(await link_of(sandbox, company))
    for press in (user.choose_provider, user.sign_in, user.connect):
        screen = await press()
        addresses[str(screen.step)] = user.address
    return addresses


@pytest.mark.parametrize("entered", [{}, {"url": ""}, {"url": "no such name"}])
async def test_every_form_is_answered_with_303_to_its_own_page(
    sandbox: Sandbox, user: ProviderUser, entered: dict[str, str]
) -> None:
    company, _ = await sandbox.company()
    screen = await user.open(f"{await link_of(sandbox, company, url=GUIDE['url'])}?trouble=slow")
    answer = await sandbox.plain("POST", screen.form.action, data={**screen.form.values, "step": "change", **entered})
    target = urlsplit(answer.headers["location"])
    assert (answer.status_code, answer.content) == (303, b"")
    assert (target.netloc, target.path) == ("", urlsplit(screen.form.action).path)
    query = parse_qs(target.query)
    assert (query["trouble"], query["step"], set(query)) == (["slow"], ["provider"], {"trouble", "flow", "step"})


async def test_a_reload_repeats_nothing(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company, maxUses=1)
    await user.open(invitation["invitationUrl"])
    for press in (user.choose_provider, partial(user.sign_in, "wrong"), user.sign_in, user.connect):
        shown = await press()
        for _ in range(2):
            assert (await user.reload()).source == shown.source
    assert len(await connections_of(sandbox, company)) == 1
    used = await sandbox.get(f"/invitation/{invitation['id']}")
    assert (used["useCount"], used["status"]) == (1, "FULFILLED")
    assert [entry["type"] for entry in used["events"]] == ["VIEWED", "USED"]


async def test_back_shows_earlier_steps_and_going_on_from_there_works(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider()
    credentials = user.address
    await user.sign_in()
    settings = user.address
    provider = credentials.replace("step=credentials", "step=provider")
    assert [await step_at(sandbox, each) for each in (settings, credentials, provider, settings)] == [
        "settings",
        "credentials",
        "provider",
        "settings",
    ]
    await user.open(provider)
    assert user.screen.form.values["url"] == [GUIDE["url"]]
    await user.choose_provider("https://utility.example")
    await user.press("Sign in", username="ada", password="secret")
    await user.connect()
    assert [made["url"] for made in await connections_of(sandbox, company)] == ["https://utility.example"]


async def test_after_the_end_back_shows_the_end(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    addresses = await walk(sandbox, user, company)
    assert addresses.keys() == {"credentials", "settings", "done"}
    for address in addresses.values():
        assert await step_at(sandbox, address) == "done"
    assert len(await connections_of(sandbox, company)) == 1


@pytest.mark.parametrize("step", ["settings", "done", "mfa", "forwarding-address", "email", "change", "nonsense", ""])
async def test_no_address_skips_a_step(sandbox: Sandbox, user: ProviderUser, step: str) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider()
    address = user.address.replace("step=credentials", f"step={step}")
    assert await step_at(sandbox, address) == "credentials"


async def test_an_error_is_shown_on_its_own_step_only(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider()
    assert "did not accept" in (await user.sign_in("wrong")).text
    refused = user.address
    assert "did not accept" not in (await user.open(refused.replace("step=credentials", "step=provider"))).text
    assert "did not accept" in (await user.open(refused)).text


async def test_a_flow_that_is_gone_starts_again_and_says_so(sandbox: Sandbox, user: ProviderUser, clock: Clock) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider()
    clock.advance(3601)
    screen = await user.reload()
    assert (screen.step, "start again" in screen.text) == ("provider", True)


async def test_a_flow_is_shown_through_its_own_link_only(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company))
    await user.choose_provider()
    other = urlsplit(await link_of(sandbox, company)).path
    assert await step_at(sandbox, f"{other}?{urlsplit(user.address).query}") == "provider"


async def test_a_closed_link_is_closed_for_its_later_pages_too(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    invitation = await invitation_of(sandbox, company)
    await user.open(invitation["invitationUrl"])
    await user.choose_provider()
    await sandbox.post(f"/invitation/{invitation['id']}/revoke")
    assert (await user.reload()).status == 410


async def test_the_dashboards_wizard_redirects_too(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    screen = await user.open(f"/dashboard/companies/{company}/connect")
    answer = await sandbox.plain("POST", screen.form.action, data={**screen.form.values, **GUIDE, "country": "US"})
    assert answer.status_code == 303
    assert await step_at(sandbox, answer.headers["location"]) == "credentials"


async def test_with_redirects_on_only_the_last_form_leaves(clock: Clock) -> None:
    sandbox = Sandbox(clock, redirects=True)
    user = ProviderUser(sandbox)
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, redirect_uri="https://app.example/back", state="s"))
    await user.choose_provider()
    await user.sign_in()
    settings = user.address
    await user.connect()
    assert user.last.headers["location"].startswith("https://app.example/back?state=s&connectionId=")
    assert await step_at(sandbox, settings) == "done"
