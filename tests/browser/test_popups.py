"""The recipe of docs/integrate.md for popups: the redirect flow in a window that the host's page opened."""

import json
from urllib.parse import quote

from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import FlowPage, NewUser
from tests.support.documents import examples


def _page(other_host: str, script: str) -> str:
    return f"{other_host}/content?{quote(f'<body><button>Connect</button><script>{script}</script>', safe='')}"


async def test_the_popup_tells_the_page_that_opened_it_and_closes(new_user: NewUser, api: Api, other_host: str) -> None:
    opens, returns = examples("integrate.md", "Popups")
    session = await api.create("ada", "popup", origin=None, returnUrl=_page(other_host, returns))
    opens = opens.replace("console.log(data)", "document.body.append(data)").replace(
        "window.open", "popup = window.open"
    )
    opened = f"var popup; const redirectUrl = {json.dumps(session['redirectUrl'])};"
    user = await new_user()
    await user.page.goto(_page(other_host, f"{opened} document.querySelector('button').onclick = () => {{ {opens} }};"))
    async with user.page.expect_popup() as popups:
        await user.press("Connect")
    popup = await popups.value
    flow = FlowPage(popup)
    await flow.press("Continue")
    await flow.provider.step("provider").wait_for()
    assert await user.page.evaluate("window.popup.closed") is True  # as the document says
    assert await popup.evaluate("window.opener") is None
    async with popup.expect_event("close"):
        await flow.provider.connect()
    await expect(user.page.get_by_text("returned")).to_be_visible()
    assert (await api.session(session["id"]))["status"] == "connected"
