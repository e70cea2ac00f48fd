"""POST /v1/sessions/{id}/revoke: dead at once on our pages, and an invitation at the provider too."""

from typing import Any

import pytest

from tests.support.provider_user import ProviderUser, connections_of
from tests.support.sandbox_client import GUIDE
from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import FramePage, TopPage, User, check_page, refused_page

FRAMED = {"Sec-Fetch-Dest": "iframe"}


async def revoke(services: RunningServices, session_id: str) -> Any:
    return await services.post(f"/v1/sessions/{session_id}/revoke")


@pytest.mark.parametrize("session_id", ["ses_00000000000000000000", "nonsense", "ses_", "%00"])
async def test_an_unknown_session_cannot_be_revoked(services: RunningServices, session_id: str) -> None:
    refused(await services.host.post(f"/v1/sessions/{session_id}/revoke"), 404, "not_found")


async def test_another_tenants_session_cannot_be_revoked(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    other = await services.stranger()
    refused(await other.post(f"/v1/sessions/{made['id']}/revoke"), 404, "not_found")
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "created"


async def test_a_revoked_session_is_not_renewed(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    await revoke(services, made["id"])
    refused(await services.host.post(f"/v1/sessions/{made['id']}/renew"), 409, "session_closed")


async def test_every_page_of_it_is_gone_and_says_why(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    frame, top = FramePage(services, made), TopPage(services, made)
    await frame.start()
    await revoke(services, made["id"])
    refused_page(await top.get(), 410, "revoked")
    refused_page(await top.post("start"), 410, "revoked")
    again = await frame.http.get(frame.path, headers=FRAMED)
    assert again.status_code == 410
    check_page(again, ancestors=HOST_URL)
    refused(await frame.post("start", {"takeOver": True}), 410, "revoked")
    refused(await frame.post("finished"), 410, "revoked")
    refused(await frame.post("heartbeat"), 410, "revoked")


async def test_the_open_page_learns_of_it_and_loses_the_link(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    assert (await page.view())["link"]["url"]
    await revoke(services, page.id)
    view = await page.view()
    assert (view["status"], view["link"]["url"]) == ("revoked", None)


async def test_an_invitation_is_withdrawn_at_the_provider_too(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    await revoke(services, page.id)
    await services.drain()
    user = ProviderUser(services.sandbox)
    await user.open(url)
    assert user.last.status_code == 410


async def test_a_provider_that_is_away_gets_the_withdrawal_when_it_is_back(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    services.outgoing.is_down = True
    assert (await revoke(services, page.id))["status"] == "revoked"
    await services.drain()
    services.outgoing.is_down = False
    await services.later(10)
    user = ProviderUser(services.sandbox)
    await user.open(url)
    assert user.last.status_code == 410


async def test_a_link_that_is_made_after_the_revocation_is_withdrawn(services: RunningServices, ada: User) -> None:
    made = await services.post("/v1/sessions", ada.wants())
    services.outgoing.before = None

    async def revoked_meanwhile(request: Any) -> None:
        if "/invitation/" in request.url.path and request.method == "POST":
            services.outgoing.after = None
            await revoke(services, made["id"])

    services.outgoing.after = revoked_meanwhile
    await services.drain()
    company = (await services.get(f"/v1/sessions/{made['id']}"))["company"]["id"]
    listed = await services.sandbox.get(f"/invitation/company/{company}")
    rows = listed["invitations"] if isinstance(listed, dict) else listed
    assert [row["status"] for row in rows] == ["REVOKED"]


async def test_a_session_that_waits_for_its_link_is_closed_for_good(services: RunningServices, ada: User) -> None:
    made = await services.post("/v1/sessions", ada.wants())
    await revoke(services, made["id"])
    await services.later(120)
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert (stored["status"], services.outgoing.calls) == ("revoked", [])


async def test_what_a_revoked_magic_link_still_brings_has_no_owner(services: RunningServices, ada: User) -> None:
    page = await ada.frame(link="magic_link")
    url = (await page.view())["link"]["url"]
    await revoke(services, page.id)
    services.clock.advance(60)
    user = ProviderUser(services.sandbox)
    await user.open(url)
    await user.choose_provider()
    await user.sign_in(GUIDE["password"])
    await user.connect()
    assert user.screen.step == "done"
    await services.deliver_webhooks()
    (connection,) = await services.rows("/v1/connections")
    assert (connection["userId"], connection["sessionId"], connection["evidence"]) == (None, None, None)
    assert await ada.connections() == []
    assert (await page.stored())["status"] == "revoked"


async def test_revoking_again_changes_nothing_more(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    first = await revoke(services, page.id)
    services.clock.advance(5)
    assert await revoke(services, page.id) == first
    assert (await page.event_types()).count("session.revoked") == 1


async def test_what_was_connected_before_stays_with_its_user(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await revoke(services, connection["sessionId"])
    await services.later(600)
    after = await ada.newest()
    assert (after["id"], after["userId"], after["status"]) == (connection["id"], "ada", "CONNECTED")
    company = connection["company"]["id"]
    assert len(await connections_of(services.sandbox, company)) == 1
