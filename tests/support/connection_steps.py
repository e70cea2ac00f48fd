"""What users and hosts do with connections: connect, leave it ambiguous, claim, break, reconnect, repair."""

from typing import Any

from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import GUIDE, JsonObject
from tests.support.services import RunningServices
from tests.support.users import WRONG, FramePage, TopPage, User


async def connect_at(services: RunningServices, url: str) -> None:
    user = ProviderUser(services.sandbox)
    await user.open(url)
    await user.choose_provider()
    await user.sign_in()
    await user.connect()


async def ambiguous(
    services: RunningServices, ada: User, bob: User, password: str = GUIDE["password"]
) -> tuple[JsonObject, FramePage, FramePage]:
    """A connection that could be Ada's or Bob's, and the two pages."""
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="magic_link")
    await hers.connect(password)
    await hers.finish()
    await services.later(150)
    (row,) = await services.rows("/v1/connections", attributed="false")
    return row, hers, his


async def claim(services: RunningServices, connection: JsonObject, session_id: str) -> Any:
    return await services.host.post(f"/v1/connections/{connection['id']}/claim", json={"sessionId": session_id})


async def broken(user: User, link: str = "invitation") -> JsonObject:
    """A connection of this person whose password was wrong."""
    page = await user.frame(link=link)
    await page.connect(WRONG)
    await page.finish()
    user.services.clock.advance(60)
    return await user.newest()


async def reconnecting(services: RunningServices, connection: JsonObject, **fields: Any) -> FramePage:
    """The started page of a reconnect session that the host has asked for."""
    body = {"origin": "https://app.example.com", **fields}
    made = await services.post(f"/v1/connections/{connection['id']}/reconnect", body)
    await services.drain()
    page = FramePage(services, made)
    await page.start()
    return page


async def repair(page: FramePage | TopPage, *, button: str = "Save changes") -> ProviderUser:
    """Sign in again on the provider's page behind the link, with what is right now."""
    user = ProviderUser(page.services.sandbox)
    await user.open(str((await page.view())["link"]["url"]))
    if user.screen.step == "credentials":
        await user.sign_in()
    if user.screen.step == "settings":
        await user.press(button)
    assert user.screen.step == "done", user.screen.source
    return user
