"""Webhook endpoints over the API: refusals first, secrets shown once, every change audited."""

from time import time  # noqa: TID251 - the public libraries read the machine's clock

import pytest

from service.domain.model import EventId
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.endpoints import endpoint, seen
from tests.support.receivers import NAME, PUBLIC, URL
from tests.support.sandbox_client import JsonObject
from tests.support.services import SERVICE_URL, RunningServices, refused
from tests.support.users import User

PATH = "/v1/webhook-endpoints"
INNER = {
    "private": ("https://10.0.0.1/x", None),
    "link-local": ("https://169.254.1.1/x", None),
    "loopback": ("https://127.0.0.1/x", None),
    "metadata": ("https://169.254.169.254/latest/meta-data", None),
    "IPv4-mapped": ("https://[::ffff:127.0.0.1]/x", None),
    "NAT64": ("https://[64:ff9b::7f00:1]/x", None),
    "6to4": ("https://[2002:7f00:1::]/x", None),
    "carrier NAT": ("https://100.64.0.1/x", None),
    "decimal": ("https://2130706433/x", None),
    "octal": ("https://0177.0.0.1/x", None),
    "hexadecimal": ("https://0x7f.0.0.1/x", None),
    "short": ("https://127.1/x", None),
    "name": ("https://inner.example.com/x", "10.0.0.1"),
    "ourselves": (f"{SERVICE_URL}/webhooks/nectar", None),
    "port 0": ("https://hooks.example.com:0/x", None),
    "http": ("http://hooks.example.com/x", None),
    "user information": ("https://us@hooks.example.com/x", None),
    "backslash": ("https://hooks.example.com\\@10.0.0.1/x", None),
    "fragment": ("https://hooks.example.com/x#y", None),
    "dot segments": ("https://hooks.example.com/x/../y", None),
    "dot segments with parameters": ("https://hooks.example.com/x/..;a/y", None),
    "another scheme": ("ftp://hooks.example.com/x", None),
    "no address": ("hooks.example.com", None),
    "too long": ("https://hooks.example.com/" + "x" * 3000, None),
}


@pytest.fixture
def clock() -> Clock:
    return Clock(time())


@pytest.fixture
async def made(services: RunningServices) -> JsonObject:
    return await endpoint(services)


def resolving(services: RunningServices) -> None:
    """Addresses lead to themselves, as with the system's resolver."""
    for url, address in INNER.values():
        host = url.partition("://")[2].partition("/")[0].strip("[]")
        services.receivers.names.setdefault(host, [[address or host]])


async def test_an_endpoint_beyond_a_hundred_is_refused_with_the_limit(services: RunningServices) -> None:
    made = [await endpoint(services, description=str(number)) for number in range(100)]
    answer = await services.host.post(PATH, json={"url": URL})
    refused(answer, 422, "invalid_request")
    assert answer.json()["detail"] == "There are at most 100 webhook endpoints; delete one first"
    assert (await (await services.stranger()).post(PATH, json={"url": URL})).status_code == 201
    assert (await services.host.delete(f"{PATH}/{made[0]['id']}")).status_code == 204
    await endpoint(services)


@pytest.mark.parametrize("name", INNER)
async def test_an_address_that_must_not_be_reached_is_refused(services: RunningServices, name: str) -> None:
    resolving(services)
    url, _ = INNER[name]
    refused(await services.host.post(PATH, json={"url": url}), 422, "invalid_request", "/url")
    made = await endpoint(services)
    refused(await services.host.patch(f"{PATH}/{made['id']}", json={"url": url}), 422, "invalid_request", "/url")
    assert services.receivers.connects == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": URL, "types": ["session.created", "session.imagined"]}, "/types/1"),
        ({"url": URL, "types": "session.created"}, "/types"),
        ({"url": URL, "description": "x" * 300}, "/description"),
        ({"url": URL, "description": "line\nbreak"}, "/description"),
        ({"url": URL, "companyId": "acme"}, "/companyId"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
    ],
)
async def test_a_body_that_is_wrong_is_refused_by_field(
    services: RunningServices, body: JsonObject, pointer: str
) -> None:
    refused(await services.host.post(PATH, json=body), 422, "invalid_request", pointer)
    assert await services.rows(PATH) == []


