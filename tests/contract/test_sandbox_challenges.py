"""What a utility asks for besides the password: codes, security questions, and managed forwarding."""

import re

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser, connections_of, invitation_of, link_of
from tests.support.sandbox_client import GUIDE, Sandbox, with_webhooks

HOUR = 3600
ADDRESS = re.compile(r"mfa-[0-9a-f]{12}@codes\.nectar-sandbox\.example")


async def set_up_forwarding(user: ProviderUser) -> str:
    """Enter an own address and confirm the generated one; return that."""
    assert user.screen.step == "forwarding"
    shown = await user.press("Show the address", forwardTo="ada@example.com")
    assert shown.step == "forwarding-address"
    await user.press("Update", configured="yes")
    (address,) = ADDRESS.findall(shown.source)
    return str(address)


async def statuses(sandbox: Sandbox, company: str) -> list[str]:
    return [made["status"] for made in await connections_of(sandbox, company)]


@pytest.mark.parametrize("entered", ["", "nobody", "a@b"])
async def test_a_wrong_own_address_is_an_error_at_its_field(sandbox: Sandbox, user: ProviderUser, entered: str) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.sign_in()).step == "forwarding"
    screen = await user.press("Show the address", forwardTo=entered)
    assert (screen.step, 'id="forwardTo-wrong"' in screen.source) == ("forwarding", True)
    assert ADDRESS.findall(screen.source) == []


