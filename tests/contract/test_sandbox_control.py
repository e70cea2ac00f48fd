"""The control API: troubles for whom and how long, time, the log of requests, and the reset."""

from contextlib import suppress

import httpx
import pytest

from service.sandbox.wire.enums import STATUSES
from service.sandbox.world.troubles import NAMES
from tests.support.clock import Clock
from tests.support.sandbox_client import GUIDE, Sandbox, with_webhooks


async def status_of(sandbox: Sandbox, path: str = "/ping") -> int:
    return (await sandbox.call("GET", path)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:9000"},
        {"origin": "https://mallory.example"},
        {"origin": "null"},
    ],
)
async def test_a_page_of_another_site_controls_nothing(sandbox: Sandbox, headers: dict[str, str]) -> None:
    company = (await sandbox.call("POST", "/company", {"name": "Acme", "externalId": "acme"})).json()["id"]
    for method, path in (("POST", "/reset"), ("POST", "/time?advanceSeconds=9"), ("PUT", "/troubles/slow")):
        answer = await sandbox.plain(method, f"/_control{path}", headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"detail": "Sent from another site."})
    assert (await sandbox.plain("GET", "/_control/troubles")).json() == {"troubles": []}
    assert (await sandbox.call("GET", f"/company/{company}")).status_code == 200


async def test_a_name_that_a_stranger_gave_to_its_address_controls_nothing(sandbox: Sandbox) -> None:
    # Of a page at such a name a browser sends no other header for a GET.
    for method, path in (("GET", "/requests"), ("POST", "/reset")):
        answer = await sandbox.plain(method, f"/_control{path}", headers={"host": "evil.example.com:9000"})
        assert (answer.status_code, "SANDBOX_PUBLIC_URL" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:9000", "localhost", "[::1]:9000", "192.0.2.7", "sandbox:9000", "sandbox.localhost"),
        *("sandbox.default.svc.cluster.local:9000", "box.internal", "box.example.com:9000"),
    ],
)
async def test_it_is_controlled_by_any_name_that_no_stranger_can_give(clock: Clock, host: str) -> None:
    sandbox = Sandbox(clock, public_url="https://box.example.com")
    assert (await sandbox.plain("POST", "/_control/reset", headers={"host": host})).status_code == 204


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://127.0.0.1:9000"}]
)
async def test_a_program_and_the_sandboxs_own_pages_may_control_it(sandbox: Sandbox, headers: dict[str, str]) -> None:
    assert (await sandbox.plain("POST", "/_control/reset", headers=headers)).status_code == 204


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("no_such", {}, "no_such"),
        ("slow", {"sconds": 1}, "sconds"),
        ("slow", {"seconds": -1}, "seconds"),
        ("slow", {"seconds": "1"}, "seconds"),
        ("slow", {"seconds": True}, "seconds"),
        ("slow", {"times": 0}, "times"),
        ("slow", {"times": 1.5}, "times"),
        ("slow", {"companyId": "acme"}, "companyId"),
        ("slow", {"companyId": "00000000-0000-4000-8000-000000000000"}, "companyId"),
        ("slow", {"status": "CONNECTED"}, "status"),
        ("provider_5xx", {"status": 404}, "status"),
        ("status_change", {}, "status"),
        ("status_change", {"status": "FINE"}, "status"),
    ],
)
async def test_an_unknown_name_or_a_wrong_field_is_400_naming_it(
    sandbox: Sandbox, name: str, body: dict[str, object], named: str
) -> None:
    answer = await sandbox.plain("PUT", f"/_control/troubles/{name}", json=body)
    assert (answer.status_code, set(answer.json())) == (400, {named})
    assert (await sandbox.plain("GET", "/_control/troubles")).json() == {"troubles": []}


