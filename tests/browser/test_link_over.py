"""A page whose link can no longer be used, while its session waits for the account: what its user is told."""

from collections.abc import Mapping
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser
from tests.support.screenshots import Screenshots


@pytest.mark.parametrize("noted", [{"finished": True, "waiting": "used"}, {"finished": False, "waiting": "used"}])
async def test_a_user_whose_link_was_used_is_told_so_and_not_that_a_page_is_prepared(
    new_user: NewUser, api: Api, screenshots: Screenshots, noted: Mapping[str, Any]
) -> None:
    ada = await (await new_user()).sign_in()

    async def over(route: Route) -> None:
        answer = await route.fetch()
        started = await answer.json()
        started["view"] |= {**noted, "link": started["view"]["link"] | {"status": "ready", "url": None}}
        await route.fulfill(response=answer, json=started)

    await ada.page.route("**/start", over)
    await ada.page.route("**/live/**", lambda route: route.abort())  # no later view
    flow = await ada.open(await api.create("ada", "over"))
    await flow.shows("Something has arrived.")
    await expect(flow.where.get_by_role("button", name="Back to the secure page")).to_be_hidden()
    frames = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    await screenshots.show(ada.page, f"link-over-{'finished' if noted['finished'] else 'used'}", frames)
