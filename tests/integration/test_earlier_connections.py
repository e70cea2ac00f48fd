"""What a company had before its first session here is not ours; everything after it is, whatever the clocks say."""

from typing import Any

import httpx

from tests.support.sandbox_client import GUIDE, JsonObject
from tests.support.services import RunningServices
from tests.support.users import FramePage, User


async def known_company(services: RunningServices) -> JsonObject:
    """A company that the provider knew before us, with one connection."""
    company: JsonObject = await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    await connected_elsewhere(services, company)
    return company


async def connected_elsewhere(services: RunningServices, company: JsonObject) -> JsonObject:
    """A connection that was made without any link of ours."""
    site: Any = await services.sandbox.post(f"/company/{company['id']}/site", {"name": "Old mill"})
    made: JsonObject = await services.sandbox.post(
        f"/company/{company['id']}/connection", GUIDE | {"sites": [site["id"]]}
    )
    return made


async def test_a_connection_from_before_the_first_session_is_not_recorded(services: RunningServices, ada: User) -> None:
    await known_company(services)
    made = await ada.connected()
    assert [row["id"] for row in await services.rows("/v1/connections")] == [made["id"]]


async def test_neither_is_it_where_the_provider_thinks_that_it_was_made_later(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.trouble("clock_skew", seconds=600)
    await known_company(services)
    await services.sandbox.trouble("clock_skew", seconds=0)
    made = await ada.connected()
    assert [row["id"] for row in await services.rows("/v1/connections")] == [made["id"]]


async def test_what_is_made_elsewhere_after_it_is_recorded_without_an_owner(
    services: RunningServices, ada: User
) -> None:
    company = await known_company(services)
    await ada.connected()
    made = await connected_elsewhere(services, company)
    await services.later(86400)
    (row,) = await services.rows("/v1/connections", attributed="false")
    assert row["id"] == made["id"]


async def test_what_a_magic_link_makes_is_recorded_though_the_providers_clock_was_set_back(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.trouble("clock_skew", seconds=600)
    page = await ada.frame(link="magic_link")
    await services.sandbox.trouble("clock_skew", seconds=0)
    await page.connect()
    await page.finish()
    (row,) = await services.rows("/v1/connections")
    assert row["provider"]["url"] == GUIDE["url"]


async def test_neither_is_one_whose_id_could_not_be_read_when_its_company_was_first_listed(
    services: RunningServices, ada: User
) -> None:
    await known_company(services)
    services.clock.advance(600)
    services.outgoing.reshape = _without_ids
    made = await ada.session(link="magic_link")
    services.outgoing.reshape = None
    page = FramePage(services, made)
    await page.start()
    await page.connect()
    await page.finish()
    (row,) = await services.rows("/v1/connections")
    assert row["sessionId"] == page.id


async def test_one_whose_id_could_not_be_read_at_first_is_listed_again_before_the_first_link(
    services: RunningServices, ada: User
) -> None:
    await known_company(services)
    read = []

    def without_ids_once(request: httpx.Request, body: Any) -> Any:
        if not isinstance(body, dict) or not body.get("connections"):
            return body
        read.append(request.url.path)
        return _without_ids(request, body) if len(read) == 1 else body

    services.outgoing.reshape = without_ids_once
    made = await ada.connected(link="magic_link")
    assert [row["id"] for row in await services.rows("/v1/connections")] == [made["id"]]


def _without_ids(_request: httpx.Request, body: Any) -> Any:
    for one in body.get("connections", ()) if isinstance(body, dict) else ():
        one["id"] = None
    return body
