"""Bills and usage, read from the provider with all their pages; and the event that says so."""

from typing import Any

import httpx
import pytest

from service.domain.changes import Job, JobKind
from service.domain.model import DEFAULT_TENANT
from tests.support.connection_steps import broken, reconnecting, repair
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import WRONG, User

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", ["usage", "documents"])
@pytest.mark.parametrize("connection_id", [UNKNOWN, "nonsense", "..", "%2e%2e", "%00"])
async def test_an_unknown_connection_has_no_data(services: RunningServices, path: str, connection_id: str) -> None:
    answer = await services.host.get(f"/v1/connections/{connection_id}/{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("usage", "page=2", "/page"),
        ("usage", "startDate=2027-01-01&startDate=2027-01-02", "/startDate"),
        ("usage", "datasourceType=%00", "/datasourceType"),
        ("usage", "datasourceType=GAS&datasourceType=", "/datasourceType"),
        ("usage", "identifier=" + "x" * 1025, "/identifier"),
        ("documents", "startDate=2027-01-01", "/startDate"),
        ("documents", "limit=101", "/limit"),
        ("documents", "after=0.0", "/after"),
        ("documents", "after=1.-1", "/after"),
        ("documents", "after=99999.0", "/after"),
        ("documents", "after=1%00", "/after"),
    ],
)
async def test_an_unknown_or_unreadable_parameter_is_refused_by_name(
    services: RunningServices, ada: User, path: str, query: str, pointer: str
) -> None:
    connection = await ada.connected()
    answer = await services.host.get(f"/v1/connections/{connection['id']}/{path}?{query}")
    refused(answer, 422, "invalid_request", pointer)


async def test_a_filter_that_the_provider_refuses_is_the_callers_mistake(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    answer = await services.host.get(f"/v1/connections/{connection['id']}/usage?startDate=yesterday")
    refused(answer, 422, "provider_refused")


@pytest.mark.parametrize("path", ["usage", "documents"])
async def test_a_provider_that_is_away_is_said_so(services: RunningServices, ada: User, path: str) -> None:
    connection = await ada.connected()
    services.outgoing.is_down = True
    refused(await services.host.get(f"/v1/connections/{connection['id']}/{path}"), 502, "provider_error")


async def test_nothing_is_there_at_first_and_two_years_of_bills_after_a_moment(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    for path in ("usage", "documents"):
        assert await services.get(f"/v1/connections/{connection['id']}/{path}") == {"data": [], "next": None}
    services.clock.advance(30)
    bills = await every_bill(services, connection["id"], 100)
    usage = await services.rows(f"/v1/connections/{connection['id']}/usage")
    assert len({bill["id"] for bill in bills}) == len(bills) == 120
    assert {entry["datasourceType"] for entry in usage} == {"ELECTRICITY", "GAS", "WATER", "SOLAR", "FUEL"}
    for limit in (7, 25, 60, 99):
        assert bills == await every_bill(services, connection["id"], limit)


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"datasourceType": "GAS"}, lambda one: one["datasourceType"] == "GAS"),
        ({"startDate": "2026-06-01"}, lambda one: one["endDate"] >= "2026-06-01"),
        ({"endDate": "2026-06-01"}, lambda one: one["startDate"] <= "2026-06-01"),
    ],
)
async def test_usage_can_be_narrowed_as_at_the_provider(
    services: RunningServices, ada: User, filters: dict[str, str], holds: Any
) -> None:
    connection = await ada.connected()
    services.clock.advance(30)
    path = f"/v1/connections/{connection['id']}/usage"
    some, everything = await services.get(path, **filters), await services.get(path)
    assert 0 < len(some["data"]) < len(everything["data"])
    assert all(map(holds, some["data"]))