@pytest.mark.parametrize("since", ["yesterday", "2027-01-15", "2027-01-15T08:00:00", "99999-01-01T00:00:00Z", ""])
async def test_a_replay_needs_a_time_with_a_zone(services: RunningServices, made: JsonObject, since: str) -> None:
    answer = await services.host.post(f"{PATH}/{made['id']}/replay", json={"since": since})
    refused(answer, 422, "invalid_request", "/since")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate-secret"),
        ("POST", "/test"),
        ("POST", "/replay"),
        ("GET", "/deliveries"),
    ],
)
async def test_another_tenants_endpoint_is_an_unknown_one(
    services: RunningServices, made: JsonObject, method: str, path: str
) -> None:
    stranger = await services.stranger()
    body = None if method in {"GET", "DELETE"} else ({"since": "2027-01-15T08:00:00Z"} if "replay" in path else {})
    for caller, endpoint_id in ((stranger, made["id"]), (services.host, "whe_unknown0000"), (services.host, "x")):
        answer = await caller.request(method, f"{PATH}/{endpoint_id}{path}", json=body)
        refused(answer, 404, "not_found")
    assert (await seen(services, made))["status"] == "enabled"


async def test_another_tenants_delivery_is_an_unknown_one(services: RunningServices, made: JsonObject) -> None:
    delivery = await services.post(f"{PATH}/{made['id']}/test")
    stranger = await services.stranger()
    refused(await stranger.get(f"/v1/deliveries/{delivery['id']}"), 404, "not_found")
    refused(await stranger.post(f"/v1/deliveries/{delivery['id']}/replay", json={}), 404, "not_found")
    refused(await services.host.get("/v1/deliveries/whd_unknown0000"), 404, "not_found")


async def test_a_list_of_deliveries_refuses_an_unknown_status(services: RunningServices, made: JsonObject) -> None:
    answer = await services.host.get(f"{PATH}/{made['id']}/deliveries", params={"status": "lost"})
    refused(answer, 422, "invalid_request", "/status")


async def test_a_change_leaves_what_it_does_not_name(services: RunningServices) -> None:
    company = "5f2b6c1e-8a3d-4f1e-9b57-0c2d4e6f8a10"
    made = await endpoint(services, types=["session.created"], companyId=company, description="mine")
    path = f"{PATH}/{made['id']}"
    same = (await services.host.patch(path, json={})).json()
    assert {name: same[name] for name in ("types", "companyId", "description", "url")} == {
        "types": ["session.created"],
        "companyId": company,
        "description": "mine",
        "url": URL,
    }
    changed = (await services.host.patch(path, json={"companyId": None, "types": []})).json()
    assert (changed["types"], changed["companyId"]) == ([], None)


async def test_null_puts_a_field_back_as_it_is_at_the_creation(services: RunningServices) -> None:
    company = "5f2b6c1e-8a3d-4f1e-9b57-0c2d4e6f8a10"
    made = await endpoint(services, types=["session.created"], companyId=company, description="mine")
    nothing = {"types": None, "companyId": None, "description": None, "url": None, "status": None}
    answer = await services.host.patch(f"{PATH}/{made['id']}", json=nothing)
    changed = answer.json()
    assert (changed["types"], changed["companyId"], changed["description"]) == ([], None, "")
    # An endpoint always has these two, so null leaves them.
    assert (changed["url"], changed["status"]) == (URL, "enabled")


async def test_a_disabled_endpoint_gets_no_events(services: RunningServices, ada: User, made: JsonObject) -> None:
    changed = (await services.host.patch(f"{PATH}/{made['id']}", json={"status": "disabled"})).json()
    assert (changed["status"], changed["disabledReason"]) == ("disabled", "host")
    await ada.session()
    await services.deliver()
    assert services.receivers.main.posts == []
    assert await services.rows(f"{PATH}/{made['id']}/deliveries") == []


