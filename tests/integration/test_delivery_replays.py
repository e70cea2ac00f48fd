"""Tests, replays and sessions' own addresses: deliveries beside those of events."""

import pytest

from tests.support.endpoints import HOUR, deliveries, endpoint, failing, seen
from tests.support.receivers import URL, Receiver
from tests.support.services import RunningServices, refused
from tests.support.users import User

OTHER, OTHER_URL = "93.184.215.15", "https://other.example.com/hooks"


@pytest.fixture
def second(services: RunningServices) -> Receiver:
    services.receivers.names["other.example.com"] = [[OTHER]]
    return services.receivers.at.setdefault(OTHER, Receiver())


async def test_a_test_is_one_attempt_and_changes_no_health(services: RunningServices) -> None:
    made = await endpoint(services)
    failing(services)
    answer = await services.host.post(f"/v1/webhook-endpoints/{made['id']}/test", json={})
    assert (answer.status_code, answer.json()["kind"], answer.json()["status"]) == (202, "test", "pending")
    await services.deliver()
    (post,) = services.receivers.main.posts
    assert (post.json["type"], post.event["data"]) == ("endpoint.test", {"endpointId": made["id"]})
    found = await services.get(f"/v1/deliveries/{answer.json()['id']}")
    assert (found["status"], [one["status"] for one in found["attempts"]]) == ("failed", [500])
    assert (await seen(services, made))["health"]["failingSince"] is None
    assert "endpoint.test" not in await services.event_types()


