"""A process lacks a key with which something was encrypted: it neither destroys nor weakens what it cannot read."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.clock import Clock
from tests.support.provider_user import ProviderUser
from tests.support.services import RunningServices, refused
from tests.support.users import FramePage, User
from tests.support.webhooks import created, made_by, send

OLD, NEW = "the-first-key-0123456789-0123456789", "the-second-key-0123456789-012345678"
EMAIL = "ada@example.com"


@pytest.fixture
async def ada(clock: Clock, database_url: str) -> AsyncIterator[User]:
    """A user of a service with one key."""
    services = RunningServices(clock, database_url, secret_keys=(OLD,))
    await services.open()
    yield User(services, "ada")
    await services.close()


async def restart(services: RunningServices, *keys: str) -> None:
    await services.close()
    services.settings = replace(services.settings, secret_keys=keys)
    await services.open()


async def connect_by_mailbox(page: FramePage) -> None:
    user = ProviderUser(page.services.sandbox)
    await user.open(str((await page.view())["link"]["url"]))
    await user.press("Confirm", email=EMAIL)
    await user.choose_provider()
    await user.sign_in()
    await user.connect()


async def allowed_emails(services: RunningServices) -> list[list[str]]:
    (company,) = await services.sandbox.get("/company")
    listed = await services.sandbox.get(f"/invitation/company/{company['id']}")
    return [one["allowedEmails"] for one in listed["invitations"]]


async def test_a_poll_without_the_key_leaves_link_and_address_as_they_are_stored(ada: User) -> None:
    services = ada.services
    page = await ada.frame(userEmail=EMAIL, expiresIn=86400)
    before = await services.parts.store.sessions.get(page.session["id"])
    assert before.link is not None
    assert before.link.url
    await connect_by_mailbox(page)
    await restart(services, NEW)
    for _ in range(3):
        await services.later(61)
    assert [row["sessionId"] for row in await ada.connections()] == [page.id]
    await restart(services, NEW, OLD)
    after = await services.parts.store.sessions.get(page.session["id"])
    assert (after.link, after.user_email) == (before.link, EMAIL)


async def test_a_link_for_one_mailbox_waits_for_a_process_that_can_read_the_address(ada: User) -> None:
    services = ada.services
    await restart(services, NEW, OLD)
    made = await services.post("/v1/sessions", ada.wants(userEmail=EMAIL))
    await restart(services, OLD)  # the new key signs before every process knows it
    await services.drain()
    assert (await services.get(f"/v1/sessions/{made['id']}"))["link"]["status"] == "pending"
    assert (await services.get("/v1/users/ada/export"))["sessions"][0]["userEmail"] is None
    await restart(services, OLD, NEW)
    await services.later(61)
    assert (await services.get(f"/v1/sessions/{made['id']}"))["link"]["status"] == "ready"
    assert await allowed_emails(services) == [[EMAIL]]


async def test_a_session_whose_magic_link_no_key_can_read_gets_another_when_it_is_renewed(ada: User) -> None:
    services = ada.services
    made = await ada.session(link="magic_link")
    await services.later(5000)
    await restart(services, NEW)  # as the operators' page says: its time is over
    renewed = await services.post(f"/v1/sessions/{made['id']}/renew")
    await services.drain()
    assert (await FramePage(services, renewed).start())["link"]["url"]


async def test_a_session_whose_mailbox_no_key_can_read_is_not_renewed(ada: User) -> None:
    services = ada.services
    made = await ada.session(userEmail=EMAIL)
    await services.later(5000)
    await restart(services, NEW)
    answer = await services.host.post(f"/v1/sessions/{made['id']}/renew", json={})
    assert "create a new one" in refused(answer, 409, "session_closed")["detail"]


@pytest.mark.parametrize(("later", "waits"), [(5.0, 1), (90_000.0, 0)])
async def test_a_webhook_waits_for_a_day_for_a_process_that_can_read_it(ada: User, later: float, waits: int) -> None:
    services = ada.services
    made = await made_by(ada)
    assert (await send(services, created(made))).status_code == 204
    await restart(services, NEW)
    await services.later(later)
    sql = "SELECT ref FROM work WHERE kind = 'webhook'"
    assert len(await services.parts.store.engine.read(lambda tx: tx.all(sql))) == waits
    await restart(services, NEW, OLD)
    await services.later(61)
    assert await services.parts.store.engine.read(lambda tx: tx.all(sql)) == []
    assert [row["id"] for row in await ada.connections()] == [made]
