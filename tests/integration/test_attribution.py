"""Whose connection is it: two people of one company at once, links that prove little, and what nobody here made."""

import pytest

from tests.support.people import WRONG, User
from tests.support.sandbox_client import Wire
from tests.support.sandbox_person import Person, invitation_of
from tests.support.services import RunningServices

LONG_ENOUGH = 150  # seconds after which a complete reading may rule invitations out


def owners(rows: list[Wire]) -> dict[str, str | None]:
    return {row["id"]: row["userId"] for row in rows}


async def candidates(street: RunningServices) -> list[set[str]]:
    rows = await street.rows("/v1/connections", attributed="false")
    return [{one["userId"] for one in row["candidates"]} for row in rows]


async def at_provider(street: RunningServices, url: str) -> Person:
    """Whoever holds this link connects an account through it."""
    person = Person(street.sandbox)
    await person.open(url)
    await person.choose_provider()
    await person.sign_in()
    await person.connect()
    assert person.screen.step == "done"
    return person


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


async def test_whoever_says_finished_gets_nothing_that_the_other_made(ada: User, bob: User) -> None:
    hers, his = await ada.frame(), await bob.frame()
    await his.connect()
    view = await hers.finish()
    assert (view["status"], view["connections"]) == ("opened", [])
    assert await ada.connections() == []
    assert (await bob.newest())["sessionId"] == his.id


async def test_a_magic_link_with_nobody_else_about_is_presumed_to_be_its_users(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    evidence = (await ada.newest())["evidence"]
    assert (evidence["kind"], evidence["presumed"]) == ("sole_candidate", True)
    (recorded,) = [e for e in await street.rows("/v1/events", limit=100) if e["type"] == "connection.recorded"]
    assert recorded["data"]["presumed"] is True


async def test_two_sessions_of_one_user_are_no_conflict(street: RunningServices, ada: User) -> None:
    first = await ada.frame(link="magic_link")
    second = await ada.frame(link="magic_link")
    await first.connect()
    await second.finish()
    await street.later(LONG_ENOUGH)
    (connection,) = await ada.connections()
    assert connection["evidence"]["kind"] == "sole_candidate"


async def test_two_people_with_a_magic_link_each_are_ambiguous_and_nobody_is_guessed(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="magic_link")
    await hers.connect()
    assert (await hers.finish())["status"] == "opened"
    await street.later(LONG_ENOUGH)
    assert await ada.connections() == await bob.connections() == []
    assert await candidates(street) == [{"ada", "bob"}]
    told = await street.rows("/v1/events", limit=100)
    (event,) = [one for one in told if one["type"] == "connection.ambiguous"]
    assert event["data"]["candidates"] == sorted([hers.id, his.id])
    assert (event["userId"], event["sessionId"]) == (None, None)


async def test_a_magic_link_that_was_never_shown_makes_nobody_a_candidate(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers = await ada.frame(link="magic_link")
    await bob.session(link="magic_link")
    await hers.connect()
    await hers.finish()
    await street.later(LONG_ENOUGH)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"


async def test_a_magic_link_shown_after_the_connection_was_made_makes_no_candidate(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers = await ada.frame(link="magic_link")
    await hers.connect()
    street.clock.advance(30)
    await bob.frame(link="magic_link")
    await hers.finish()
    await street.later(LONG_ENOUGH)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"


async def test_a_magic_link_shown_within_the_uncertainty_makes_a_candidate(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers = await ada.frame(link="magic_link")
    await hers.connect()
    street.clock.advance(3)
    await bob.frame(link="magic_link")
    await hers.finish()
    await street.later(LONG_ENOUGH)
    assert await candidates(street) == [{"ada", "bob"}]


async def test_ada_holds_a_magic_link_and_bob_an_invitation_and_bobs_is_never_hers(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="invitation")
    await his.connect()
    await street.sandbox.pump()
    await hers.finish()
    assert await ada.connections() == []
    await street.later(LONG_ENOUGH)
    assert await ada.connections() == []
    assert (await bob.newest())["sessionId"] == his.id


async def test_a_magic_link_beside_an_unused_invitation_is_decided_two_minutes_later(
    street: RunningServices, ada: User, bob: User
) -> None:
    hers, _ = await ada.frame(link="magic_link"), await bob.frame(link="invitation")
    await hers.connect()
    view = await hers.finish()
    assert (view["status"], view["confirming"]) == ("opened", True)
    assert await ada.connections() == []
    assert "connection.ambiguous" not in await street.told()
    for _ in range(LONG_ENOUGH // 10):
        await street.later(10)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"
    assert (await hers.view())["status"] == "connected"


async def test_an_invitation_that_somebody_made_elsewhere_makes_its_connection_nobodys(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link")
    company = (await page.stored())["company"]["id"]
    elsewhere = await invitation_of(street.sandbox, company, maxUses=1)
    await at_provider(street, elsewhere["invitationUrl"])
    await page.finish()
    for _ in range(LONG_ENOUGH // 10):
        await street.later(10)
    assert await ada.connections() == []
    (row,) = await street.rows("/v1/connections")
    assert (row["userId"], row["evidence"], row["candidates"]) == (None, None, [])


async def test_a_connection_made_in_the_providers_dashboard_is_listed_and_is_nobodys(
    street: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    stored = await page.stored()
    street.clock.advance(30)
    made = await street.sandbox.connect(stored["company"]["id"], [stored["sites"][0]["id"]])
    await street.later(LONG_ENOUGH)
    await street.later(LONG_ENOUGH)
    assert await ada.connections() == []
    (row,) = await street.rows("/v1/connections", attributed="false")
    assert (row["id"], row["userId"], row["sessionId"], row["evidence"]) == (made["id"], None, None, None)
    assert row["candidates"] == []
    assert (await page.stored())["status"] != "connected"


async def test_what_was_there_before_the_companys_first_session_is_not_ours_to_tell_of(
    street: RunningServices, ada: User
) -> None:
    company, sites = await street.sandbox.company()
    await street.sandbox.connect(company, sites)
    street.clock.advance(3600)
    page = await ada.frame(company={"id": company}, sites=[{"id": site} for site in sites], link="magic_link")
    await page.finish()
    await street.later(LONG_ENOUGH)
    assert await street.rows("/v1/connections") == []


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


async def test_a_leaked_invitation_is_still_its_sessions(street: RunningServices, ada: User, mallory: User) -> None:
    page = await ada.frame()
    await mallory.frame()
    await at_provider(street, (await page.view())["link"]["url"])
    await street.pump()
    assert (await ada.newest())["sessionId"] == page.id
    assert await mallory.connections() == []


async def test_another_tenants_connection_is_not_there_for_us(street: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    other = await street.stranger()
    assert (await other.get("/v1/connections")).json()["data"] == []
    for path in ("", "/usage", "/documents"):
        answer = await other.get(f"/v1/connections/{connection['id']}{path}")
        assert answer.status_code == 404


@pytest.mark.parametrize("skew", [600, -600])
async def test_a_provider_whose_clock_is_ten_minutes_off_changes_no_verdict(
    street: RunningServices, ada: User, bob: User, skew: int
) -> None:
    await street.sandbox.trouble("clock_skew", seconds=skew)
    hers = await ada.frame(link="magic_link")
    await hers.connect()
    street.clock.advance(30)
    await bob.frame(link="magic_link")
    await hers.finish()
    await street.later(LONG_ENOUGH)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"
