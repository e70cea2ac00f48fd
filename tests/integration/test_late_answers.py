"""News that comes at an awkward moment: in the middle of a claim, skipped by one reading, after the session's end."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.model import Link, ProviderCompanyId, ProviderSnapshot, SessionId
from service.errors import ProviderRefused
from tests.support.connection_steps import broken, connect_at, reconnecting, repair
from tests.support.people import User
from tests.support.services import RunningServices


async def test_a_claim_does_not_undo_a_revocation_that_comes_in_its_middle(
    street: RunningServices, ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    connection, his = await ada.newest(), await bob.session()
    rows = street.services.store.connections
    change = rows.change

    async def after_a_revocation(*args: Any, **kwargs: Any) -> Any:
        await street.post(f"/v1/sessions/{his['id']}/revoke")
        return await change(*args, **kwargs)

    monkeypatch.setattr(rows, "change", after_a_revocation)
    claimed = await street.post(f"/v1/connections/{connection['id']}/claim", {"sessionId": his["id"]})
    assert claimed["sessionId"] == his["id"]
    assert (await street.get(f"/v1/sessions/{his['id']}"))["status"] == "revoked"


async def test_a_claim_for_who_was_only_presumed_makes_it_certain(street: RunningServices, ada: User) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    connection = await ada.newest()
    assert connection["evidence"]["presumed"]
    claimed = await street.post(f"/v1/connections/{connection['id']}/claim", {"sessionId": page.id})
    assert (claimed["evidence"]["kind"], claimed["evidence"]["presumed"]) == ("claimed", False)
    told = (await street.rows("/v1/events", limit=100))[-1]
    assert (told["type"], told["data"]) == ("connection.updated", {"claim": "made", "by": "bootstrap"})


async def test_a_repair_that_one_reading_skipped_is_told_by_the_next(
    street: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await reconnecting(street, await broken(ada, "magic_link"))
    await repair(page)
    provider = street.services.provider
    snapshot = provider.snapshot

    async def skipping(company_id: ProviderCompanyId) -> ProviderSnapshot:
        return replace(await snapshot(company_id), connections=())

    monkeypatch.setattr(provider, "snapshot", skipping)
    await page.finish()
    monkeypatch.setattr(provider, "snapshot", snapshot)
    assert (await page.stored())["status"] == "opened"
    await street.later(60)
    assert (await page.stored())["status"] == "connected"


async def test_what_is_made_on_the_providers_page_after_the_end_is_found_within_ten_minutes(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame(expiresIn=600)
    url = (await page.view())["link"]["url"]
    session = SessionId(page.id)
    await street.later(1490)  # its invitation lives for 1500 seconds at least
    assert (await page.stored())["status"] == "expired"
    assert (await street.services.store.sessions.get(session)).link is not None
    await connect_at(street, url)
    await street.later(601)
    assert (await ada.newest())["sessionId"] == page.id


async def test_a_company_whose_only_session_could_not_be_renewed_is_looked_at_daily_all_the_same(
    street: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame(expiresIn=3600)
    url = (await page.view())["link"]["url"]

    async def refuse(*_: Any) -> Link:
        raise ProviderRefused

    monkeypatch.setattr(street.services.provider.links, "invite", refuse)
    monkeypatch.setattr(street.services.provider.links, "magic_link", refuse)
    await street.post(f"/v1/sessions/{page.id}/renew")
    await street.drain()
    assert (await page.stored())["status"] == "failed"
    await street.later(700)
    await connect_at(street, url)
    await street.later(86400)
    assert (await ada.newest())["sessionId"] == page.id
