"""The provider in trouble, by name: each gives its documented code, and nothing is left half done."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices, refused
from tests.support.users import FramePage, User

Fields = dict[str, Any]
TROUBLES: list[tuple[str, Fields, int, str]] = [
    ("provider_5xx", {}, 502, "provider_error"),
    ("provider_5xx", {"status": 503}, 502, "provider_error"),
    ("rate_limited", {}, 502, "provider_error"),
    ("rate_limited", {"seconds": 3600}, 502, "provider_error"),
    ("drop_connection", {}, 502, "provider_error"),
    ("invalid_json", {}, 502, "provider_error"),
    ("slow", {"seconds": 60}, 504, "provider_timeout"),
]
NAMES = [f"{name} {fields}" for name, fields, _, _ in TROUBLES]
every_trouble = pytest.mark.parametrize(("name", "fields", "status", "code"), TROUBLES, ids=NAMES)
PASSING = [one for one in TROUBLES if one[1].get("seconds") != 3600]


async def end(services: RunningServices, name: str) -> None:
    answer = await services.sandbox.plain("DELETE", f"/_control/troubles/{name}")
    assert answer.status_code == 204


async def one_of_each(services: RunningServices, session_id: str) -> None:
    """Whatever went wrong on the way: one company, one site, a link that is ready, and one invitation that works."""
    (company,) = await services.sandbox.get("/company")
    (site,) = company["sites"]
    stored = await services.get(f"/v1/sessions/{session_id}")
    assert stored["link"]["status"] == "ready"
    assert (stored["company"]["id"], stored["sites"][0]["id"]) == (company["id"], site["id"])
    listed = await services.sandbox.get(f"/invitation/company/{company['id']}")
    rows = listed["invitations"] if isinstance(listed, dict) else listed
    assert [row["status"] for row in rows].count("ACTIVE") == 1


@every_trouble
async def test_a_create_that_waits_for_its_link_returns_the_reason_of_a_failure(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    await services.sandbox.trouble(name, **fields)
    answer = await services.host.post("/v1/sessions", json=ada.wants(prepare="now"))
    problem = refused(answer, status, code)
    assert "127.0.0.1" not in problem["detail"]
    assert services.sandbox.key not in answer.text
    (row,) = await services.rows("/v1/sessions")
    assert (row["status"], row["failure"]) == ("failed", {"code": code})


@every_trouble
async def test_a_create_that_does_not_wait_never_fails(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    await services.sandbox.trouble(name, **fields)
    answer = await services.host.post("/v1/sessions", json=ada.wants())
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    await services.drain()
    stored = await services.get(f"/v1/sessions/{answer.json()['id']}")
    assert (stored["status"], stored["link"]["status"]) == ("created", "pending"), (status, code)


@pytest.mark.parametrize(("name", "fields", "status", "code"), PASSING, ids=[f"{one[0]} {one[1]}" for one in PASSING])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_when_the_trouble_is_over_there_is_one_of_each(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str, times: int
) -> None:
    await services.sandbox.trouble(name, times=times, **fields)
    made = await ada.session(expiresIn=86400)
    for _ in range(12):
        await services.later(60)
    await one_of_each(services, made["id"])
    assert (status, code) != (200, "")


@pytest.mark.parametrize("minutes", [0, 1, 5])
@pytest.mark.parametrize("name", ["down", "provider_5xx", "rate_limited"])
async def test_a_page_waits_truthfully_and_goes_on_within_five_seconds_of_the_recovery(
    services: RunningServices, ada: User, name: str, minutes: int
) -> None:
    await ada.session()
    services.outgoing.is_down = name == "down"
    if name != "down":
        await services.sandbox.trouble(name)
    page = FramePage(services, await ada.session())
    view = await page.start()
    assert (view["status"], view["link"]["status"]) == ("opened", "pending")
    for _ in range(minutes * 3):
        await services.later(20)
        assert (await page.post("heartbeat")).status_code == 204
        assert (await page.view())["link"]["status"] == "pending"
    services.outgoing.is_down = False
    await end(services, "provider_5xx" if name == "down" else name)
    await services.later(5)
    assert (await page.view())["link"]["status"] == "ready"


def invited(services: RunningServices) -> int:
    return sum(call.startswith("POST ") and "/invitation/company/" in call for call in services.outgoing.calls)


async def test_a_page_goes_on_when_the_provider_said_that_it_may_come_back(
    services: RunningServices, ada: User
) -> None:
    await ada.session()
    await services.sandbox.trouble("rate_limited", seconds=40)
    page = FramePage(services, await ada.session())
    await page.start()
    await services.drain()
    asked = invited(services)
    await end(services, "rate_limited")
    await services.later(38)
    assert invited(services) == asked
    await services.later(5)
    assert (await page.view())["link"]["status"] == "ready"


@every_trouble
async def test_reading_bills_returns_the_reason_of_a_failure(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    connection = await ada.connected()
    await services.sandbox.trouble(name, **fields)
    for path in ("usage", "documents"):
        refused(await services.host.get(f"/v1/connections/{connection['id']}/{path}"), status, code)
    await end(services, name)
    assert (await services.host.get(f"/v1/connections/{connection['id']}/usage")).status_code == 200


@every_trouble
async def test_what_was_finished_during_the_trouble_is_recorded_after_it(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()
    await services.sandbox.trouble(name, **fields)
    view = await page.finish()
    assert (view["status"], view["confirming"]) == ("opened", True), (status, code)
    await services.later(60)
    assert await ada.connections() == []
    await end(services, name)
    await services.later(65)
    assert (await ada.newest())["sessionId"] == page.id
    assert (await page.event_types()).count("connection.recorded") == 1


@every_trouble
async def test_a_revocation_is_certain_here_and_reaches_the_provider_after_the_trouble(
    services: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    await services.sandbox.trouble(name, **fields)
    assert (await services.post(f"/v1/sessions/{page.id}/revoke"))["status"] == "revoked", (status, code)
    await services.drain()
    await end(services, name)
    await services.later(65)
    answer = await services.sandbox.plain("GET", url.removeprefix("http://127.0.0.1:9000"))
    assert answer.status_code == 410


async def test_a_provider_that_is_down_is_a_502_and_a_create_behind_it_goes_on(
    services: RunningServices, ada: User
) -> None:
    services.outgoing.is_down = True
    refused(await services.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    made = await ada.session()
    services.outgoing.is_down = False
    await services.later(5)
    await one_of_each(services, made["id"])


async def test_a_key_that_the_provider_refuses_is_the_operators_matter_and_no_sessions_end(
    services: RunningServices, ada: User
) -> None:
    async def wrong_key(request: httpx.Request) -> None:
        request.headers["x-api-key"] = "another"

    services.outgoing.before = wrong_key
    refused(await services.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    made = await ada.session()
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "created"
    services.outgoing.before = None
    await services.later(60)
    await one_of_each(services, made["id"])


async def test_a_company_that_the_provider_does_not_know_is_a_refusal(services: RunningServices, ada: User) -> None:
    body = ada.wants(company={"id": "00000000-0000-4000-8000-000000000000"}, prepare="now")
    refused(await services.host.post("/v1/sessions", json=body), 422, "provider_refused")


async def test_a_site_of_another_company_is_a_refusal(services: RunningServices, ada: User) -> None:
    company, _ = await services.sandbox.company()
    _, foreign = await services.sandbox.company("Another")
    body = ada.wants(company={"id": company}, sites=[{"id": foreign[0]}], prepare="now")
    refused(await services.host.post("/v1/sessions", json=body), 422, "provider_refused")


async def test_a_limit_of_rate_is_waited_out_for_as_long_as_the_provider_says(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.trouble("rate_limited", times=1, seconds=7)
    made = await services.post("/v1/sessions", ada.wants(prepare="now"))
    assert made["link"]["status"] == "ready"
    assert max(services.slept) >= 7


async def test_a_link_that_points_elsewhere_is_shown_to_nobody(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, sandbox={"public_url": "https://evil.example"})
    await services.open()
    ada = User(services, "ada")
    refused(await services.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    stored = await services.get(f"/v1/sessions/{(await ada.session())['id']}")
    assert (stored["status"], stored["link"]["status"]) == ("failed", "failed")
    await services.close()


async def test_ten_calls_at_once_are_the_most(services: RunningServices, ada: User) -> None:
    now, most = 0, 0

    async def enters(_: httpx.Request) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)

    async def leaves(_: httpx.Request) -> None:
        nonlocal now
        now -= 1

    services.outgoing.before, services.outgoing.after = enters, leaves
    sessions = [
        ada.wants(company={"externalId": f"c{number}", "name": "Company"}, prepare="now") for number in range(40)
    ]
    answers = await asyncio.gather(*(services.host.post("/v1/sessions", json=body) for body in sessions))
    assert {answer.status_code for answer in answers} == {201}
    assert 2 <= most <= 10
