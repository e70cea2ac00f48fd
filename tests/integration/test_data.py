"""Bills and usage, read from the provider with all their pages; and the event that says so."""

from typing import Any

import httpx
import pytest

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
        ("usage", "identifier=" + "x" * 1025, "/identifier"),
        ("documents", "startDate=2027-01-01", "/startDate"),
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
    bills = await services.rows(f"/v1/connections/{connection['id']}/documents")
    usage = await services.rows(f"/v1/connections/{connection['id']}/usage")
    assert len({bill["id"] for bill in bills}) == len(bills) == 120
    assert {entry["datasourceType"] for entry in usage} == {"ELECTRICITY", "GAS", "WATER", "SOLAR", "FUEL"}
    assert bills == await services.rows(f"/v1/connections/{connection['id']}/documents")


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


async def test_the_arrival_of_bills_emits_one_event(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    assert "document.available" not in await services.event_types()
    for _ in range(12):
        await services.later(5)
    reported = [
        event for event in await services.rows("/v1/events", limit=100) if event["type"] == "document.available"
    ]
    assert [(event["connectionId"], event["userId"], event["data"]) for event in reported] == [
        (connection["id"], "ada", {"documents": 120})
    ]
    assert reported[0]["sessionId"] == connection["sessionId"]


async def test_a_connection_whose_password_was_wrong_is_not_asked_for_bills(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect(WRONG)
    await page.finish()
    for _ in range(12):
        await services.later(5)
    assert services.outgoing.made("GET /document") == 0


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