async def test_usage_of_several_types_is_one_call(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    services.clock.advance(30)
    usage = await services.rows(f"/v1/connections/{connection['id']}/usage", datasourceType=["GAS", "WATER"])
    assert {one["datasourceType"] for one in usage} == {"GAS", "WATER"}


async def every_bill(services: RunningServices, connection_id: str, limit: int) -> list[JsonObject]:
    """All bills of a connection, read list page by list page."""
    found: list[JsonObject] = []
    more: dict[str, str] = {}
    while True:
        page = await services.get(f"/v1/connections/{connection_id}/documents", limit=limit, **more)
        found += page["data"]
        if page["next"] is None:
            return found
        assert len(page["data"]) == limit
        more = {"after": page["next"]}


async def test_a_list_page_costs_no_more_of_the_providers_pages_than_it_stands_on(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    services.clock.advance(30)
    for after, calls in (("1.0", 1), ("1.90", 2), ("2.0", 1), ("5.0", 1)):
        services.outgoing.calls.clear()
        await services.get(f"/v1/connections/{connection['id']}/documents", limit=20, after=after)
        assert services.outgoing.made("GET /document") == calls


async def named(services: RunningServices) -> list[JsonObject]:
    events = await services.rows("/v1/events", limit=100)
    return [event for event in events if event["type"] == "document.available"]


async def test_empty_pages_without_an_end_cost_one_call_each(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    empty = {"documents": [], "currentPage": 1, "hasNext": True}
    services.outgoing.reshape = lambda call, body: empty if "/document" in call.url.path else body
    services.outgoing.calls.clear()
    page = await services.get(f"/v1/connections/{connection['id']}/documents")
    assert (page["data"], page["next"] is not None) == ([], True)
    assert services.outgoing.made("GET /document") == 1


@pytest.mark.parametrize("documents", [[], [{"id": "bill-1"}]], ids=["empty", "always the same"])
async def test_a_list_without_an_end_costs_a_job_two_calls(
    services: RunningServices, ada: User, documents: list[JsonObject]
) -> None:
    await ada.connected()
    endless = {"documents": documents, "hasNext": True}
    services.outgoing.reshape = lambda call, body: endless if "/document" in call.url.path else body
    services.outgoing.calls.clear()
    await services.later(5)
    assert 1 <= services.outgoing.made("GET /document") <= 2
    assert [event["data"]["documentIds"] for event in await named(services)] == [["bill-1"]] * len(documents)


async def test_new_bills_are_named_each_once_for_their_connection(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    assert await named(services) == []
    for _ in range(12):
        await services.later(5)
    first, second = await named(services)  # an event for each page of the provider
    assert {event["connectionId"] for event in (first, second)} == {connection["id"]}
    assert (first["userId"], first["sessionId"]) == ("ada", connection["sessionId"])
    assert (first["data"]["documents"], second["data"]["documents"]) == (100, 120)
    ids = first["data"]["documentIds"] + second["data"]["documentIds"]
    assert sorted(ids) == sorted(bill["id"] for bill in await every_bill(services, connection["id"], 100))
    await services.deliver_webhooks()
    await services.later(60)
    assert len(await named(services)) == 2


async def test_later_bills_are_named_too_and_not_the_earlier_ones_again(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    for _ in range(12):
        await services.later(5)
    await services.deliver_webhooks()
    await services.later(60)
    before = len(await named(services))
    new = {"documents": [{"id": "new-bill"}], "currentPage": 1, "hasNext": False}
    services.outgoing.reshape = lambda call, body: new if call.url.path.endswith("/document") else body
    await services.parts.store.queue.enqueue(Job(JobKind.DOCUMENTS, connection["id"]))
    await services.drain()
    (event,) = (await named(services))[before:]
    assert event["data"] == {"documents": 121, "documentIds": ["new-bill"]}


async def test_uploaded_bills_are_named_without_a_connection_and_those_of_strangers_connections_are_not(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    company = connection["company"]["id"]
    # A connection that is older than the company's first session is not recorded; its bills are nobody's here.
    ids = {"uploaded": "job-1", "collected": None, "odd id": "job-2", "of-the-connection": "job-3"}
    listed = [{"id": name, "jobId": job} for name, job in ids.items()]
    own = {"documents": [{"id": "of-the-connection"}], "currentPage": 1, "hasNext": False}
    all_of_them = {"documents": listed, "currentPage": 1, "hasNext": False}

    def reshape(call: httpx.Request, body: Any) -> Any:
        if not call.url.path.endswith("/document"):
            return body
        return own if "/connection/" in call.url.path else all_of_them

    services.outgoing.reshape = reshape
    await services.parts.store.queue.enqueue(Job(JobKind.DOCUMENTS, connection["id"]))
    await services.drain()
    (ref,) = {one.company for one in await services.parts.store.connections.list_page(DEFAULT_TENANT, {}, None, 5)}
    for _ in range(2):
        await services.parts.store.queue.enqueue(Job(JobKind.UPLOADS, ref))
        await services.drain()
    (event,) = [one for one in await named(services) if one["connectionId"] is None]
    assert event["data"] == {"documents": 1, "documentIds": ["uploaded"], "companyId": company}
    assert (event["sessionId"], event["userId"]) == (None, None)


async def test_an_upload_at_the_provider_is_found_by_its_webhook_event(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    path = f"/job/company/{connection['company']['id']}/bulk"
    await services.sandbox.post(path, {"documents": ["https://files.example/gas-may.pdf"]})
    services.clock.advance(30)
    await services.sandbox.get("/ping")  # the sandbox notices that its job has ended
    await services.deliver_webhooks()
    for _ in range(4):
        await services.later(30)
    (event,) = [one for one in await named(services) if one["connectionId"] is None]
    assert event["data"]["documents"] == len(event["data"]["documentIds"]) == 1


async def test_a_connection_whose_password_was_wrong_is_not_asked_for_bills(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect(WRONG)
    await page.finish()
    for _ in range(12):
        await services.later(5)
    assert services.outgoing.made("GET /document") == 0


@pytest.mark.parametrize("hours", [5, 5 * 24])
async def test_bills_of_an_account_that_works_long_after_it_was_recorded_are_named_without_any_webhook(
    services: RunningServices, ada: User, hours: int
) -> None:
    await services.sandbox.trouble("pending_for", seconds=hours * 3600)
    assert (await ada.connected())["status"] == "PENDING"
    for _ in range(hours + 24):
        await services.later(3600)
    assert (await ada.newest())["status"] == "CONNECTED"
    for _ in range(12):
        await services.later(5)
    assert sum(len(event["data"]["documentIds"]) for event in await named(services)) == 120
    assert services.outgoing.made("GET /document") <= 4


async def test_bills_of_an_account_that_was_mended_are_named_without_any_webhook(
    services: RunningServices, ada: User
) -> None:
    page = await reconnecting(services, await broken(ada))
    await repair(page)
    assert (await page.finish())["status"] == "connected"
    for _ in range(12):
        await services.later(5)
    assert sum(len(event["data"]["documentIds"]) for event in await named(services)) == 120


async def test_an_account_that_works_without_any_bill_costs_few_reads_although_it_changes_daily(
    services: RunningServices, ada: User
) -> None:
    connection = await ada.connected()
    none = {"documents": [], "currentPage": 1, "hasNext": False}
    services.outgoing.reshape = lambda call, body: none if call.url.path.endswith("/document") else body
    for _ in range(24):
        await services.later(3600)
    services.outgoing.calls.clear()
    for hour in range(24 * 6):
        if hour % 24 == 0:
            path = f"/_control/connections/{connection['id']}"
            await services.sandbox.plain("PUT", path, json={"status": "CONNECTED"})
        await services.later(3600)
    assert services.outgoing.made("GET /document") <= 6 * 6


async def test_the_providers_key_goes_nowhere_else(services: RunningServices, ada: User) -> None:
    seen: list[httpx.URL] = []

    async def note(request: httpx.Request) -> None:
        if "x-api-key" in request.headers:
            seen.append(request.url)

    services.outgoing.before = note
    connection = await ada.connected()
    services.clock.advance(30)
    await services.get(f"/v1/connections/{connection['id']}/documents")
    assert {f"{url.scheme}://{url.netloc.decode()}" for url in seen} == {"http://127.0.0.1:9000"}
