"""An invitation whose answer was lost is revoked and never adopted, whatever became of its session meanwhile."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.domain.model import SessionId
from service.domain.timing import ANSWER_SECONDS, LOST_SECONDS
from service.errors import GivenUp
from tests.support.connection_steps import broken, reconnecting
from tests.support.services import RunningServices
from tests.support.users import User


def polls(services: RunningServices) -> int:
    return sum(call.startswith("GET ") and "/invitation/company/" in call for call in services.outgoing.calls)


@pytest.fixture
def losing(services: RunningServices) -> Iterator[RunningServices]:
    """The answer to the first invitation gets lost."""
    lost: list[str] = []

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation/company/" in request.url.path and not lost:
            lost.append(request.url.path)
            raise httpx.ReadError("lost", request=request)

    services.outgoing.after = lose
    yield services
    assert lost


def active(services: RunningServices) -> int:
    world = services.sandbox.world
    return sum(
        world.invitations.status(invitation) == "ACTIVE"
        for company in world.companies
        for invitation in world.invitations.of(company.id)
    )


async def test_though_its_session_was_revoked_before_the_poll(losing: RunningServices, ada: User) -> None:
    session = await ada.session()
    assert active(losing) == 1
    await losing.post(f"/v1/sessions/{session['id']}/revoke")
    await losing.later(2)
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 0


async def test_though_its_session_was_renewed_before_the_poll(losing: RunningServices, ada: User) -> None:
    session = await ada.session()
    await losing.post(f"/v1/sessions/{session['id']}/renew")
    await losing.later(2)
    assert (await losing.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "ready"
    assert active(losing) == 2
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 1


async def test_though_the_host_was_answered_that_there_is_no_link(losing: RunningServices, ada: User) -> None:
    answer = await losing.host.post("/v1/sessions", json=ada.wants(prepare="now"))
    assert answer.status_code == 502
    assert active(losing) == 1
    await losing.later(61)
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 0


async def test_though_the_providers_list_shows_it_a_minute_late(losing: RunningServices, ada: User) -> None:
    losing.outgoing.hides_seconds = 60.0
    session = await ada.session()
    await losing.later(2)
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 2
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 1
    assert (await losing.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "ready"


async def test_though_the_providers_clock_is_set_back_so_that_it_looks_just_made(
    losing: RunningServices, ada: User
) -> None:
    losing.outgoing.hides_seconds = 110.0
    await ada.session()
    await losing.later(2)
    for _ in range(3):
        await losing.later(ANSWER_SECONDS)
    await losing.sandbox.trouble("clock_skew", seconds=-130)
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 2
    await losing.later(ANSWER_SECONDS)
    assert active(losing) == 1


async def test_it_is_searched_for_until_the_list_must_have_shown_it_and_no_longer(
    losing: RunningServices, ada: User
) -> None:
    await ada.session()
    for _ in range(6):
        await losing.later(ANSWER_SECONDS)
    asked = polls(losing)
    assert asked >= 4
    for _ in range(5):
        await losing.later(ANSWER_SECONDS)
    assert polls(losing) == asked
    assert await losing.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM intents")) == []


async def test_a_refused_revocation_does_not_keep_the_next_from_being_revoked(
    services: RunningServices, ada: User
) -> None:
    lost: list[str] = []

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation/company/" in request.url.path and len(lost) < 2:
            lost.append(request.url.path)
            raise httpx.ReadError("lost", request=request)

    refused: list[str] = []

    def refuse_first(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/revoke") or refused:
            return None
        refused.append(request.url.path)
        return httpx.Response(400, json={"detail": "no"})

    services.outgoing.after, services.outgoing.instead = lose, refuse_first
    await ada.session()
    await services.later(2)
    await services.later(2)
    assert active(services) == 3
    for _ in range(6):
        await services.later(ANSWER_SECONDS)
    assert (active(services), len(lost), len(refused)) == (1, 2, 1)
    assert await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM intents")) == []


@pytest.mark.parametrize("again", ["refused", "accepted"])
@pytest.mark.parametrize("stood_still_seconds", [ANSWER_SECONDS, LOST_SECONDS])
async def test_an_invitation_whose_answer_comes_too_late_is_revoked_and_created_again(
    services: RunningServices, ada: User, stood_still_seconds: float, again: str
) -> None:
    """This process stood still while it was being answered; the provider may refuse to revoke what is revoked."""
    made = await services.post("/v1/sessions", ada.wants())

    async def stand_still(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation/company/" in request.url.path:
            services.outgoing.after = None
            services.clock.advance(stood_still_seconds)
            await services.parts.withdrawals.sweep(made["id"])
            if again == "refused":
                services.outgoing.instead = refuse

    def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(400, json={"detail": "no"}) if request.url.path.endswith("/revoke") else None

    services.outgoing.after = stand_still
    with pytest.raises(GivenUp):
        await services.parts.links.prepare(made["id"])
    assert active(services) == 0
    await services.parts.links.prepare(made["id"])
    assert active(services) == 1


async def test_a_reconnect_invitation_that_the_list_leaves_out_holds_up_no_magic_link(
    services: RunningServices, ada: User
) -> None:
    mending = await reconnecting(services, await broken(ada, "magic_link"))
    edits = (await services.parts.store.sessions.get(SessionId(mending.id))).link
    assert edits is not None

    def leave_out(_request: httpx.Request, body: Any) -> Any:
        if isinstance(body, dict) and "invitations" in body:
            body["invitations"] = [one for one in body["invitations"] if one["id"] != edits.invitation_id]
        return body

    services.outgoing.reshape = leave_out
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(60)
    assert [one["userId"] for one in await services.rows("/v1/connections")] == ["ada", "ada"]


@pytest.mark.parametrize("status", [400, 404])
async def test_though_the_provider_refuses_the_list_for_a_minute(
    losing: RunningServices, ada: User, status: int
) -> None:
    until = losing.clock.now() + 60

    def refuse(request: httpx.Request) -> httpx.Response | None:
        is_list = request.method == "GET" and "/invitation/company/" in request.url.path
        return httpx.Response(status, json={"detail": "no"}) if is_list and losing.clock.now() < until else None

    losing.outgoing.instead = refuse
    session = await ada.session()
    await losing.later(2)
    for _ in range(4):
        await losing.later(ANSWER_SECONDS)
    assert active(losing) == 1
    assert (await losing.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "ready"


async def test_a_provider_that_refuses_the_list_for_good_is_asked_no_longer_than_it_could_show_it(
    losing: RunningServices, ada: User
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response | None:
        is_list = request.method == "GET" and "/invitation/company/" in request.url.path
        return httpx.Response(404, json={"detail": "no"}) if is_list else None

    losing.outgoing.instead = refuse
    await ada.session()
    await losing.later(2)
    for _ in range(5):
        await losing.later(ANSWER_SECONDS)
    assert await losing.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM intents")) == []