async def test_a_deleted_endpoint_gets_nothing_that_was_pending(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    await ada.session()
    answer = await services.host.delete(f"{PATH}/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    await services.deliver()
    assert services.receivers.main.posts == []
    refused(await services.host.get(f"{PATH}/{made['id']}"), 404, "not_found")
    refused(await services.host.delete(f"{PATH}/{made['id']}"), 404, "not_found")


async def test_every_change_is_audited_with_the_keys_id(services: RunningServices, made: JsonObject) -> None:
    path = f"{PATH}/{made['id']}"
    await services.host.patch(path, json={"description": "new"})
    await services.post(f"{path}/rotate-secret")
    await services.host.delete(path)

    def audited(tx: Transaction) -> list[tuple[str, str]]:
        rows = tx.all("SELECT actor, change FROM endpoint_audit WHERE endpoint_id = :id ORDER BY at, id", id=made["id"])
        return [(row["actor"], row["change"]) for row in rows]

    found = await services.parts.store.engine.read(audited)
    assert {actor for actor, _ in found} == {"bootstrap"}
    assert sorted(change for _, change in found) == ["changed", "created", "deleted", "secret rotated"]
    assert (made["createdBy"], made["changedBy"]) == ("bootstrap", "bootstrap")


async def test_endpoints_and_deliveries_are_listed_newest_first_in_pages(services: RunningServices, ada: User) -> None:
    made = []
    for number in range(3):
        made.append(await endpoint(services, description=str(number), types=["session.created"]))
        services.clock.advance(1)
    first = await services.get(PATH, limit=2)
    second = await services.get(PATH, limit=2, after=first["next"])
    assert [row["description"] for row in (*first["data"], *second["data"])] == ["2", "1", "0"]
    assert second["next"] is None
    for _ in range(3):
        await ada.session()
        services.clock.advance(1)
    await services.deliver()
    path = f"{PATH}/{made[0]['id']}/deliveries"
    page = await services.get(path, limit=2, status="delivered")
    rest = await services.get(path, limit=2, status="delivered", after=page["next"])
    rows = [*page["data"], *rest["data"]]
    assert [row["createdAt"] for row in rows] == sorted((row["createdAt"] for row in rows), reverse=True)
    assert (len(rows), await services.rows(path, status="failed")) == (3, [])


async def test_the_answer_of_a_receiver_is_kept_as_far_as_a_kilobyte(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    head = b"HTTP/1.1 500 No\r\nContent-Length: 2000\r\n\r\n"
    services.receivers.main.answer = lambda _: [head + b"because " + b"x" * 1992]
    await ada.session()
    await services.deliver()
    (row, *_) = await services.rows(f"{PATH}/{made['id']}/deliveries", status="pending", limit=100)
    found = [row for row in await services.rows(f"{PATH}/{made['id']}/deliveries") if row["attempts"]]
    assert found[0]["attempts"][0]["responseStart"] == "because " + "x" * 1016
    assert row["status"] == "pending"


async def test_an_event_that_was_deleted_by_its_age_fails_its_delivery(
    services: RunningServices, ada: User, made: JsonObject
) -> None:
    services.receivers.at.pop(PUBLIC)
    await ada.session()
    gone = EventId((await services.rows("/v1/events"))[0]["id"])
    await services.parts.store.engine.write(lambda tx: tx.run("DELETE FROM events WHERE id = :id", id=gone))
    await services.deliver()
    (row,) = await services.rows(f"{PATH}/{made['id']}/deliveries", status="failed")
    assert (row["eventId"], row["attempts"][0]["error"]) == (gone, "event_deleted")


async def test_a_name_that_does_not_resolve_yet_is_accepted_and_tried_later(
    services: RunningServices, ada: User
) -> None:
    services.receivers.names.pop(NAME)
    made = await endpoint(services, types=["session.created"])
    await ada.session()
    await services.deliver()
    (row,) = await services.rows(f"{PATH}/{made['id']}/deliveries")
    assert row["attempts"][0]["error"] == "name_not_resolved"
