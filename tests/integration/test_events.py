"""The log of what happened, as a host reads it: in order, at least once, with a wait; and one session's timeline."""

import asyncio
import time

import pytest

from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import User

FULL_SCENARIO = [
    *("session.created", "session.link_ready", "session.opened", "session.finished"),
    *("connection.recorded", "session.connected", "session.progress", "session.progress"),
]


async def follow(services: RunningServices, limit: int = 2) -> list[JsonObject]:
    """Read the feed as a host does that remembers its cursor, until it is at the end."""
    found: list[JsonObject] = []
    after = "0"
    while True:
        body = await services.get("/v1/events", after=after, limit=limit)
        found += body["data"]
        if not body["data"]:
            assert body["next"] == after
            return found
        after = body["next"]


async def test_positions_have_room_for_more_than_a_billion_events(services: RunningServices) -> None:
    position = str(10**15 - 1)
    assert await services.get("/v1/events", after=position) == {"data": [], "next": position}


async def has_begun(services: RunningServices) -> None:
    """What was asked before is waiting by now: later calls have been answered meanwhile."""
    for _ in range(5):
        await services.rows("/v1/sessions")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=x", "/after"),
        ("after=-1", "/after"),
        ("after=1.5", "/after"),
        ("after=" + "9" * 30, "/after"),
        ("wait=31", "/wait"),
        ("wait=-1", "/wait"),
        ("wait=x", "/wait"),
        ("limit=101", "/limit"),
        ("type=x", "/type"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(services: RunningServices, query: str, pointer: str) -> None:
    refused(await services.host.get(f"/v1/events?{query}"), 422, "invalid_request", pointer)


async def test_the_feed_has_every_event_once_in_order(services: RunningServices, ada: User, bob: User) -> None:
    await ada.connected()
    await bob.connected()
    events = await follow(services)
    assert len({event["id"] for event in events}) == len(events)
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    for user in ("ada", "bob"):
        assert [event["type"] for event in events if event["userId"] == user] == FULL_SCENARIO


async def test_an_event_has_every_field_that_is_promised(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    for event in await services.rows("/v1/events"):
        assert set(event) == {"id", "seq", "type", "at", "sessionId", "connectionId", "userId", "data"}
        assert event["id"].startswith("evt_")
        assert event["sessionId"] == connection["sessionId"]
    recorded = next(e for e in await services.rows("/v1/events") if e["type"] == "connection.recorded")
    assert recorded["connectionId"] == connection["id"]
    assert recorded["data"] == {"evidence": "invitation", "presumed": False, "status": "CONNECTED", "state": "working"}


async def test_a_timeline_is_the_same_log_seen_through_one_session(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await ada.connected()
    await bob.connected()
    path = f"/v1/sessions/{connection['sessionId']}/events"
    timeline = await services.rows(path)
    assert [event["type"] for event in timeline] == FULL_SCENARIO
    assert timeline == [
        e for e in await services.rows("/v1/events", limit=100) if e["sessionId"] == timeline[0]["sessionId"]
    ]
    first = await services.get(path, limit=4)
    second = await services.get(path, limit=4, after=first["next"])
    assert first["data"] + second["data"] == timeline
    assert second["next"] is None


async def test_no_event_holds_a_link_a_token_or_a_name(services: RunningServices, ada: User) -> None:
    connection = await ada.connected(userLabel="Ada Lovelace", userEmail=None)
    text = (await services.host.get("/v1/events")).text
    for secret in ("Lovelace", "/p/", "http", "embed"):
        assert secret not in text
    assert connection["id"] in text


async def test_waiting_answers_as_soon_as_something_happens(services: RunningServices, ada: User) -> None:
    waiting = asyncio.create_task(services.host.get("/v1/events?after=0&wait=30"))
    await has_begun(services)
    began = time.perf_counter()
    made = await services.post("/v1/sessions", ada.wants())
    (event,) = (await waiting).json()["data"]
    assert (event["type"], event["sessionId"]) == ("session.created", made["id"])
    assert time.perf_counter() - began < 5


async def test_waiting_for_nothing_ends_with_nothing_and_the_same_cursor(services: RunningServices) -> None:
    began = time.perf_counter()
    assert await services.get("/v1/events", after=7, wait=1) == {"data": [], "next": "7"}
    assert 0.9 < time.perf_counter() - began < 5


async def test_a_wait_ends_when_the_service_stops(services: RunningServices) -> None:
    waiting = asyncio.create_task(services.host.get("/v1/events?wait=30"))
    await has_begun(services)
    services.parts.pubsub.close()
    assert (await waiting).json()["data"] == []


async def test_a_hundred_events_at_once_are_seen_by_every_reader_in_one_order(
    services: RunningServices, ada: User
) -> None:
    await asyncio.gather(*(services.post("/v1/sessions", ada.wants()) for _ in range(100)))
    readers = await asyncio.gather(*(follow(services, limit) for limit in (7, 100)))
    assert readers[0] == readers[1]
    assert len(readers[0]) == 100