async def test_a_companys_trouble_leaves_the_others_alone(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    other, _ = await sandbox.company("Other")
    made = await sandbox.connect(company, sites)
    invitation = await sandbox.post(f"/invitation/company/{company}")
    await sandbox.trouble("provider_5xx", companyId=company)
    for path in (
        f"/company/{company}",
        f"/site/{sites[0]}",
        f"/connection/{made['id']}",
        f"/invitation/{invitation['id']}",
        f"/document/connection/{made['id']}",
    ):
        assert await status_of(sandbox, path) == 500
    assert await status_of(sandbox, f"/company/{other}") == 200
    assert await status_of(sandbox) == 200


async def test_a_company_id_may_be_in_capitals(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("provider_5xx", companyId=company.upper())
    assert await status_of(sandbox, f"/company/{company}") == 500


async def test_a_trouble_is_used_as_often_as_requested_and_listed_until_then(sandbox: Sandbox) -> None:
    await sandbox.trouble("provider_5xx", times=2)
    assert await status_of(sandbox) == 500
    listed = (await sandbox.plain("GET", "/_control/troubles")).json()
    assert listed == {"troubles": [{"name": "provider_5xx", "times": 1}]}
    assert [await status_of(sandbox) for _ in range(2)] == [500, 200]
    assert (await sandbox.plain("GET", "/_control/troubles")).json() == {"troubles": []}


async def test_a_trouble_without_a_size_lasts_for_its_seconds(sandbox: Sandbox) -> None:
    await sandbox.trouble("provider_5xx", seconds=60)
    sandbox.clock.advance(59)
    assert await status_of(sandbox) == 500
    sandbox.clock.advance(1)
    assert await status_of(sandbox) == 200


async def test_a_trouble_is_stopped_for_one_company_or_for_all(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("provider_5xx", status=502)
    await sandbox.trouble("provider_5xx", companyId=company)
    ended = await sandbox.plain("DELETE", "/_control/troubles/provider_5xx", params={"companyId": company})
    assert ended.status_code == 204
    assert (await status_of(sandbox), await status_of(sandbox, f"/company/{company}")) == (502, 502)
    await sandbox.trouble("provider_5xx", companyId=company)
    await sandbox.plain("DELETE", "/_control/troubles/provider_5xx")
    assert (await status_of(sandbox), await status_of(sandbox, f"/company/{company}")) == (200, 200)
    assert (await sandbox.plain("DELETE", "/_control/troubles/provider_5xx")).status_code == 204


async def test_troubles_can_be_set_by_query_parameters(sandbox: Sandbox) -> None:
    answer = await sandbox.plain("PUT", "/_control/troubles/provider_5xx?times=1&status=502")
    assert answer.json() == {"name": "provider_5xx", "times": 1, "status": 502}
    assert [await status_of(sandbox), await status_of(sandbox)] == [502, 200]


async def test_a_trouble_in_the_query_affects_that_request_only(sandbox: Sandbox) -> None:
    assert await status_of(sandbox, "/ping?trouble=provider_5xx") == 500
    assert await status_of(sandbox) == 200
    assert await status_of(sandbox, "/ping?trouble=no_such_trouble") == 200


@pytest.mark.parametrize("name", NAMES)
async def test_a_connection_has_a_documented_status_whatever_trouble_its_query_asks_for(
    sandbox: Sandbox, name: str
) -> None:
    company, sites = await sandbox.company()
    with suppress(httpx.RemoteProtocolError):  # of drop_connection
        await sandbox.call("POST", f"/company/{company}/connection?trouble={name}", {**GUIDE, "sites": sites})
    assert {each["status"] for each in (await sandbox.get(f"/company/{company}/connection"))["connections"]} <= {
        *STATUSES
    }


@pytest.mark.parametrize("name", NAMES)
async def test_every_trouble_can_be_set_listed_and_stopped(sandbox: Sandbox, name: str) -> None:
    await sandbox.trouble(name, times=3, **({"status": "OTHER_ERROR"} if name == "status_change" else {}))
    listed = (await sandbox.plain("GET", "/_control/troubles")).json()["troubles"]
    assert [trouble["name"] for trouble in listed] == [name]
    assert (await sandbox.plain("DELETE", f"/_control/troubles/{name}")).status_code == 204
    assert (await sandbox.plain("GET", "/_control/troubles")).json() == {"troubles": []}


async def test_a_reset_deletes_all_data_and_stops_every_trouble(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    company, sites = await sandbox.company()
    await sandbox.connect(company, sites)
    await sandbox.trouble("slow")
    await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 60})
    assert (await sandbox.plain("POST", "/_control/reset")).status_code == 204
    assert await sandbox.get("/company") == []
    await sandbox.deliver_webhooks()
    assert (sandbox.received, sandbox.slept, sandbox.world.clock.time()) == ([], [], clock.now())


async def test_the_clock_can_be_advanced(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    moved = await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 6})
    assert moved.json() == {"now": sandbox.clock.now() + 6}
    assert (await sandbox.get(f"/document/connection/{made['id']}"))["totalDocuments"] == 120


@pytest.mark.parametrize("body", [{}, {"advanceSeconds": -1}, {"advanceSeconds": "1"}, {"advanceSeconds": None}])
async def test_the_clock_is_advanced_by_a_number_only(sandbox: Sandbox, body: dict[str, object]) -> None:
    answer = await sandbox.plain("POST", "/_control/time", json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"advanceSeconds"})


async def test_the_clock_stays_within_the_dates_that_can_be_written(sandbox: Sandbox) -> None:
    century = [await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 315_360_000}) for _ in range(10)]
    assert {answer.status_code for answer in century} == {200}
    refused = await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 1})
    assert (refused.status_code, set(refused.json())) == (400, {"advanceSeconds"})
    company, sites = await sandbox.company()
    await sandbox.trouble("clock_skew", seconds=315_360_000)
    await sandbox.connect(company, sites)
    await sandbox.post(f"/invitation/company/{company}", {"expiresInSeconds": 315_360_000})
    assert (await sandbox.plain("POST", "/_control/reset")).status_code == 204
    assert (await sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 1})).status_code == 200


async def test_the_journal_shows_requests_without_keys_and_passwords(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.connect(company, sites, password="hunter2")
    await sandbox.plain("GET", "/v2.2/company?page=1", headers={"X-API-Key": "a wrong key"})
    answer = await sandbox.plain("GET", "/_control/requests")
    *_, connect, refused = answer.json()["requests"]
    assert (connect["method"], connect["path"]) == ("POST", f"/v2.2/company/{company}/connection")
    assert (connect["status"], connect["companyId"]) == (201, company)
    assert connect["body"]["username"] == GUIDE["username"]
    assert (refused["status"], refused["query"]) == (401, "page=1")
    for secret in ("hunter2", "a wrong key", sandbox.key):
        assert secret not in answer.text


async def test_the_journal_includes_dropped_calls(sandbox: Sandbox) -> None:
    await sandbox.trouble("drop_connection")
    with pytest.raises(httpx.RemoteProtocolError):
        await sandbox.call("GET", "/ping")
    entries = (await sandbox.plain("GET", "/_control/requests")).json()["requests"]
    assert [entry["path"] for entry in entries] == ["/v2.2/ping"]


async def test_a_connection_can_be_removed(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites)
    for expected in (204, 404):
        assert (await sandbox.plain("DELETE", f"/_control/connections/{made['id']}")).status_code == expected
    assert await status_of(sandbox, f"/connection/{made['id']}/details") == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_it_reports_that_it_is_healthy(sandbox: Sandbox, path: str) -> None:
    assert (await sandbox.plain("GET", path)).status_code == 200
