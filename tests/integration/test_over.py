"""A session that is over is polled for like an open one, while its link can still be used."""

import pytest

from tests.support.connection_steps import connect_at
from tests.support.services import RunningServices
from tests.support.users import User

MINUTE, HOUR = 60, 3600


async def found_within(services: RunningServices, seconds: int, step: int) -> bool:
    for _ in range(seconds // step):
        await services.later(step)
        if await services.rows("/v1/connections"):
            return True
    return False


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_a_connection_by_its_magic_link_is_found_within_ten_minutes(
    services: RunningServices, ada: User, ended: str
) -> None:
    page = await ada.frame(link="magic_link", expiresIn=12 * HOUR if ended == "revoked" else MINUTE)
    url = (await page.view())["link"]["url"]
    page.key = None
    await services.later(20 * MINUTE)
    if ended == "revoked":
        await services.post(f"/v1/sessions/{page.id}/revoke")
    for _ in range(9):
        await services.later(10 * MINUTE)
    assert (await page.stored())["status"] == ended
    await connect_at(services, url)
    assert await found_within(services, 10 * MINUTE, MINUTE)


async def test_it_is_found_within_a_minute_where_its_page_was_there_lately(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link", expiresIn=12 * HOUR)
    url = (await page.view())["link"]["url"]
    await services.later(MINUTE)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    await services.later(MINUTE)
    await connect_at(services, url)
    assert await found_within(services, MINUTE, 5)
