"""A dying endpoint gets one delivery at a time, is told of, disabled after five days, and delays no other."""

import asyncio

import pytest

from tests.support.endpoints import DAY, deliveries, endpoint, failing, seen, wait
from tests.support.receivers import Receiver
from tests.support.services import RunningServices
from tests.support.users import User

OTHER, OTHER_URL = "93.184.215.15", "https://other.example.com/hooks"


@pytest.fixture
def second(services: RunningServices) -> Receiver:
    services.receivers.names["other.example.com"] = [[OTHER]]
    return services.receivers.at.setdefault(OTHER, Receiver())


async def test_a_failing_endpoint_has_one_delivery_under_way_and_a_success_releases_what_is_due(
    services: RunningServices, ada: User
) -> None:
    await endpoint(services, types=["session.created"])
    receiver = services.receivers.main
    failing(services)
    await ada.session()
    await services.deliver()
    await wait(services, 1)
    for _ in range(20):
        await ada.session()
    receiver.most_under_way, attempts = 0, len(receiver.posts)
    await wait(services, 5)
    assert receiver.most_under_way == 1
    assert len(receiver.posts) - attempts < 3
    failing(services, 500, lambda _: False)
    receiver.gate, receiver.most_under_way = asyncio.Event(), 0
    attempts = len(receiver.posts)
    sending = asyncio.create_task(wait(services, 400))
    await receiver.has_posts(attempts + 1)
    await asyncio.sleep(0.05)
    assert receiver.most_under_way == 1
    receiver.gate.set()
    await sending
    assert len(receiver.taken) == 21
    assert receiver.most_under_way > 1


async def test_an_endpoint_that_answers_410_gets_nothing_more(
    services: RunningServices, ada: User, second: Receiver
) -> None:
    gone, other = await endpoint(services), await endpoint(services, OTHER_URL)
    failing(services, 410)
    await ada.session()
    await services.deliver()
    attempts = len(services.receivers.main.posts)
    assert attempts == 1
    found = await seen(services, gone)
    assert (found["status"], found["disabledReason"]) == ("disabled", "gone")
    await ada.connected()
    await wait(services, DAY, steps=3)
    assert len(services.receivers.main.posts) == attempts
    (told,) = [post.event for post in second.taken if post.json["type"] == "endpoint.disabled"]
    assert told["data"] == {"endpointId": gone["id"], "reason": "gone"}
    assert "endpoint.disabled" in await services.event_types()
    assert (await seen(services, other))["status"] == "enabled"


async def test_an_endpoint_that_answers_410_several_times_at_once_is_disabled_once(
    services: RunningServices, ada: User, second: Receiver
) -> None:
    gone = await endpoint(services, types=["session.created"])
    await endpoint(services, OTHER_URL, types=["endpoint.disabled"])
    taken, *others = [await ada.session() for _ in range(6)]
    receiver = services.receivers.main
    receiver.gate = asyncio.Event()
    failing(services, 410, lambda post: post.event["sessionId"] != taken["id"])
    sending = asyncio.create_task(services.deliver())
    await receiver.has_posts(6)
    receiver.gate.set()
    await sending
    assert (await services.event_types()).count("endpoint.disabled") == 1
    assert second.types == ["endpoint.disabled"]
    assert [row["status"] for row in await deliveries(services, gone, status="delivered")] == ["delivered"]
    failed = await deliveries(services, gone, status="failed")
    assert [[one["status"] for one in row["attempts"]] for row in failed] == [[410]] * len(others)
    assert await deliveries(services, gone, status="pending") == []
    assert (await seen(services, gone))["status"] == "disabled"


async def test_five_days_of_nothing_but_failures_disable_an_endpoint_and_it_is_told_before(
    services: RunningServices, ada: User, second: Receiver
) -> None:
    dying = await endpoint(services)
    await endpoint(services, OTHER_URL, types=["endpoint.failing", "endpoint.disabled"])
    failing(services)
    await ada.session(expiresIn=30 * 86400)
    began = services.clock.now()
    await services.deliver()
    await wait(services, 5 * DAY - 2, steps=60)
    assert (await seen(services, dying))["status"] == "enabled"
    assert [post.event["data"]["percent"] for post in second.taken] == [50, 90]
    await wait(services, 3)
    found = await seen(services, dying)
    assert (found["status"], found["disabledReason"]) == ("disabled", "failing")
    assert [post.json["type"] for post in second.taken] == ["endpoint.failing"] * 2 + ["endpoint.disabled"]
    assert services.clock.now() - began <= 5 * DAY + 2


async def test_one_success_begins_the_five_days_anew(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    failing(services)
    await ada.session(expiresIn=30 * 86400)
    await services.deliver()
    await wait(services, 2 * DAY, steps=20)
    failing(services, 500, lambda _: False)
    await wait(services, DAY, steps=40)
    failing(services)
    await ada.session(expiresIn=30 * 86400)
    await wait(services, 3 * DAY, steps=20)
    assert (await seen(services, made))["status"] == "enabled"


async def test_an_endpoint_that_is_enabled_again_gets_what_was_pending(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    failing(services, 410)
    await ada.session()
    await services.deliver()
    failing(services, 410, lambda _: False)
    answer = await services.host.patch(f"/v1/webhook-endpoints/{made['id']}", json={"status": "enabled"})
    assert (answer.status_code, answer.json()["status"], answer.json()["disabledReason"]) == (200, "enabled", None)
    await services.deliver()
    assert services.receivers.main.types == ["session.link_ready"]


async def test_one_endpoint_that_does_not_answer_delays_no_other(
    services: RunningServices, ada: User, second: Receiver
) -> None:
    await endpoint(services)
    await endpoint(services, OTHER_URL)
    silent = services.receivers.main
    silent.gate = asyncio.Event()
    await ada.connected()
    log = await services.event_types()
    sending = asyncio.create_task(services.deliver())
    await second.has_posts(len(log))
    assert second.types == log
    assert (len(silent.posts), sending.done()) == (1, False)
    silent.gate.set()
    await sending


async def test_the_log_says_once_that_an_endpoint_fails_and_once_that_it_works_again(
    services: RunningServices, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        return [line for line in caplog.messages if line.startswith("webhook endpoint whe_") and "created" not in line]

    dying = await endpoint(services, types=["session.created"])
    failing(services, 503)
    await ada.session()
    await services.deliver()
    assert lines() == []
    await wait(services, 6)
    fails = f"webhook endpoint {dying['id']} (503) fails; magiclink endpoints shows its health"
    assert lines() == [fails]
    await wait(services, 3600, steps=10)
    assert lines() == [fails]
    failing(services, 503, lambda _: False)
    await wait(services, 8 * 3600, steps=4)
    await ada.session()
    await services.deliver()
    assert lines() == [fails, f"webhook endpoint {dying['id']} (204) works again"]
