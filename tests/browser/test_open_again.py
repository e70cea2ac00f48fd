"""`MagicLink.open` while an earlier flow of the same address is being closed."""

from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser

CLOSE_AND_OPEN = """(url) => {
    window.flow.close();
    return new Promise((opened) => {
        window.flow = MagicLink.open({ url, onOpen: () => opened(null) });
    });
}"""


async def test_open_right_after_close_begins_another_flow_and_the_first_one_says_goodbye(
    new_user: NewUser, api: Api
) -> None:
    """As a component does that is drawn again with other handlers."""
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "open-again")
    flow = await ada.open(session)
    await flow.opens()
    await ada.page.evaluate(CLOSE_AND_OPEN, session["embedUrl"])
    await expect(ada.page.locator("dialog.magiclink")).to_have_count(1)
    assert (await ada.message_types())[-1] == "exit"
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
