"""The flow in a frame of the host's page, from the first button to the bills."""

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser

pytestmark = pytest.mark.with_bills


async def test_an_invitation_in_a_dialog_ends_with_the_account_and_its_bills(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user()).sign_in("Ada Byron")
    flow = await ada.connect("Invitation")
    session_id = await flow.session_id()
    await flow.provider.connect("Headquarters", "Warehouse")
    await flow.shows("Your account is connected.")
    await flow.press("Done")
    await expect(ada.page.locator("dialog")).to_have_count(0)
    await expect(ada.page.get_by_role("status").first).to_have_text(
        "Your utility account is connected. Its bills appear below in a few moments."
    )
    connection = await api.only_connection(session_id)
    assert (connection["userId"], connection["sessionId"], connection["status"]) == ("ada", session_id, "CONNECTED")
    assert connection["evidence"]["kind"] == "invitation"
    await expect(ada.page.locator(f"[data-connection-id='{connection['id']}']")).to_contain_text("Connected")
    await expect(ada.page.get_by_role("img", name="Electricity by month")).to_be_visible()


async def test_a_magic_link_in_the_page_is_recorded_for_the_only_one_who_could_be_meant(
    new_user: NewUser, api: Api
) -> None:
    mallory = await (await new_user()).sign_in("Mallory Reed")
    flow = await mallory.connect("Magic link", "In this page")
    session_id = await flow.session_id()
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    connection = await api.only_connection(session_id)
    assert connection["userId"] == "mallory"
    assert connection["evidence"]["kind"] == "sole_candidate"
    assert connection["evidence"]["presumed"] is True
    await expect(flow.where.get_by_role("button", name="Connect another account")).to_be_visible()
    await flow.press("Done")
    await expect(mallory.page.locator("#inline")).to_be_hidden()
    await expect(mallory.page.get_by_role("button", name="Connect a utility account", exact=True)).to_be_focused()


@pytest.mark.whole_chromium
async def test_the_page_shows_no_control_beside_the_dialogs_own_close_button(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    """The host page may be too busy to take its button away; one without our script has none, and says nothing."""
    ada = await new_user()
    await ada.page.clock.install(time=0)
    await ada.page.clock.pause_at(1000)
    session = await api.create("ada", "busy-host", origin=other_host)
    await ada.page.goto(f"{other_host}/?{session['embedUrl']}")
    await ada.embedded.shows("Preparing a secure page")
    await ada.page.clock.run_for(600)  # by now it does not wait for what the host page may have kept
    await ada.embedded.provider.step("provider").wait_for()
    leave = ada.embedded.where.get_by_role("button", name="Leave")
    await expect(leave).to_be_hidden()
    await ada.page.clock.run_for(900)
    await expect(leave).to_be_visible()
