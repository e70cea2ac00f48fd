"""Changes at an awkward moment: in the middle of a claim, missing in one snapshot, after the session's end."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.model import Link, ProviderCompanyId, ProviderSnapshot, SessionId
from service.errors import ProviderFailure, ProviderRefused
from tests.support.connection_steps import broken, connect_at, reconnecting, repair
from tests.support.services import RunningServices
from tests.support.users import User


async def test_a_claim_does_not_undo_a_revocation_that_comes_in_its_middle(
    services: RunningServices, ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    connection, his = await ada.newest(), await bob.session()
    rows = services.parts.store.connections
    change = rows.change_and_keep

    async def after_a_revocation(*args: Any, **kwargs: Any) -> Any:
        await services.post(f"/v1/sessions/{his['id']}/revoke")
        return await change(*args, **kwargs)

    monkeypatch.setattr(rows, "change_and_keep", after_a_revocation)
    claimed = await services.post(f"/v1/connections/{connection['id']}/claim", {"sessionId": his["id"]})
    assert claimed["sessionId"] == his["id"]
    assert (await services.get(f"/v1/sessions/{his['id']}"))["status"] == "revoked"


async def test_a_claim_for_the_only_presumed_owner_makes_it_certain(services: RunningServices, ada: User) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    connection = await ada.newest()
    assert connection["evidence"]["presumed"]
    claimed = await services.post(f"/v1/connections/{connection['id']}/claim", {"sessionId": page.id})
    assert (claimed["evidence"]["kind"], claimed["evidence"]["presumed"]) == ("claimed", False)
    reported = (await services.rows("/v1/events", limit=100))[-1]
    assert (reported["type"], reported["data"]) == ("connection.updated", {"claim": "made", "by": "bootstrap"})


async def test_a_repair_that_one_snapshot_missed_is_emitted_by_the_next(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await reconnecting(services, await broken(ada, "magic_link"))
    await repair(page)
    provider = services.parts.provider
    read = provider.partial_snapshot

    async def skipping(
        company_id: ProviderCompanyId, *, is_new: bool = False
    ) -> tuple[ProviderSnapshot, ProviderFailure | None]:
        snapshot, failure = await read(company_id, is_new=is_new)
        return replace(snapshot, connections=()), failure

    monkeypatch.setattr(provider, "partial_snapshot", skipping)
    await page.finish()
    monkeypatch.setattr(provider, "partial_snapshot", read)
    assert (await page.stored())["status"] == "opened"
    await services.later(60)
    assert (await page.stored())["status"] == "connected"


async def test_what_is_made_on_the_providers_page_after_the_end_is_found_within_ten_minutes(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(expiresIn=600)
    url = (await page.view())["link"]["url"]
    session = SessionId(page.id)
    await services.later(1490)  # its invitation lives for 1500 seconds at least
    assert (await page.stored())["status"] == "expired"
    assert (await services.parts.store.sessions.get(session)).link is not None
    await connect_at(services, url)
    await services.later(601)
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_company_whose_only_session_could_not_be_renewed_is_still_polled_daily(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame(expiresIn=3600)
    url = (await page.view())["link"]["url"]

    async def refuse(*_: Any) -> Link:
        raise ProviderRefused

    monkeypatch.setattr(services.parts.provider.links, "invite", refuse)
    monkeypatch.setattr(services.parts.provider.links, "magic_link", refuse)
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.drain()
    assert (await page.stored())["status"] == "failed"
    await services.later(700)
    await connect_at(services, url)
    await services.later(86400)
    assert (await ada.newest())["sessionId"] == page.id
