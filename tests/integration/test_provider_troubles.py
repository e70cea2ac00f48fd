"""The provider in trouble, by name: each gives its documented code, and nothing is left half done."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.people import FramePage, User
from tests.support.services import RunningServices, refused

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


async def end(street: RunningServices, name: str) -> None:
    answer = await street.sandbox.plain("DELETE", f"/_control/troubles/{name}")
    assert answer.status_code == 204


async def one_of_each(street: RunningServices, session_id: str) -> None:
    """Whatever went wrong on the way: one company, one site, a link that is ready, and one invitation that works."""
    (company,) = await street.sandbox.get("/company")
    (site,) = company["sites"]
    stored = await street.get(f"/v1/sessions/{session_id}")
    assert stored["link"]["status"] == "ready"
    assert (stored["company"]["id"], stored["sites"][0]["id"]) == (company["id"], site["id"])
    listed = await street.sandbox.get(f"/invitation/company/{company['id']}")
    rows = listed["invitations"] if isinstance(listed, dict) else listed
    assert [row["status"] for row in rows].count("ACTIVE") == 1


@every_trouble
async def test_a_create_that_waits_for_its_link_is_told_what_is_wrong(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    await street.sandbox.trouble(name, **fields)
    answer = await street.host.post("/v1/sessions", json=ada.wants(prepare="now"))
    problem = refused(answer, status, code)
    assert "127.0.0.1" not in problem["detail"]
    assert street.sandbox.key not in answer.text
    (row,) = await street.rows("/v1/sessions")
    assert (row["status"], row["failure"]) == ("failed", {"code": code})


@every_trouble
async def test_a_create_that_does_not_wait_never_fails(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    await street.sandbox.trouble(name, **fields)
    answer = await street.host.post("/v1/sessions", json=ada.wants())
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    await street.drain()
    stored = await street.get(f"/v1/sessions/{answer.json()['id']}")
    assert (stored["status"], stored["link"]["status"]) == ("created", "pending"), (status, code)


@pytest.mark.parametrize(("name", "fields", "status", "code"), PASSING, ids=[f"{one[0]} {one[1]}" for one in PASSING])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_when_the_trouble_is_over_there_is_one_of_each(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str, times: int
) -> None:
    await street.sandbox.trouble(name, times=times, **fields)
    made = await ada.session(expiresIn=86400)
    for _ in range(12):
        await street.later(60)
    await one_of_each(street, made["id"])
    assert (status, code) != (200, "")


@pytest.mark.parametrize("minutes", [0, 1, 5])
@pytest.mark.parametrize("name", ["down", "provider_5xx", "rate_limited"])
async def test_a_page_waits_truthfully_and_goes_on_within_five_seconds_of_the_recovery(
    street: RunningServices, ada: User, name: str, minutes: int
) -> None:
    await ada.session()
    street.outgoing.is_down = name == "down"
    if name != "down":
        await street.sandbox.trouble(name)
    page = FramePage(street, await ada.session())
    view = await page.start()
    assert (view["status"], view["link"]["status"]) == ("opened", "pending")
    for _ in range(minutes * 3):
        await street.later(20)
        assert (await page.post("heartbeat")).status_code == 204
        assert (await page.view())["link"]["status"] == "pending"
    street.outgoing.is_down = False
    await end(street, "provider_5xx" if name == "down" else name)
    await street.later(5)
    assert (await page.view())["link"]["status"] == "ready"


def invited(street: RunningServices) -> int:
    return sum(call.startswith("POST ") and "/invitation/company/" in call for call in street.outgoing.calls)


async def test_a_page_goes_on_when_the_provider_said_that_it_may_come_back(street: RunningServices, ada: User) -> None:
    await ada.session()
    await street.sandbox.trouble("rate_limited", seconds=40)
    page = FramePage(street, await ada.session())
    await page.start()
    await street.drain()
    asked = invited(street)
    await end(street, "rate_limited")
    await street.later(38)
    assert invited(street) == asked
    await street.later(5)
    assert (await page.view())["link"]["status"] == "ready"


@every_trouble
async def test_reading_bills_is_told_what_is_wrong(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    connection = await ada.connected()
    await street.sandbox.trouble(name, **fields)
    for path in ("usage", "documents"):
        refused(await street.host.get(f"/v1/connections/{connection['id']}/{path}"), status, code)
    await end(street, name)
    assert (await street.host.get(f"/v1/connections/{connection['id']}/usage")).status_code == 200


@every_trouble
async def test_what_was_finished_during_the_trouble_is_recorded_after_it(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    page = await ada.frame(expiresIn=86400)
    await page.connect()
    await street.sandbox.trouble(name, **fields)
    view = await page.finish()
    assert (view["status"], view["confirming"]) == ("opened", True), (status, code)
    await street.later(60)
    assert await ada.connections() == []
    await end(street, name)
    await street.later(65)
    assert (await ada.newest())["sessionId"] == page.id
    assert (await page.told()).count("connection.recorded") == 1


@every_trouble
async def test_a_revocation_is_certain_here_and_reaches_the_provider_after_the_trouble(
    street: RunningServices, ada: User, name: str, fields: Fields, status: int, code: str
) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    await street.sandbox.trouble(name, **fields)
    assert (await street.post(f"/v1/sessions/{page.id}/revoke"))["status"] == "revoked", (status, code)
    await street.drain()
    await end(street, name)
    await street.later(65)
    answer = await street.sandbox.plain("GET", url.removeprefix("http://127.0.0.1:9000"))
    assert answer.status_code == 410


async def test_a_provider_that_is_down_is_a_502_and_a_create_behind_it_goes_on(
    street: RunningServices, ada: User
) -> None:
    street.outgoing.is_down = True
    refused(await street.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    made = await ada.session()
    street.outgoing.is_down = False
    await street.later(5)
    await one_of_each(street, made["id"])


async def test_a_key_that_the_provider_refuses_is_the_operators_matter_and_no_sessions_end(
    street: RunningServices, ada: User
) -> None:
    async def wrong_key(request: httpx.Request) -> None:
        request.headers["x-api-key"] = "another"

    street.outgoing.before = wrong_key
    refused(await street.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    made = await ada.session()
    assert (await street.get(f"/v1/sessions/{made['id']}"))["status"] == "created"
    street.outgoing.before = None
    await street.later(60)
    await one_of_each(street, made["id"])


async def test_a_company_that_the_provider_does_not_know_is_a_refusal(street: RunningServices, ada: User) -> None:
    body = ada.wants(company={"id": "00000000-0000-4000-8000-000000000000"}, prepare="now")
    refused(await street.host.post("/v1/sessions", json=body), 422, "provider_refused")


async def test_a_site_of_another_company_is_a_refusal(street: RunningServices, ada: User) -> None:
    company, _ = await street.sandbox.company()
    _, foreign = await street.sandbox.company("Another")
    body = ada.wants(company={"id": company}, sites=[{"id": foreign[0]}], prepare="now")
    refused(await street.host.post("/v1/sessions", json=body), 422, "provider_refused")


async def test_a_limit_of_rate_is_waited_out_for_as_long_as_the_provider_says(
    street: RunningServices, ada: User
) -> None:
    await street.sandbox.trouble("rate_limited", times=1, seconds=7)
    made = await street.post("/v1/sessions", ada.wants(prepare="now"))
    assert made["link"]["status"] == "ready"
    assert max(street.slept) >= 7


async def test_a_link_that_points_elsewhere_is_shown_to_nobody(clock: Clock, database_url: str) -> None:
    street = RunningServices(clock, database_url, sandbox={"public_url": "https://evil.example"})
    await street.open()
    ada = User(street, "ada")
    refused(await street.host.post("/v1/sessions", json=ada.wants(prepare="now")), 502, "provider_error")
    stored = await street.get(f"/v1/sessions/{(await ada.session())['id']}")
    assert (stored["status"], stored["link"]["status"]) == ("failed", "failed")
    await street.close()


async def test_ten_calls_at_once_are_the_most(street: RunningServices, ada: User) -> None:
    now, most = 0, 0

    async def enters(_: httpx.Request) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)

    async def leaves(_: httpx.Request) -> None:
        nonlocal now
        now -= 1

    street.outgoing.before, street.outgoing.after = enters, leaves
    sessions = [
        ada.wants(company={"externalId": f"c{number}", "name": "Company"}, prepare="now") for number in range(40)
    ]
    answers = await asyncio.gather(*(street.host.post("/v1/sessions", json=body) for body in sessions))
    assert {answer.status_code for answer in answers} == {201}
    assert 2 <= most <= 10
