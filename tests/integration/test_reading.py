"""Reading sessions and connections back: one, many, filtered, page by page."""

import base64
from typing import Any

import pytest

from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import WRONG, User

LISTS = ("/v1/sessions", "/v1/connections")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def pages(services: RunningServices, path: str, **params: Any) -> list[list[JsonObject]]:
    """Every page of a list, one after the other."""
    found: list[list[JsonObject]] = []
    after: dict[str, str] = {}
    while True:
        body = await services.get(path, **params, **after)
        assert set(body) == {"data", "next"}
        found.append(body["data"])
        if body["next"] is None:
            return found
        after = {"after": body["next"]}


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=1.5", "/limit"),
        ("limit=1e2", "/limit"),
        ("limit=" + "9" * 400, "/limit"),
        ("limit=٣", "/limit"),
        ("limit=5&limit=6", "/limit"),
        ("after=x", "/after"),
        ("after=%00", "/after"),
        ("after=" + cursor("nan|ses_x"), "/after"),
        ("after=" + cursor("inf|ses_x"), "/after"),
        ("after=" + cursor("1e400|ses_x"), "/after"),
        ("after=" + "A" * 5000, "/after"),
        ("page=2", "/page"),
        ("userid=ada", "/userid"),
        ("userId=ada&userId=bob", "/userId"),
        ("userId=a%00b", "/userId"),
        ("userId=" + "x" * 1025, "/userId"),
    ],
)
async def test_a_parameter_that_is_unknown_unreadable_or_twice_is_refused_by_name(
    services: RunningServices, path: str, query: str, pointer: str
) -> None:
    refused(await services.host.get(f"{path}?{query}"), 422, "invalid_request", pointer)


async def test_a_status_that_no_session_can_have_is_refused(services: RunningServices) -> None:
    refused(await services.host.get("/v1/sessions?status=done"), 422, "invalid_request", "/status")


@pytest.mark.parametrize("value", ["1", "yes", "True"])
async def test_attributed_is_true_or_false(services: RunningServices, value: str) -> None:
    refused(await services.host.get(f"/v1/connections?attributed={value}"), 422, "invalid_request", "/attributed")


@pytest.mark.parametrize("session_id", ["ses_00000000000000000000", "nonsense", "ses_%00", "SES_0123456789"])
async def test_an_unknown_session_is_not_found(services: RunningServices, session_id: str) -> None:
    for path in (f"/v1/sessions/{session_id}", f"/v1/sessions/{session_id}/events"):
        assert (await services.host.get(path)).json()["code"] == "not_found"


@pytest.mark.parametrize("connection_id", [UNKNOWN, "nonsense", "%00", "ses_0123456789"])
async def test_an_unknown_connection_is_not_found(services: RunningServices, connection_id: str) -> None:
    refused(await services.host.get(f"/v1/connections/{connection_id}"), 404, "not_found")


