"""What users and hosts do with connections: connect, leave it ambiguous, claim, break, reconnect, repair."""

from typing import Any

from tests.support.people import WRONG, FramePage, TopPage, User
from tests.support.sandbox_client import Wire
from tests.support.sandbox_person import Person
from tests.support.services import RunningServices


async def connect_at(street: RunningServices, url: str) -> None:
    person = Person(street.sandbox)
    await person.open(url)
    await person.choose_provider()
    await person.sign_in()
    await person.connect()


async def ambiguous(street: RunningServices, ada: User, bob: User) -> tuple[Wire, FramePage, FramePage]:
    """A connection that could be Ada's or Bob's, and the two pages."""
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="magic_link")
    await hers.connect()
    await hers.finish()
    await street.later(150)
    (row,) = await street.rows("/v1/connections", attributed="false")
    return row, hers, his


async def claim(street: RunningServices, connection: Wire, session_id: str) -> Any:
    return await street.host.post(f"/v1/connections/{connection['id']}/claim", json={"sessionId": session_id})


async def broken(person: User, link: str = "invitation") -> Wire:
    """A connection of this person whose password was wrong."""
    page = await person.frame(link=link)
    await page.connect(WRONG)
    await page.finish()
    person.street.clock.advance(60)
    return await person.newest()


async def reconnecting(street: RunningServices, connection: Wire, **fields: Any) -> FramePage:
    """The started page of a reconnect session that the host has asked for."""
    body = {"origin": "https://app.example.com", **fields}
    made = await street.post(f"/v1/connections/{connection['id']}/reconnect", body)
    await street.drain()
    page = FramePage(street, made)
    await page.start()
    return page


async def repair(page: FramePage | TopPage, *, button: str = "Save changes") -> Person:
    """Sign in again on the provider's page behind the link, with what is right now."""
    person = Person(page.street.sandbox)
    await person.open(str((await page.view())["link"]["url"]))
    if person.screen.step == "credentials":
        await person.sign_in()
    if person.screen.step == "settings":
        await person.press(button)
    assert person.screen.step == "done", person.screen.source
    return person
