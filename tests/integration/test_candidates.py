"""Connections that several sessions could have made: who hears of them, who finds them, and which session gets them."""

from tests.support.connection_steps import ambiguous, claim
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.streams import EventStream
from tests.support.users import FramePage, User

SETTLED = 121


async def timeline(page: FramePage) -> list[JsonObject]:
    return await page.services.rows(f"/v1/sessions/{page.id}/events", limit=100)


async def connected_in_the_first(services: RunningServices, ada: User) -> tuple[FramePage, FramePage]:
    """Two pages of hers with a magic link each; she connected an account in the one that was opened first."""
    first = await ada.frame(link="magic_link")
    services.clock.advance(20)
    second = await ada.frame(link="magic_link")
    services.clock.advance(20)
    await first.connect()
    return first, second


async def test_an_ambiguous_connection_is_on_the_timeline_of_every_candidate(
    services: RunningServices, ada: User, bob: User
) -> None:
    _, hers, his = await ambiguous(services, ada, bob)
    (event,) = [e for e in await services.rows("/v1/events", limit=100) if e["type"] == "connection.ambiguous"]
    for page in (hers, his):
        assert [e for e in await timeline(page) if e["type"] == "connection.ambiguous"] == [event]
    assert set(event["data"]["candidates"]) == {hers.id, his.id}


async def test_a_timeline_is_in_the_order_of_the_log_and_pages_through_what_it_shares(
    services: RunningServices, ada: User, bob: User
) -> None:
    _, hers, _ = await ambiguous(services, ada, bob)
    whole = await timeline(hers)
    assert [e["seq"] for e in whole] == sorted(e["seq"] for e in whole)
    first = await services.get(f"/v1/sessions/{hers.id}/events", limit=2)
    rest = await services.get(f"/v1/sessions/{hers.id}/events", limit=100, after=first["next"])
    assert [*first["data"], *rest["data"]] == whole


async def test_an_open_page_hears_that_an_account_is_being_settled(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.frame(link="magic_link")
    async with EventStream(services, his) as stream:
        await hers.connect()
        await services.later(150)
        assert "connection.ambiguous" in [frame.type for frame in await stream.until("connection.ambiguous")]


async def test_a_user_who_has_finished_is_told_and_one_who_has_not_is_not(
    services: RunningServices, ada: User, bob: User
) -> None:
    _, hers, his = await ambiguous(services, ada, bob)
    assert (await hers.view())["ambiguous"] is True
    assert (await his.view())["ambiguous"] is False


async def test_a_page_says_after_two_minutes_that_an_account_has_arrived(
    services: RunningServices, ada: User, bob: User
) -> None:
    """Bob's used invitation could still name it, so nothing is announced yet."""
    hers, his = await ada.frame(link="magic_link"), await bob.frame()
    services.outgoing.reshape = lambda _request, body: _unnamed(body)
    await his.connect()
    await hers.finish()
    assert (await hers.view())["ambiguous"] is False
    await services.later(SETTLED)
    assert (await hers.view())["ambiguous"] is True
    assert "connection.ambiguous" not in await services.event_types()


def _unnamed(body: JsonObject) -> JsonObject:
    for one in body.get("invitations", ()):
        one["createdConnections"] = []
    return body


async def test_unattributed_connections_are_found_by_their_candidates(
    services: RunningServices, ada: User, bob: User
) -> None:
    row, hers, _ = await ambiguous(services, ada, bob)
    for user in (ada, bob):
        assert await services.rows("/v1/connections", userId=user.user_id, attributed="false") == [row]
    assert await services.rows("/v1/connections", userId="carol", attributed="false") == []
    assert await services.rows("/v1/connections", userId="ada", attributed="true") == []
    await claim(services, row, hers.id)
    assert await services.rows("/v1/connections", userId="ada", attributed="false") == []
    assert [one["id"] for one in await services.rows("/v1/connections", userId="ada")] == [row["id"]]


async def test_another_tenants_candidate_neither_finds_it_nor_hears_of_it(
    services: RunningServices, ada: User, bob: User
) -> None:
    row, _, _ = await ambiguous(services, ada, bob)
    other = await services.stranger()
    answer = await other.get("/v1/connections", params={"userId": "ada", "attributed": "false"})
    assert answer.json()["data"] == []
    assert (await other.get(f"/v1/connections/{row['id']}")).status_code == 404


async def test_of_one_users_sessions_the_one_that_was_finished_gets_it(services: RunningServices, ada: User) -> None:
    first, second = await connected_in_the_first(services, ada)
    services.clock.advance(5)
    view = await first.finish()
    assert (view["status"], len(view["connections"])) == ("connected", 1)
    assert (await ada.newest())["sessionId"] == first.id
    assert (await second.stored())["status"] == "opened"


async def test_without_a_word_the_session_opened_last_gets_it_and_the_others_hear(
    services: RunningServices, ada: User
) -> None:
    first, second = await connected_in_the_first(services, ada)
    await services.later(30)
    assert (await ada.newest())["sessionId"] == second.id
    (heard,) = [e for e in await timeline(first) if e["type"] == "connection.recorded"]
    assert heard["sessionId"] == second.id


async def test_it_moves_to_the_session_that_its_user_finishes_afterwards_and_both_hear(
    services: RunningServices, ada: User
) -> None:
    first, second = await connected_in_the_first(services, ada)
    await services.deliver_webhooks()
    assert (await ada.newest())["sessionId"] == second.id
    services.clock.advance(20)
    assert (await first.finish())["status"] == "connected"
    (row,) = await ada.connections()
    assert (row["sessionId"], row["evidence"]["kind"]) == (first.id, "sole_candidate")
    assert (await second.stored())["status"] == "opened"
    types = [e["type"] for e in await timeline(second) if e["type"] != "document.available"]
    assert types[-2:] == ["connection.reassigned", "session.reopened"]
    assert "connection.reassigned" in await first.event_types()
    for _ in range(3):
        await services.later(60)
    assert (await ada.newest())["sessionId"] == first.id
