"""What a company had before its first session here is not ours; everything after it is, whatever the clocks say."""

from typing import Any

from tests.support.people import User
from tests.support.sandbox_client import GUIDE, Wire
from tests.support.services import RunningServices


async def known_company(street: RunningServices) -> Wire:
    """A company that the provider knew before us, with one connection."""
    company: Wire = await street.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    await connected_elsewhere(street, company)
    return company


async def connected_elsewhere(street: RunningServices, company: Wire) -> Wire:
    """A connection that was made without any link of ours."""
    site: Any = await street.sandbox.post(f"/company/{company['id']}/site", {"name": "Old mill"})
    made: Wire = await street.sandbox.post(f"/company/{company['id']}/connection", GUIDE | {"sites": [site["id"]]})
    return made


async def test_a_connection_from_before_the_first_session_is_not_recorded(street: RunningServices, ada: User) -> None:
    await known_company(street)
    made = await ada.connected()
    assert [row["id"] for row in await street.rows("/v1/connections")] == [made["id"]]


async def test_neither_is_it_where_the_provider_thinks_that_it_was_made_later(
    street: RunningServices, ada: User
) -> None:
    await street.sandbox.trouble("clock_skew", seconds=600)
    await known_company(street)
    await street.sandbox.trouble("clock_skew", seconds=0)
    made = await ada.connected()
    assert [row["id"] for row in await street.rows("/v1/connections")] == [made["id"]]


async def test_what_is_made_elsewhere_after_it_is_recorded_as_nobodys(street: RunningServices, ada: User) -> None:
    company = await known_company(street)
    await ada.connected()
    made = await connected_elsewhere(street, company)
    await street.later(86400)
    (row,) = await street.rows("/v1/connections", attributed="false")
    assert row["id"] == made["id"]


async def test_what_a_magic_link_makes_is_recorded_though_the_providers_clock_was_set_back(
    street: RunningServices, ada: User
) -> None:
    await street.sandbox.trouble("clock_skew", seconds=600)
    page = await ada.frame(link="magic_link")
    await street.sandbox.trouble("clock_skew", seconds=0)
    await page.connect()
    await page.finish()
    (row,) = await street.rows("/v1/connections")
    assert row["provider"]["url"] == GUIDE["url"]
