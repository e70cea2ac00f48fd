"""Whose connection is it: two people of one company at once, links that prove little, and what nobody here made."""

import pytest

from tests.support.provider_user import ProviderUser, invitation_of
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import WRONG, User

LONG_ENOUGH = 150  # seconds after which a complete snapshot may rule invitations out


def owners(rows: list[JsonObject]) -> dict[str, str | None]:
    return {row["id"]: row["userId"] for row in rows}


async def candidates(services: RunningServices) -> list[set[str]]:
    rows = await services.rows("/v1/connections", attributed="false")
    return [{one["userId"] for one in row["candidates"]} for row in rows]


async def at_provider(services: RunningServices, url: str) -> ProviderUser:
    """Whoever holds this link connects an account through it."""
    user = ProviderUser(services.sandbox)
    await user.open(url)
    await user.choose_provider()
    await user.sign_in()
    await user.connect()
    assert user.screen.step == "done"
    return user


async def test_two_people_of_one_company_with_an_invitation_each_get_their_own(ada: User, bob: User) -> None:
    hers, his = await ada.frame(), await bob.frame()
    await his.connect()
    await hers.connect()
    await hers.finish()
    await his.finish()
    (first,), (second,) = await ada.connections(), await bob.connections()
    assert first["id"] != second["id"]
    assert (first["sessionId"], second["sessionId"]) == (hers.id, his.id)
    assert {one["evidence"]["kind"] for one in (first, second)} == {"invitation"}


async def test_saying_finished_gives_nothing_that_another_user_connected(ada: User, bob: User) -> None:
    hers, his = await ada.frame(), await bob.frame()
    await his.connect()
    view = await hers.finish()
    assert (view["status"], view["connections"]) == ("opened", [])
    assert await ada.connections() == []
    assert (await bob.newest())["sessionId"] == his.id


