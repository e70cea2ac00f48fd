"""A provider whose links are not on the configured pages: permanent, with a code of its own, and nothing is left."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices, refused
from tests.support.users import User


@pytest.fixture
async def foreign(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    opened = RunningServices(clock, database_url, provider_pages_url="https://dash.example.com")
    await opened.open()
    yield opened
    await opened.close()


async def invitations(services: RunningServices) -> list[str]:
    (company,) = await services.sandbox.get("/company")
    listed = await services.sandbox.get(f"/invitation/company/{company['id']}")
    return [row["status"] for row in (listed["invitations"] if isinstance(listed, dict) else listed)]


async def test_the_session_fails_and_its_one_invitation_is_revoked(foreign: RunningServices) -> None:
    session = await User(foreign, "ada").session()
    for _ in range(5):
        await foreign.later(30)
    stored = await foreign.get(f"/v1/sessions/{session['id']}")
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "link_refused"})
    assert await invitations(foreign) == ["REVOKED"]


async def test_a_magic_link_is_asked_for_once(foreign: RunningServices) -> None:
    session = await User(foreign, "ada").session(link="magic_link")
    await foreign.later(300)
    assert (await foreign.get(f"/v1/sessions/{session['id']}"))["failure"] == {"code": "link_refused"}
    assert foreign.outgoing.made("POST /link") == 1


async def test_a_host_that_waits_hears_that_the_provider_failed(foreign: RunningServices) -> None:
    answer = await foreign.host.post("/v1/sessions", json=User(foreign, "ada").wants(prepare="now"))
    refused(answer, 502, "provider_error")
    (row,) = await foreign.rows("/v1/sessions")
    assert row["failure"] == {"code": "link_refused"}
