"""Events reach hosts' endpoints: once, in the order of each session, for certain; and a dying endpoint is noticed."""

import asyncio
import gc
from collections.abc import Mapping

import pytest

from service.background import deliveries as delivery_loop
from service.domain.timing import LEASE_SECONDS
from service.outbound.sender import ReceiverAnswer, WebhookSender
from service.usecases.deliveries import Deliveries, DeliveryTools
from tests.support.endpoints import HOUR, deliveries, endpoint, failing, seen, wait
from tests.support.receivers import NAME, PUBLIC, URL, Receiver
from tests.support.services import RunningServices
from tests.support.users import User

OTHER, OTHER_URL = "93.184.215.15", "https://other.example.com/hooks"


def first_seen(receiver: Receiver) -> list[str]:
    """The ids of the events that it took, each at its first time."""
    return list(dict.fromkeys(post.id for post in receiver.taken))


def in_order_of_sessions(receiver: Receiver) -> bool:
    events = {post.id: post.event for post in receiver.taken}
    by_session: dict[str, list[int]] = {}
    for event_id in first_seen(receiver):
        by_session.setdefault(events[event_id]["sessionId"], []).append(events[event_id]["seq"])
    return all(positions == sorted(positions) for positions in by_session.values())


async def test_every_event_arrives_once_as_the_log_shows_it(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.connected()
    await services.deliver()
    log = await services.rows("/v1/events", limit=100)
    posts = services.receivers.main.posts
    assert [post.event for post in posts] == log
    assert [post.json["type"] for post in posts] == [event["type"] for event in log]
    assert [post.id for post in posts] == [event["id"] for event in log]
    assert [post.json["timestamp"] for post in posts] == [event["at"] for event in log]
    assert {row["status"] for row in await deliveries(services, made)} == {"delivered"}
    assert (await seen(services, made))["health"]["oldestPendingAt"] is None


async def test_only_the_types_that_were_asked_for_arrive(services: RunningServices, ada: User) -> None:
    await endpoint(services, types=["session.connected", "connection.recorded"])
    await ada.connected()
    await services.deliver()
    assert services.receivers.main.types == ["connection.recorded", "session.connected"]


async def test_only_the_company_that_was_asked_for_arrives(services: RunningServices, ada: User, mallory: User) -> None:
    session = await ada.session()
    company = (await services.get(f"/v1/sessions/{session['id']}"))["company"]["id"]
    await endpoint(services, companyId=company)
    await mallory.connected()
    connection = await ada.connected()
    await services.deliver()
    sessions = {post.event["sessionId"] for post in services.receivers.main.posts}
    assert sessions == {connection["sessionId"]}


async def test_another_tenants_events_never_arrive(services: RunningServices, ada: User) -> None:
    stranger = await services.stranger()
    answer = await stranger.post("/v1/webhook-endpoints", json={"url": URL})
    assert answer.status_code == 201
    await ada.connected()
    await services.deliver()
    assert services.receivers.main.posts == []


async def test_a_receiver_that_was_away_for_three_days_gets_everything_in_order(
    services: RunningServices, ada: User, bob: User
) -> None:
    made = await endpoint(services)
    services.receivers.at.pop(PUBLIC)
    for _ in range(6):
        await ada.frame(expiresIn=30 * 86400)
        await bob.frame(expiresIn=30 * 86400)
        await wait(services, 12 * HOUR, steps=6)
    receiver = services.receivers.at[PUBLIC] = Receiver()
    await wait(services, 30 * HOUR, steps=60)
    rows = await services.rows("/v1/events", limit=100)
    log = [event for event in rows if event["type"] != "endpoint.failing"]  # it is not told of itself
    assert (len(log) > 30, len(rows) - len(log)) == (True, 1)
    assert {post.id for post in receiver.taken} == {event["id"] for event in log}
    assert len(receiver.taken) == len(log)
    assert in_order_of_sessions(receiver)
    assert (await seen(services, made))["health"]["failingSince"] is None


async def test_what_follows_a_failed_delivery_of_its_session_waits_and_other_sessions_go_on(
    services: RunningServices, ada: User, bob: User
) -> None:
    await endpoint(services)
    await ada.session()
    await services.deliver()
    page = await ada.frame()
    broken = page.id
    failing(services, 503, lambda post: post.event["sessionId"] == broken)
    await services.deliver()
    other = await bob.session()
    await wait(services, 1)
    taken = [post.event["sessionId"] for post in services.receivers.main.taken]
    assert other["id"] in taken
    assert broken not in taken
    assert {post.json["type"] for post in services.receivers.main.posts if post.event["sessionId"] == broken} == {
        "session.created"
    }
    failing(services, 503, lambda _: False)
    await wait(services, 10, steps=10)
    assert [post.json["type"] for post in services.receivers.main.taken if post.event["sessionId"] == broken] == (
        await page.event_types()
    )


@pytest.mark.parametrize("status", [400, 401, 404, 422, 301, 307])
async def test_what_follows_a_refused_delivery_passes_it(services: RunningServices, ada: User, status: int) -> None:
    await endpoint(services)
    failing(services, status, lambda post: post.json["type"] == "session.created")
    session = await ada.session()
    await services.deliver()
    assert services.receivers.main.types == ["session.link_ready"]
    failing(services, status, lambda _: False)
    await wait(services, 6, steps=3)
    assert services.receivers.main.types == ["session.link_ready", "session.created"]
    assert services.receivers.main.taken[1].event["sessionId"] == session["id"]


@pytest.mark.parametrize("status", [408, 429, 500, 503, 599])
async def test_what_follows_a_delivery_that_may_succeed_later_waits(
    services: RunningServices, ada: User, status: int
) -> None:
    await endpoint(services)
    failing(services, status, lambda post: post.json["type"] == "session.created")
    await ada.session()
    await services.deliver()
    assert services.receivers.main.types == []
    failing(services, status, lambda _: False)
    await wait(services, 6, steps=3)
    assert services.receivers.main.types == ["session.created", "session.link_ready"]


async def test_a_delivery_has_ten_attempts_over_75_hours_and_then_has_failed(
    services: RunningServices, ada: User
) -> None:
    made = await endpoint(services, types=["session.created"])
    failing(services)
    await ada.session(expiresIn=30 * 86400)
    began = services.clock.now()
    while (await deliveries(services, made))[0]["status"] == "pending":
        await wait(services, HOUR, steps=4)
        assert services.clock.now() - began < 80 * HOUR
    (row,) = await deliveries(services, made, status="failed")
    assert (len(row["attempts"]), row["nextAttemptAt"]) == (10, None)
    assert {attempt["status"] for attempt in row["attempts"]} == {500}
    assert services.clock.now() - began >= 75 * HOUR
    assert {post.id for post in services.receivers.main.posts} == {row["eventId"]}


async def test_what_waited_for_a_delivery_that_failed_for_good_is_sent(services: RunningServices, ada: User) -> None:
    await endpoint(services)
    failing(services, 500, lambda post: post.json["type"] == "session.created")
    await ada.session(expiresIn=30 * 86400)
    await wait(services, 80 * HOUR, steps=160)
    assert services.receivers.main.types == ["session.link_ready"]


async def test_the_receiver_is_resolved_again_at_each_attempt(services: RunningServices, ada: User) -> None:
    made = await endpoint(services, types=["session.created"])
    services.receivers.names[NAME] = [["10.0.0.7"]]
    services.receivers.at["10.0.0.7"] = inner = Receiver()
    await ada.session()
    await services.deliver()
    (row,) = await deliveries(services, made)
    assert row["attempts"][0]["error"] == "blocked_address"
    services.receivers.names[NAME] = [[PUBLIC]]
    await wait(services, 6)
    assert services.receivers.main.types == ["session.created"]
    assert inner.posts == []


async def test_a_process_that_dies_before_it_wrote_the_answer_repeats_with_the_same_id(
    services: RunningServices, ada: User
) -> None:
    await endpoint(services)
    receiver = services.receivers.main
    receiver.gate = asyncio.Event()
    await ada.session()
    sending = asyncio.create_task(services.deliver())
    await receiver.has_posts()
    sending.cancel()
    await services.die()
    receiver.gate = None
    services.clock.advance(LEASE_SECONDS)
    await services.deliver()
    log = [event["id"] for event in await services.rows("/v1/events")]
    assert first_seen(receiver) == log
    assert {post.id for post in receiver.posts} == set(log)
    assert len(receiver.posts) == len(log) + 1


async def test_silent_endpoints_of_one_tenant_leave_turns_for_another(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "_TURNS", 4)
    monkeypatch.setattr(delivery_loop, "_TURNS_OF_A_TENANT", 2)
    services.receivers.names["other.example.com"] = [[OTHER]]
    services.receivers.at[OTHER] = Receiver(is_silent=True)
    mallory = await services.stranger("mallory")
    for number in range(4):
        made = (await mallory.post("/v1/webhook-endpoints", json={"url": f"{OTHER_URL}/{number}"})).json()
        await mallory.post(f"/v1/webhook-endpoints/{made['id']}/test", json={})
    worker = services.parts.hosts.worker
    await worker.lease_due()
    await endpoint(services)
    await ada.session()
    await services.settled()
    await worker.lease_due()
    await services.receivers.main.has_posts()
    await worker.stop(0)


class BrokenSender(WebhookSender):
    """Two posts wait for each other, and then both end with an error of ours."""

    def __init__(self) -> None:
        self._posts = 0
        self._both = asyncio.Event()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:  # noqa: ARG002
        self._posts += 1
        if self._posts == 2:
            self._both.set()
        await self._both.wait()
        raise RuntimeError(url)


async def test_of_two_deliveries_that_break_at_once_neither_error_is_left_unread(
    services: RunningServices, ada: User, bob: User
) -> None:
    unread: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context["message"]))
    await endpoint(services)
    await ada.session()
    await bob.session()
    store = services.parts.store
    (lease,) = await store.deliveries.lease(1)
    with pytest.raises(RuntimeError):
        await Deliveries(store, DeliveryTools(BrokenSender(), services.clock.now, lambda: 0.5)).run(lease)
    gc.collect()
    assert unread == []
