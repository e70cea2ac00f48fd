"""A provider that is still catching up: 404 or 403 on what was created a moment ago is retried, never a refusal."""

import httpx
import pytest

from tests.support.services import RunningServices
from tests.support.users import User


class CatchingUp:
    """For so long after a company was created, every call that names it is answered like an unknown id."""

    def __init__(self, services: RunningServices, seconds: float, status: int) -> None:
        self._services = services
        self._status = status
        self._until = services.clock.now() + seconds

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        names_one = request.url.path.rpartition("/company/")[2] not in {"", request.url.path}
        if not names_one or self._services.clock.now() >= self._until:
            return None
        now = {"date": httpx.Response(200).headers.get("date", "")}
        return httpx.Response(self._status, headers=now, json={"detail": "Not found."})


@pytest.mark.parametrize("status", [404, 403])
@pytest.mark.parametrize("link", ["auto", "magic_link"])
async def test_a_company_created_moments_ago_is_waited_for(
    services: RunningServices, ada: User, status: int, link: str
) -> None:
    services.outgoing.instead = CatchingUp(services, 20, status)
    session = await ada.session(link=link)
    assert (await services.get(f"/v1/sessions/{session['id']}"))["status"] == "created"
    for _ in range(12):
        await services.later(10)
    stored = await services.get(f"/v1/sessions/{session['id']}")
    kind = "magic_link" if link == "magic_link" else "invitation"
    assert (stored["status"], stored["link"]) == ("created", {"kind": kind, "status": "ready"})
    assert len(await services.sandbox.get("/company")) == 1


async def test_a_company_that_is_gone_for_long_is_a_refusal(services: RunningServices, ada: User) -> None:
    await ada.session()
    await services.later(3600)
    services.outgoing.instead = CatchingUp(services, 3600, 404)
    session = await ada.session()
    stored = await services.get(f"/v1/sessions/{session['id']}")
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "provider_refused"})


async def test_a_provider_without_invitations_is_believed_where_it_knows_the_company(
    services: RunningServices, ada: User
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(404, json={}) if request.url.path.count("/invitation/") else None

    services.outgoing.instead = refuse
    session = await ada.session()
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"] == {"kind": "magic_link", "status": "ready"}
