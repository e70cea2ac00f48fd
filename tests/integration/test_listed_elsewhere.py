"""A connection that the provider lists for another company too, as a mistaken filter would."""

from typing import Any

import httpx
import pytest

from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import FramePage, User


async def list_for(services: RunningServices, page: FramePage, connection: JsonObject, **fields: Any) -> str:
    """From now on the list of the page's company, whose id it returns, has this connection too."""
    company = str((await page.stored())["company"]["id"])
    whole: JsonObject = await services.sandbox.get(f"/connection/{connection['id']}/details")

    def add(request: httpx.Request, body: Any) -> Any:
        if request.url.path.endswith(f"/company/{company}/connection"):
            body["connections"].append(whole | {"status": "WEBSITE_DOWN"} | fields)
        return body

    services.outgoing.reshape = add
    return company


@pytest.mark.parametrize("link", ["invitation", "magic_link"])
async def test_it_stays_with_the_company_that_it_names(
    services: RunningServices, ada: User, mallory: User, link: str
) -> None:
    connection = await ada.connected(link=link)
    page = await mallory.frame(link="magic_link")
    await list_for(services, page, connection)
    await page.finish()
    await services.later(60)
    (kept,) = await ada.connections()
    for name in ("id", "company", "evidence", "sessionId", "status"):
        assert kept[name] == connection[name], name
    assert await mallory.connections() == []
    assert (await page.stored())["connections"] == []


async def test_one_that_names_the_other_company_has_moved_there_and_keeps_its_owner(
    services: RunningServices, ada: User, mallory: User
) -> None:
    connection = await ada.connected()
    page = await mallory.frame(link="magic_link")
    company = await list_for(services, page, connection, company=None)
    await page.finish()
    (moved,) = await ada.connections()
    assert (moved["company"]["id"], moved["status"]) == (company, "WEBSITE_DOWN")
    assert await mallory.connections() == []
