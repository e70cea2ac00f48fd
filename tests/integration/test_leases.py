"""A process that stood still for longer than its lease, as by SIGSTOP, changes nothing when it wakes up."""

import httpx
import pytest

from service.domain.timing import LEASE_SECONDS
from tests.support.services import RunningServices
from tests.support.users import User


def stands_still_once(services: RunningServices, method: str, part: str) -> list[str]:
    """After the first answer to this call, the process stands still until its lease has ended."""
    stood: list[str] = []

    async def hook(request: httpx.Request) -> None:
        if not stood and request.method == method and part in request.url.path:
            stood.append(request.url.path)
            services.clock.advance(LEASE_SECONDS + 1)

    services.outgoing.after = hook
    return stood


async def test_its_poll_records_nothing_and_is_made_again(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()
    stood = stands_still_once(services, "GET", "/invitation/company/")
    await page.post("finished")
    await services.drain()
    assert stood
    assert await ada.connections() == []
    await services.later(1)
    assert (await ada.newest())["sessionId"] == page.id
    assert (await page.event_types()).count("connection.recorded") == 1


@pytest.mark.parametrize("link", ["magic_link", "invitation"])
async def test_a_refusal_that_it_read_before_fails_no_session(services: RunningServices, ada: User, link: str) -> None:
    refused: list[str] = []

    def refuse_once(request: httpx.Request) -> httpx.Response | None:
        if refused or request.method != "POST" or not request.url.path.endswith("/company"):
            return None
        refused.append(request.url.path)
        services.clock.advance(LEASE_SECONDS + 1)
        return httpx.Response(422, json={"message": "no"})

    services.outgoing.instead = refuse_once
    made = await services.post("/v1/sessions", ada.wants(link=link, expiresIn=86400))
    await services.drain()
    assert refused
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "created"
    await services.later(1)
    assert (await services.get(f"/v1/sessions/{made['id']}"))["link"]["status"] == "ready"


async def test_a_slow_poll_that_renews_its_lease_is_recorded(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()

    async def slow(_request: httpx.Request) -> None:
        await services.outgoing.pass_time(2 * LEASE_SECONDS)

    services.outgoing.after = slow
    assert (await page.finish())["status"] == "connected"