async def test_another_tenants_rows_are_not_there(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    other = await services.stranger()
    refused(await other.get(f"/v1/sessions/{connection['sessionId']}"), 404, "not_found")
    refused(await other.get(f"/v1/sessions/{connection['sessionId']}/events"), 404, "not_found")
    refused(await other.get(f"/v1/connections/{connection['id']}"), 404, "not_found")
    for path in (*LISTS, "/v1/events"):
        assert (await other.get(path)).json()["data"] == []


@pytest.mark.parametrize("path", LISTS)
async def test_an_empty_list_is_a_list(services: RunningServices, path: str) -> None:
    assert await services.get(path) == {"data": [], "next": None}


async def test_sessions_come_newest_first_and_each_once_over_all_pages(services: RunningServices, ada: User) -> None:
    made = []
    for number in range(12):
        made.append((await services.post("/v1/sessions", ada.wants()))["id"])
        services.clock.advance(number % 3)  # some at the same moment
    read = await pages(services, "/v1/sessions", limit=5)
    assert [len(page) for page in read] == [5, 5, 2]
    rows = [row for page in read for row in page]
    assert sorted(row["id"] for row in rows) == sorted(made)
    assert [row["createdAt"] for row in rows] == sorted((row["createdAt"] for row in rows), reverse=True)


async def test_a_list_has_twenty_five_rows_unless_asked_otherwise(services: RunningServices, ada: User) -> None:
    for _ in range(26):
        await services.post("/v1/sessions", ada.wants())
    assert [len(page) for page in await pages(services, "/v1/sessions")] == [25, 1]
    assert [len(page) for page in await pages(services, "/v1/sessions", limit=26)] == [26]


async def test_what_is_made_while_reading_does_not_shift_the_pages(services: RunningServices, ada: User) -> None:
    for _ in range(4):
        await services.post("/v1/sessions", ada.wants())
        services.clock.advance(1)
    first = await services.get("/v1/sessions", limit=2)
    await services.post("/v1/sessions", ada.wants())
    second = await services.get("/v1/sessions", limit=2, after=first["next"])
    assert not {row["id"] for row in first["data"]} & {row["id"] for row in second["data"]}
    assert len(second["data"]) == 2


async def test_sessions_are_filtered_by_user_status_and_company(
    services: RunningServices, ada: User, bob: User, mallory: User
) -> None:
    hers, his, theirs = await ada.session(), await bob.session(), await mallory.session()
    await services.post(f"/v1/sessions/{his['id']}/revoke")

    async def found(**filters: str) -> set[str]:
        return {row["id"] for row in await services.rows("/v1/sessions", **filters)}

    company = (await services.get(f"/v1/sessions/{hers['id']}"))["company"]["id"]
    assert await found(userId="ada") == {hers["id"]}
    assert await found(status="revoked") == {his["id"]}
    assert await found(companyId=company) == await found(companyId="acme") == {hers["id"], his["id"]}
    assert await found(companyId=company.upper()) == {hers["id"], his["id"]}
    assert await found(companyId="ACME") == set()  # your own id is compared as it is
    assert await found(companyId="evil") == {theirs["id"]}
    assert await found(userId="ada", status="revoked") == set()
    assert await found(userId="nobody") == set()


@pytest.mark.parametrize("user", ["' OR 1=1 --", "%", "_da", "Ada", "ada "])
async def test_a_filter_is_an_equal_and_nothing_cleverer(services: RunningServices, ada: User, user: str) -> None:
    await ada.session()
    assert await services.rows("/v1/sessions", userId=user) == []


async def test_connections_are_filtered_by_user_company_status_and_attribution(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers = await ada.connected()
    page = await bob.frame()
    await page.connect(WRONG)
    await page.finish()
    his = await bob.newest()
    services.clock.advance(10)
    nobodys = await services.sandbox.connect(hers["company"]["id"], [hers["sites"][0]["id"]])
    await services.later(300)

    async def found(**filters: str) -> set[str]:
        return {row["id"] for row in await services.rows("/v1/connections", **filters)}

    assert await found(userId="ada") == {hers["id"]}
    assert await found(attributed="true") == {hers["id"], his["id"]}
    assert await found(attributed="false") == {nobodys["id"]}
    assert await found(status="CONNECTED") == {hers["id"], nobodys["id"]}
    assert await found(companyId="acme") == await found(companyId=hers["company"]["id"]) == await found()
    assert await found(companyId=hers["company"]["id"].upper()) == await found()
    assert await found(companyId="evil") == set()
    assert [len(rows) for rows in await pages(services, "/v1/connections", limit=2)] == [2, 1]


async def test_a_connection_is_returned_with_every_documented_field(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    assert await services.get(f"/v1/connections/{connection['id'].upper()}") == connection
    assert set(connection) == {
        *("id", "userId", "sessionId", "company", "sites", "status", "providerStatus", "provider", "evidence"),
        *("state", "words", "createdAt", "recordedAt", "updatedAt", "needsAttention"),
    }
    assert connection["company"] == {"id": connection["company"]["id"], "externalId": "acme"}
    stored = await services.get(f"/v1/sessions/{connection['sessionId']}")
    assert connection["sites"] == stored["sites"]
    assert (connection["status"], connection["providerStatus"]) == ("CONNECTED", "CONNECTED")
    assert connection["provider"] == {"name": "Nectar Sandbox Utility", "url": "https://nectarclimate.com"}
    assert set(connection["evidence"]) == {"kind", "at", "presumed", "crossDevice"}


@pytest.mark.parametrize("path", [*LISTS, "/v1/events"])
async def test_head_answers_as_get_does_without_a_body(services: RunningServices, path: str) -> None:
    answer = await services.host.head(path)
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, b"", "no-store")
