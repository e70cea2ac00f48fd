"""`MagicLink.open` beside what is there already: a flow that is being closed, and an element with the script's name."""

from urllib.parse import quote

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


async def test_an_element_of_the_host_with_the_scripts_name_does_not_stand_in_its_way(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    session = await api.create("ada", "named", origin=other_host)
    content = f"<body><div id=MagicLink></div><script src='{ada.services.service}/embed.js'></script>"
    await ada.page.goto(f"{other_host}/content?{quote(content)}")
    await ada.page.evaluate("(url) => { MagicLink.open({ url, container: '#MagicLink' }) }", session["embedUrl"])
    await ada.embedded.opens()
