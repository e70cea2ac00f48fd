"""A refusal that a proxy made and not the service, as during a deployment: the page goes on by itself afterwards."""

import re

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api
from tests.support.browser_user import NewUser


@pytest.mark.parametrize("call", ["/live/", "/start$"])
@pytest.mark.parametrize("status", [403, 404])
async def test_a_page_that_a_proxy_refused_says_so_and_goes_on(
    new_user: NewUser, api: Api, call: str, status: int
) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=status, content_type="text/html", body="<h1>default backend</h1>")

    ada = await (await new_user()).sign_in()
    await ada.page.route(re.compile(call), refuse)
    flow = await ada.open(await api.create("ada", "refused-by-a-proxy"))
    interrupted = flow.words("The connection is interrupted.")
    await expect(interrupted).to_be_visible()
    await ada.page.unroute_all(behavior="ignoreErrors")
    await flow.press("Try now")
    await flow.opens()
    await expect(interrupted).to_be_hidden()
    errors = [one for one in await ada.messages() if one["type"] == "error"]
    assert [(one["code"], one["retryable"]) for one in errors] == [("unavailable", True)]