async def test_an_address_that_is_not_ticked_as_configured_is_not_taken(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await user.press("Show the address", forwardTo="ada@example.com")
    screen = await user.press("Update")
    assert (screen.step, 'id="configured-wrong"' in screen.source) == ("forwarding-address", True)
    assert await connections_of(sandbox, company) == []


async def test_forwarding_at_onboarding_is_pending_and_then_what_the_check_finds(
    sandbox: Sandbox, user: ProviderUser
) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await sandbox.trouble("pending_for", companyId=company, hours=48)
    invitation = await invitation_of(sandbox, company, maxUses=1, prefill={"url": GUIDE["url"]})
    await user.open(invitation["invitationUrl"])
    await user.sign_in()
    await set_up_forwarding(user)
    assert await connections_of(sandbox, company) == []
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["useCount"] == 0
    assert user.screen.step == "settings"
    assert "Handed over" in (await user.connect()).text
    assert await statuses(sandbox, company) == ["PENDING"]
    sandbox.clock.advance(48 * HOUR)
    assert await statuses(sandbox, company) == ["CONNECTED"]


async def test_no_webhook_of_forwarding_says_that_codes_are_missing(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    user = ProviderUser(sandbox)
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await set_up_forwarding(user)
    await user.connect()
    clock.advance(2 * HOUR)
    await sandbox.deliver_webhooks()
    assert [received.body["status"] for received in sandbox.received] == ["PENDING", "CONNECTED", "CONNECTED"]


async def test_the_page_stays_open_while_the_user_is_at_the_utility(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    shown = await user.press("Show the address", forwardTo="ada@example.com")
    assert "Keep this page open" in shown.text
    sandbox.clock.advance(55 * 60)
    again = await user.reload()
    assert ADDRESS.findall(again.source) == ADDRESS.findall(shown.source)
    assert (await user.press("Update", configured="yes")).step == "settings"


async def test_each_connection_has_an_address_of_its_own_and_keeps_it(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    addresses = []
    for made in [await sandbox.connect(company, sites) for _ in range(2)]:
        for _ in range(2):
            await sandbox.plain("PUT", f"/_control/connections/{made['id']}?status=MFA_TOKEN_EXPIRED")
            await user.open((await sandbox.post(f"/invitation/connection/{made['id']}"))["invitationUrl"])
            addresses.append(await set_up_forwarding(user))
    assert addresses[0] == addresses[1] != addresses[2] == addresses[3]


async def test_a_seed_gives_the_same_addresses_in_every_run(clock: Clock) -> None:
    async def run() -> str:
        sandbox = Sandbox(clock, seed="one")
        user = ProviderUser(sandbox)
        company, _ = await sandbox.company()
        await sandbox.trouble("mfa_forwarding")
        await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
        await user.sign_in()
        return await set_up_forwarding(user)

    assert await run() == await run()


@pytest.mark.parametrize("trouble", ["mfa", "mfa_forwarding"])
async def test_reconnecting_after_an_mfa_error_sets_up_forwarding_without_a_password(
    sandbox: Sandbox, user: ProviderUser, trouble: str
) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble(trouble, companyId=company, times=1)
    before = await sandbox.connect(company, sites)
    assert before["status"] == "MFA_TOKEN_EXPIRED"
    invitation = await sandbox.post(f"/invitation/connection/{before['id']}", {"maxUses": 1})
    screen = await user.open(invitation["invitationUrl"])
    assert 'type="password"' not in screen.source
    await set_up_forwarding(user)
    assert (user.screen.step, await statuses(sandbox, company)) == ("done", ["PENDING"])
    assert (await sandbox.get(f"/invitation/{invitation['id']}"))["useCount"] == 1
    sandbox.clock.advance(2 * HOUR)
    (after,) = await connections_of(sandbox, company)
    assert (after["id"], after["status"]) == (before["id"], "CONNECTED")


@pytest.mark.parametrize("step", ["forwarding", "forwarding-address"])
async def test_a_reconnect_can_switch_mfa_off_at_either_page(sandbox: Sandbox, user: ProviderUser, step: str) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    await sandbox.plain("PUT", f"/_control/connections/{made['id']}?status=MFA_TOKEN_EXPIRED")
    await user.open((await sandbox.post(f"/invitation/connection/{made['id']}"))["invitationUrl"])
    if step == "forwarding-address":
        await user.press("Show the address", forwardTo="ada@example.com")
    assert (await user.press("I have switched the codes off at the utility")).step == "done"
    assert await statuses(sandbox, company) == ["PENDING"]
    sandbox.clock.advance(2 * HOUR)
    assert await statuses(sandbox, company) == ["CONNECTED"]


async def test_onboarding_has_no_way_to_switch_mfa_off(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    flow = user.screen.form.values["flow"]
    assert "switched the codes off" not in user.screen.text
    assert (await user.post(user.screen.form.action, {"step": "mfa-off", "flow": flow})).step == "forwarding"


async def test_the_code_is_asked_for_in_the_sign_in_only(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    await sandbox.trouble("mfa", companyId=company)
    made = await sandbox.connect(company, sites, password="wrong")
    await user.open((await sandbox.post(f"/invitation/connection/{made['id']}"))["invitationUrl"])
    assert (await user.sign_in()).step == "mfa"
    assert (await user.press("Verify", code="123 456")).step == "settings"
    assert (await user.press("Save changes")).step == "done"
    assert await statuses(sandbox, company) == ["CONNECTED"]


async def test_security_questions_need_answers_in_their_exact_spelling(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("security_questions", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.sign_in()).step == "questions"
    screen = await user.press("Answer", answer1="biscuit", answer2="Honey Lane")
    assert ('id="answer1-wrong"' in screen.source, 'id="answer2-wrong"' in screen.source) == (True, False)
    assert screen.form.values["answer1"] == [""]
    assert (await user.press("Answer", answer1="Biscuit", answer2="Honey Lane")).step == "settings"
    assert (await user.connect()).step == "done"
    assert await statuses(sandbox, company) == ["CONNECTED"]


async def test_the_api_cannot_answer_what_a_utility_asks(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    for trouble, status in (
        ("mfa", "MFA_TOKEN_EXPIRED"),
        ("mfa_forwarding", "MFA_TOKEN_EXPIRED"),
        ("security_questions", "ADDITIONAL_CREDENTIALS_NEEDED"),
    ):
        await sandbox.trouble(trouble, times=1)
        made = await sandbox.connect(company, sites, given=["mfa", "mfa_forwarding", "security_questions"])
        assert made["status"] == status


async def test_several_challenges_are_asked_one_after_the_other(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    for trouble in ("mfa", "security_questions", "mfa_forwarding"):
        await sandbox.trouble(trouble, companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    assert (await user.sign_in()).step == "mfa"
    assert (await user.press("Verify", code="123456")).step == "questions"
    assert (await user.press("Answer", answer1="Biscuit", answer2="Honey Lane")).step == "forwarding"
    await set_up_forwarding(user)
    assert (await user.connect()).step == "done"
    assert await statuses(sandbox, company) == ["PENDING"]


async def test_questions_that_start_only_at_the_end_are_asked_then(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await sandbox.trouble("security_questions", companyId=company)
    assert (await user.connect()).step == "questions"
    await user.press("Answer", answer1="Biscuit", answer2="Honey Lane")
    assert (await user.connect()).step == "done"
    assert await statuses(sandbox, company) == ["CONNECTED"]


async def test_answers_and_codes_are_not_in_the_journal(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("security_questions", companyId=company)
    await sandbox.trouble("mfa", companyId=company)
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    await user.sign_in()
    await user.press("Verify", code="424242")
    await user.press("Answer", answer1="Biscuit", answer2="Honey Lane")
    journal = (await sandbox.plain("GET", "/_control/requests")).text
    assert not any(secret in journal for secret in ("424242", "Biscuit", "Honey Lane"))


async def test_a_custom_provider_asks_nothing_more(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("mfa_forwarding", companyId=company)
    await user.open(await link_of(sandbox, company, url="https://utility.example"))
    assert (await user.press("Sign in", username="ada", password="secret")).step == "settings"


async def test_a_challenge_cannot_be_answered_before_it_is_asked(sandbox: Sandbox, user: ProviderUser) -> None:
    company, _ = await sandbox.company()
    await user.open(await link_of(sandbox, company, url=GUIDE["url"]))
    settings = await user.sign_in()
    flow = settings.form.values["flow"]
    for early in ({"step": "mfa", "code": "123456"}, {"step": "forwarding-address", "configured": "yes"}):
        assert (await user.post(settings.form.action, {**early, "flow": flow})).step == "settings"
    await sandbox.trouble("mfa", companyId=company)
    assert (await user.connect()).step == "mfa"


async def test_a_reconnect_cannot_move_a_connection_to_another_provider(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites, password="wrong")
    screen = await user.open((await sandbox.post(f"/invitation/connection/{made['id']}"))["invitationUrl"])
    moved = {"step": "provider", "url": "https://utility.example", "country": "US"}
    assert (await user.post(screen.form.action, moved)).step == "credentials"
    await user.sign_in()
    await user.press("Save changes")
    assert [each["url"] for each in await connections_of(sandbox, company)] == [GUIDE["url"]]


async def test_a_reconnect_for_mfa_has_no_other_steps(sandbox: Sandbox, user: ProviderUser) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    await sandbox.plain("PUT", f"/_control/connections/{made['id']}?status=MFA_TOKEN_EXPIRED")
    screen = await user.open((await sandbox.post(f"/invitation/connection/{made['id']}"))["invitationUrl"])
    for step in ("provider", "credentials", "keep", "change", "settings"):
        data = {"step": step, **GUIDE, "password": "wrong", "country": "US", "sites": sites}
        assert (await user.post(screen.form.action, data)).step == "forwarding"
    assert await statuses(sandbox, company) == ["MFA_TOKEN_EXPIRED"]