async def test_a_replay_delivers_everything_since_a_time_again(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.connected()
    await services.deliver()
    services.clock.advance(HOUR)
    since = services.clock.now()
    await ada.connected()
    await services.deliver()
    receiver = services.receivers.main
    before = receiver.taken.copy()
    receiver.taken.clear()
    failing(services, 500, lambda post: post.json["type"] == "session.opened")
    body = {"since": "2027-01-15T09:00:00Z"}
    assert since == 1_800_003_600
    answer = await services.host.post(f"/v1/webhook-endpoints/{made['id']}/replay", json=body)
    assert (answer.status_code, answer.json()["since"]) == (202, "2027-01-15T09:00:00.000Z")
    await services.drain()
    await services.deliver()
    wanted = {post.id for post in before if post.event["at"] >= "2027-01-15T09:00:00"}
    failed = {post.id for post in before if post.json["type"] == "session.opened"}
    assert {post.id for post in receiver.taken} == wanted - failed
    assert (await seen(services, made))["health"]["failingSince"] is None
    replays = [row for row in await deliveries(services, made) if row["kind"] == "replay"]
    assert {len(row["attempts"]) for row in replays} == {1}
    assert {row["eventId"] for row in replays} == wanted


async def test_a_replay_leaves_out_what_is_about_the_endpoint_itself(
    services: RunningServices, second: Receiver, ada: User
) -> None:
    made, other = await endpoint(services), await endpoint(services, OTHER_URL)
    failing(services, 410)
    await ada.session()
    await services.deliver()
    failing(services, 204)
    enabled = await services.host.patch(f"/v1/webhook-endpoints/{made['id']}", json={"status": "enabled"})
    assert enabled.status_code == 200
    second.taken.clear()
    services.receivers.main.taken.clear()
    for one in (made, other):
        body = {"since": "2027-01-15T07:00:00Z"}
        answer = await services.host.post(f"/v1/webhook-endpoints/{one['id']}/replay", json=body)
        assert answer.status_code == 202
    await services.drain()
    await services.deliver()
    log = await services.event_types()
    assert "endpoint.disabled" in log
    assert set(second.types) == set(log)
    assert set(services.receivers.main.types) == set(log) - {"endpoint.disabled"}


async def test_one_delivery_is_replayed(services: RunningServices, ada: User) -> None:
    made = await endpoint(services, types=["session.created"])
    await ada.session()
    await services.deliver()
    (row,) = await deliveries(services, made)
    again = await services.post(f"/v1/deliveries/{row['id']}/replay")
    assert (again["kind"], again["eventId"]) == ("replay", row["eventId"])
    await services.deliver()
    assert [post.id for post in services.receivers.main.posts] == [row["eventId"]] * 2


async def test_a_disabled_endpoint_takes_no_test_and_no_replay(services: RunningServices) -> None:
    made = await endpoint(services)
    path = f"/v1/webhook-endpoints/{made['id']}"
    await services.host.patch(path, json={"status": "disabled"})
    refused(await services.host.post(f"{path}/test", json={}), 422, "invalid_request")
    refused(await services.host.post(f"{path}/replay", json={"since": "2027-01-15T08:00:00Z"}), 422, "invalid_request")


async def test_a_session_names_an_address_of_its_own_beneath_an_endpoint(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    session = await ada.session(webhookUrl=f"{URL}/orders/7")
    assert session["webhookUrl"] == f"{URL}/orders/7"
    await services.deliver()
    receiver = services.receivers.main
    own = [post.json["type"] for post in receiver.taken if post.path == "/magiclink/orders/7"]
    assert own == [post.json["type"] for post in receiver.taken if post.path == "/magiclink"]
    assert own == ["session.created", "session.link_ready"]
    kinds = [row["kind"] for row in await deliveries(services, made)]
    assert sorted(kinds) == ["event", "event", "own", "own"]


async def test_an_own_address_beneath_several_endpoints_belongs_to_the_longest_then_the_oldest(
    services: RunningServices, ada: User
) -> None:
    made = []
    for path in ("", "/orders", "/orders", ""):
        made.append(await endpoint(services, f"{URL}{path}"))
        services.clock.advance(1)
    await ada.session(webhookUrl=f"{URL}/orders/7")
    await services.deliver()
    kinds = [{row["kind"] for row in await deliveries(services, one)} for one in made]
    assert kinds == [{"event"}, {"event", "own"}, {"event"}, {"event"}]


async def test_a_sessions_own_address_that_fails_says_nothing_of_its_endpoint(
    services: RunningServices, ada: User
) -> None:
    made = await endpoint(services)
    failing(services, 410, lambda post: post.path.endswith("/mine"))
    await ada.session(webhookUrl=f"{URL}/mine")
    await services.deliver()
    found = await seen(services, made)
    assert (found["status"], found["health"]["failingSince"]) == ("enabled", None)
    assert services.receivers.main.types == ["session.created", "session.link_ready"]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/elsewhere",
        "https://hooks.example.com/magiclinks",
        "https://evil.example.com/magiclink/x",
        "http://hooks.example.com/magiclink/x",
        "https://hooks.example.com/magiclink/../admin",
        "https://hooks.example.com/magiclink/%2e%2e/admin",
        "https://hooks.example.com:8443/magiclink/x",
        "https://hooks.example.com@evil.example.com/magiclink/x",
    ],
)
async def test_a_sessions_own_address_must_be_beneath_an_enabled_endpoint(
    services: RunningServices, ada: User, url: str
) -> None:
    await endpoint(services)
    answer = await services.host.post("/v1/sessions", json=ada.wants(webhookUrl=url))
    refused(answer, 422, "invalid_request", "/webhookUrl")


async def test_an_endpoint_that_moved_gets_nothing_for_addresses_that_were_beneath_it(
    services: RunningServices, ada: User, second: Receiver
) -> None:
    made = await endpoint(services)
    await ada.session(webhookUrl=f"{URL}/mine")
    await services.host.patch(f"/v1/webhook-endpoints/{made['id']}", json={"url": OTHER_URL})
    await services.deliver()
    assert services.receivers.main.posts == []
    assert second.types == ["session.created", "session.link_ready"]
    own = [row for row in await deliveries(services, made) if row["kind"] == "own"]
    assert {(row["status"], row["attempts"][0]["error"]) for row in own} == {("failed", "not_beneath_endpoint")}
