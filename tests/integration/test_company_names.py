"""One company that its host names in two ways in the same moment: by its own id, and by the provider's."""

import asyncio

import httpx
import pytest

from service.domain.changes import CompanyBaseline
from service.domain.timing import LOST_SECONDS
from tests.support.services import RunningServices
from tests.support.users import User


async def test_its_sites_are_made_once(services: RunningServices, ada: User) -> None:
    known = await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    ways = [{"externalId": "acme", "name": "Acme Ltd"}, {"id": known["id"]}]
    bodies = [ada.wants(company=ways[number % 2]) for number in range(20)]
    answers = await asyncio.gather(*(services.host.post("/v1/sessions", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    for _ in range(3):
        await services.later(5)
    (company,) = await services.sandbox.get("/company")
    assert [site["externalId"] for site in company["sites"]] == ["hq"]
    rows = await services.rows("/v1/sessions", limit=100)
    assert {(row["link"]["status"], row["company"]["id"], row["sites"][0]["id"]) for row in rows} == {
        ("ready", company["id"], company["sites"][0]["id"])
    }


async def test_a_session_whose_row_becomes_one_with_another_while_its_company_is_read_gets_its_link(
    services: RunningServices, ada: User, bob: User
) -> None:
    known = await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    made = await services.post("/v1/sessions", ada.wants())
    await services.post("/v1/sessions", bob.wants(company={"id": known["id"]}))
    row = (await services.parts.store.sessions.get(made["id"])).company.ref

    async def become_one(request: httpx.Request) -> None:
        if request.url.path.endswith("/company"):
            services.outgoing.after = None
            await services.parts.store.companies.set_provider_id(row, CompanyBaseline(known["id"], 0.0))

    services.outgoing.after = become_one
    assert (await services.parts.links.prepare(made["id"])).link is not None


async def test_a_company_that_the_provider_does_not_list_yet_is_asked_for_again(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    late: list[str] = []

    def not_yet(request: httpx.Request) -> httpx.Response | None:
        asked = request.method == "GET" and "/connection" in request.url.path
        if not asked or len(late) >= 2:  # in both generations of paths
            return None
        late.append(request.url.path)
        return httpx.Response(404, json={"detail": "Not found."})

    services.outgoing.instead = not_yet
    made = await ada.session()
    assert (await services.get(f"/v1/sessions/{made['id']}"))["link"]["status"] == "pending"
    await services.later(2)
    assert (await services.get(f"/v1/sessions/{made['id']}"))["link"]["status"] == "ready"


async def test_of_two_sites_with_one_name_the_first_is_used_and_it_is_said(
    services: RunningServices, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    known = await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    both = [
        (await services.sandbox.post(f"/company/{known['id']}/site", {"name": name, "externalId": "hq"}))["id"]
        for name in ("Headquarters", "The other")
    ]
    made = await ada.session()
    assert (await services.get(f"/v1/sessions/{made['id']}"))["sites"] == [{"id": both[0], "externalId": "hq"}]
    assert "several sites have one externalId" in caplog.text


async def test_a_lost_company_that_the_list_shows_at_last_is_not_made_again(
    services: RunningServices, ada: User
) -> None:
    hidden = [True]

    async def lose(request: httpx.Request) -> None:
        if (request.method, request.url.path) == ("POST", "/v2.2/company"):
            raise httpx.ReadTimeout("lost", request=request)

    def hide(request: httpx.Request) -> httpx.Response | None:
        if (request.method, request.url.path) != ("GET", "/v2.2/company"):
            return None
        shown = not hidden[0]
        hidden[0] = services.clock.now() < begun_at + LOST_SECONDS
        return None if shown else httpx.Response(200, json=[])

    begun_at = services.clock.now()
    services.outgoing.after, services.outgoing.instead = lose, hide
    await ada.session(expiresIn=86400)
    for _ in range(5):
        await services.later(LOST_SECONDS / 2)
    assert len(await services.sandbox.get("/company")) == 1
