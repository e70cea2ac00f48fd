"""An invitation that somebody revoked at the provider: the session says so, and the host can renew it."""

from service.domain.model import SessionId
from tests.support.services import RunningServices
from tests.support.users import User


async def revoke_at_the_provider(services: RunningServices, session_id: str) -> None:
    session = await services.parts.store.sessions.get(SessionId(session_id))
    assert session.link is not None
    await services.sandbox.post(f"/invitation/{session.link.invitation_id}/revoke", {})


async def test_a_link_that_is_dead_at_the_provider_fails_its_session_at_the_next_poll(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await revoke_at_the_provider(services, page.id)
    await services.later(60)
    stored = await page.stored()
    assert (stored["status"], stored["failure"]) == ("failed", {"code": "link_revoked"})
    assert (await services.event_types(page.id)).count("session.failed") == 1


async def test_a_renewed_session_has_a_link_that_works_again(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await revoke_at_the_provider(services, page.id)
    await services.later(60)
    renewed = await services.post(f"/v1/sessions/{page.id}/renew")
    await services.drain()
    assert (renewed["status"], renewed.get("failure")) == ("opened", None)
    assert (await services.get(f"/v1/sessions/{page.id}"))["link"]["status"] == "ready"
    await services.later(60)
    assert (await page.stored())["status"] in {"opened", "exited"}


async def test_the_links_that_a_renewal_replaced_do_not_fail_it(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await revoke_at_the_provider(services, page.id)
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.later(60)
    assert (await page.stored())["status"] in {"opened", "exited"}


async def test_a_connected_session_stays_connected(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await revoke_at_the_provider(services, connection["sessionId"])
    await services.later(60)
    assert (await services.get(f"/v1/sessions/{connection['sessionId']}"))["status"] == "connected"


async def test_a_revoked_link_of_a_further_account_fails_nothing_and_its_page_may_ask_again(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="invitation", maxConnections=2)
    await page.connect()
    await page.finish()
    await page.post("another")
    await services.drain()
    await page.view()
    await revoke_at_the_provider(services, page.id)
    await services.later(60)
    view = await page.view()
    assert (view["status"], view["another"], view["failure"]) == ("connected", "possible", None)
    assert (view["link"]["status"], view["link"]["url"]) == ("failed", None)
    assert "session.failed" not in await page.event_types()
    await page.post("another")
    await services.drain()
    await page.connect()
    assert len((await page.finish())["connections"]) == 2