async def test_a_magic_link_with_nobody_else_about_is_presumed_to_be_its_users(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    evidence = (await ada.newest())["evidence"]
    assert (evidence["kind"], evidence["presumed"]) == ("sole_candidate", True)
    (recorded,) = [e for e in await services.rows("/v1/events", limit=100) if e["type"] == "connection.recorded"]
    assert recorded["data"]["presumed"] is True


async def test_two_sessions_of_one_user_are_no_conflict(services: RunningServices, ada: User) -> None:
    first = await ada.frame(link="magic_link")
    second = await ada.frame(link="magic_link")
    await first.connect()
    await second.finish()
    await services.later(LONG_ENOUGH)
    (connection,) = await ada.connections()
    assert connection["evidence"]["kind"] == "sole_candidate"


async def test_two_people_with_a_magic_link_each_are_ambiguous_and_nobody_is_guessed(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="magic_link")
    await hers.connect()
    assert (await hers.finish())["status"] == "opened"
    await services.later(LONG_ENOUGH)
    assert await ada.connections() == await bob.connections() == []
    assert await candidates(services) == [{"ada", "bob"}]
    reported = await services.rows("/v1/events", limit=100)
    (event,) = [one for one in reported if one["type"] == "connection.ambiguous"]
    assert event["data"]["candidates"] == sorted([hers.id, his.id])
    assert (event["userId"], event["sessionId"]) == (None, None)


async def test_a_magic_link_that_was_never_shown_makes_nobody_a_candidate(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers = await ada.frame(link="magic_link")
    await bob.session(link="magic_link")
    await hers.connect()
    await hers.finish()
    await services.later(LONG_ENOUGH)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"


async def _bobs_link_shown_later(services: RunningServices, ada: User, bob: User, seconds: float) -> None:
    """Ada connects by her magic link, and only so many seconds afterwards Bob is shown one."""
    hers = await ada.frame(link="magic_link")
    await hers.connect()
    services.clock.advance(seconds)
    await bob.frame(link="magic_link")
    await hers.finish()
    await services.later(LONG_ENOUGH)


async def test_a_magic_link_shown_after_the_connection_was_made_makes_no_candidate(
    services: RunningServices, ada: User, bob: User
) -> None:
    await _bobs_link_shown_later(services, ada, bob, 30)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"


async def test_a_magic_link_shown_within_the_uncertainty_makes_a_candidate(
    services: RunningServices, ada: User, bob: User
) -> None:
    await _bobs_link_shown_later(services, ada, bob, 3)
    assert await candidates(services) == [{"ada", "bob"}]


async def test_ada_holds_a_magic_link_and_bob_an_invitation_and_bobs_is_never_hers(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="invitation")
    await his.connect()
    await services.sandbox.deliver_webhooks()
    await hers.finish()
    assert await ada.connections() == []
    await services.later(LONG_ENOUGH)
    assert await ada.connections() == []
    assert (await bob.newest())["sessionId"] == his.id


async def test_a_magic_link_beside_an_unused_invitation_is_decided_two_minutes_later(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, _ = await ada.frame(link="magic_link"), await bob.frame(link="invitation")
    await hers.connect()
    view = await hers.finish()
    assert (view["status"], view["confirming"]) == ("opened", True)
    assert await ada.connections() == []
    assert "connection.ambiguous" not in await services.event_types()
    for _ in range(LONG_ENOUGH // 10):
        await services.later(10)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"
    assert (await hers.view())["status"] == "connected"


async def test_an_invitation_made_by_others_leaves_its_connection_without_an_owner(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link")
    company = (await page.stored())["company"]["id"]
    elsewhere = await invitation_of(services.sandbox, company, maxUses=1)
    await at_provider(services, elsewhere["invitationUrl"])
    await page.finish()
    for _ in range(LONG_ENOUGH // 10):
        await services.later(10)
    assert await ada.connections() == []
    (row,) = await services.rows("/v1/connections")
    assert (row["userId"], row["evidence"], row["candidates"]) == (None, None, [])


async def test_a_connection_made_in_the_providers_dashboard_is_listed_without_an_owner(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    stored = await page.stored()
    services.clock.advance(30)
    made = await services.sandbox.connect(stored["company"]["id"], [stored["sites"][0]["id"]])
    await services.later(LONG_ENOUGH)
    await services.later(LONG_ENOUGH)
    assert await ada.connections() == []
    (row,) = await services.rows("/v1/connections", attributed="false")
    assert (row["id"], row["userId"], row["sessionId"], row["evidence"]) == (made["id"], None, None, None)
    assert row["candidates"] == []
    assert (await page.stored())["status"] != "connected"


async def test_what_was_there_before_the_companys_first_session_emits_no_event(
    services: RunningServices, ada: User
) -> None:
    company, sites = await services.sandbox.company()
    await services.sandbox.connect(company, sites)
    services.clock.advance(3600)
    page = await ada.frame(company={"id": company}, sites=[{"id": site} for site in sites], link="magic_link")
    await page.finish()
    await services.later(LONG_ENOUGH)
    assert await services.rows("/v1/connections") == []


async def test_the_same_account_connected_twice_is_two_connections(ada: User) -> None:
    first, second = await ada.connected(), await ada.connected()
    assert first["id"] != second["id"]
    assert owners(await ada.connections()) == {first["id"]: "ada", second["id"]: "ada"}


@pytest.mark.parametrize("password", [None, WRONG])
async def test_a_connection_is_recorded_whatever_its_password_was(ada: User, password: str | None) -> None:
    page = await ada.frame()
    await (page.connect(password) if password else page.connect())
    await page.finish()
    assert len(await ada.connections()) == 1


async def test_a_leaked_invitation_is_still_its_sessions(services: RunningServices, ada: User, mallory: User) -> None:
    page = await ada.frame()
    await mallory.frame()
    await at_provider(services, (await page.view())["link"]["url"])
    await services.deliver_webhooks()
    assert (await ada.newest())["sessionId"] == page.id
    assert await mallory.connections() == []


async def test_another_tenants_connection_is_not_there_for_us(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    other = await services.stranger()
    assert (await other.get("/v1/connections")).json()["data"] == []
    for path in ("", "/usage", "/documents"):
        answer = await other.get(f"/v1/connections/{connection['id']}{path}")
        assert answer.status_code == 404


@pytest.mark.parametrize("skew", [600, -600])
async def test_a_provider_whose_clock_is_ten_minutes_off_changes_no_verdict(
    services: RunningServices, ada: User, bob: User, skew: int
) -> None:
    await services.sandbox.trouble("clock_skew", seconds=skew)
    hers = await ada.frame(link="magic_link")
    await hers.connect()
    services.clock.advance(30)
    await bob.frame(link="magic_link")
    await hers.finish()
    await services.later(LONG_ENOUGH)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"
