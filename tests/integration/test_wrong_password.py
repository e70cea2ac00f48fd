"""A wrong password is one connection that needs attention; corrected, it is the same one and works."""

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser
from tests.support.services import RunningServices
from tests.support.users import WRONG, User


async def test_a_wrong_password_connects_nothing_and_says_whose_turn_it_is(ada: User) -> None:
    page = await ada.frame()
    await page.connect(WRONG)
    view = await page.finish()
    assert view["status"] == "opened"
    (shown,) = view["connections"]
    assert (shown["status"], shown["needsAttention"]) == ("PASSWORD_INCORRECT", True)
    connection = await ada.newest()
    assert (connection["status"], connection["providerStatus"]) == ("PASSWORD_INCORRECT", "INCORRECT_PASSWORD")
    assert connection["needsAttention"] is True
    reported = await page.event_types()
    assert reported[-4:] == ["connection.recorded", "connection.needs_attention", *["session.progress"] * 2]
    assert "session.connected" not in reported


async def test_the_event_names_the_call_that_reconnects_it_and_no_address(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect(WRONG)
    await page.finish()
    (event,) = [e for e in await services.rows("/v1/events", limit=100) if e["type"] == "connection.needs_attention"]
    call = f"POST /v1/connections/{event['connectionId']}/reconnect"
    assert event["data"] == {"status": "PASSWORD_INCORRECT", "state": "action_needed", "reconnect": call}
    assert "http" not in str(event["data"])


@pytest.mark.parametrize("link", ["invitation", "magic_link"])
async def test_corrected_on_the_providers_page_it_is_the_same_connection_and_works(
    services: RunningServices, ada: User, link: str
) -> None:
    page = await ada.frame(link=link)
    user = await page.connect(WRONG)
    await page.finish()
    before = await ada.newest()
    services.clock.advance(10)
    await user.sign_in()
    await user.connect()
    view = await page.finish()
    assert view["status"] == "connected"
    (connection,) = await ada.connections()
    assert (connection["id"], connection["status"]) == (before["id"], "CONNECTED")
    assert connection["needsAttention"] is False
    reported = await page.event_types()
    assert reported.count("connection.recorded") == 1
    assert reported.count("connection.needs_attention") == 1
    assert reported[-2:] == ["connection.updated", "session.connected"]


async def test_a_password_corrected_before_the_poll_emits_no_attention_event(ada: User) -> None:
    page = await ada.frame()
    user = await page.connect(WRONG)
    await user.sign_in()
    await user.connect()
    assert (await page.finish())["status"] == "connected"
    assert "connection.needs_attention" not in await page.event_types()


async def test_the_redirect_flow_goes_back_with_the_truth(ada: User) -> None:
    page = await ada.browser()
    await page.connect(WRONG)
    answer = await page.finish()
    assert "status=opened" in answer.headers["location"]
    connection = await ada.newest()
    assert f"connectionId={connection['id']}" in answer.headers["location"]


@pytest.mark.parametrize("word", ["INCORRECT_PASSWORD", "PASSWORD_INCORRECT"])
async def test_both_spellings_are_one_status_and_the_filter_takes_both(
    clock: Clock, database_url: str, word: str
) -> None:
    services = RunningServices(clock, database_url, sandbox={"wrong_password_status": word})
    await services.open()
    ada = User(services, "ada")
    page = await ada.frame()
    await page.connect(WRONG)
    await page.finish()
    connection = await ada.newest()
    assert (connection["status"], connection["providerStatus"]) == ("PASSWORD_INCORRECT", word)
    for asked in ("INCORRECT_PASSWORD", "PASSWORD_INCORRECT"):
        assert [one["id"] for one in await services.rows("/v1/connections", status=asked)] == [connection["id"]]
    await services.close()


async def test_nothing_is_there_before_a_code_that_is_asked_for_was_given(services: RunningServices, ada: User) -> None:
    await services.sandbox.trouble("mfa")
    page = await ada.frame()
    user = ProviderUser(services.sandbox)
    await user.open((await page.view())["link"]["url"])
    await user.choose_provider()
    await user.sign_in()
    assert user.screen.step == "mfa"
    assert (await page.finish())["status"] == "opened"
    assert await ada.connections() == []
    await user.press("Verify", code="424242")
    await user.connect()
    assert (await page.finish())["status"] == "connected"
    assert (await ada.newest())["status"] == "CONNECTED"


@pytest.mark.parametrize("status", ["NEW_PASSWORD_NEEDED", "ADDITIONAL_CREDENTIALS_NEEDED", "MFA_TOKEN_EXPIRED"])
async def test_a_status_that_only_the_user_can_mend_raises_attention_later_too(
    services: RunningServices, ada: User, status: str
) -> None:
    connection = await ada.connected()
    services.clock.advance(30)
    await services.sandbox.trouble("status_change", status=status, companyId=connection["company"]["id"])
    await services.deliver_webhooks()
    changed = await ada.newest()
    assert (changed["status"], changed["needsAttention"]) == (status, True)
    reported = await services.event_types()
    assert reported.count("connection.needs_attention") == 1
    assert (await services.get(f"/v1/sessions/{connection['sessionId']}"))["status"] == "connected"


@pytest.mark.parametrize("status", ["PENDING", "URL_INACCESSIBLE", "WEBSITE_DOWN", "UNDER_INVESTIGATION"])
async def test_a_status_that_is_the_providers_turn_raises_none(
    services: RunningServices, ada: User, status: str
) -> None:
    connection = await ada.connected()
    services.clock.advance(30)
    answer = await services.sandbox.plain("PUT", "/_control/troubles/status_change", json={"status": status})
    assert answer.status_code == 200, answer.text
    await services.deliver_webhooks()
    changed = await ada.newest()
    assert (changed["id"], changed["status"], changed["needsAttention"]) == (connection["id"], status, False)
