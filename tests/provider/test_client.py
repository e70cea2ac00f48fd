"""Companies, sites, connections and their data, in both path generations."""

from typing import Any

import httpx
import pytest

from service.domain.model import (
    ConnectionId,
    ProviderCompanyId,
    ProviderSiteId,
    ProviderSnapshot,
    ReportedCompany,
    ReportedConnection,
    ReportedSite,
)
from service.errors import ProviderBroken, ProviderUnauthorized
from service.provider import ProviderAccount
from service.settings import PathGeneration
from tests.support.fake_provider import BASE_URL, DATE_AT, KEY, PAGES_URL, FakeProvider, Handler, answer

COMPANY = ProviderCompanyId("c1")
CONNECTION = ConnectionId("n1")
ACME = {
    "id": "c1",
    "name": "Acme",
    "externalId": "acme",
    "isDemandEnabled": False,
    "users": [],
    "sites": [{"id": "s1", "name": "HQ", "externalId": "hq", "dataCollectionStopDate": None}],
}
FOUND = ReportedCompany(COMPANY, "Acme", "acme", (ReportedSite(ProviderSiteId("s1"), "hq", "HQ"),))
SEEN = {
    "id": "n1",
    "created": "2026-01-06T10:00:00.000000",
    "updated": "2026-01-06T10:00:20.000000",
    "status": "CONNECTED",
    "datasource": {"name": "Sandbox Utility", "url": "https://utility.example"},
    "company": {"id": "c9", "name": "Acme", "externalId": None},
    "url": "https://nectarclimate.com",
    "initialSites": ["s1"],
}
INVITATION = {"id": "i1", "status": "ACTIVE", "useCount": 0, "createdAt": "2026-01-06T10:00:00"}


def saying(**replies: Any) -> FakeProvider:
    """Keyword `GET_company_c1` for `GET /company/c1`."""
    routes = {name.replace("_", " /", 1).replace("_", "/"): reply for name, reply in replies.items()}
    return FakeProvider(routes={path: always(reply) for path, reply in routes.items()})


def always(reply: Any) -> Handler:
    return lambda _: reply if isinstance(reply, httpx.Response) else answer(reply)


def test_the_key_is_not_in_a_repr() -> None:
    assert KEY not in repr(ProviderAccount(BASE_URL, PAGES_URL, KEY))


async def test_a_ping_with_a_wrong_key_says_so() -> None:
    with pytest.raises(ProviderUnauthorized):
        await saying(GET_ping=answer({"detail": "Invalid key."}, 401)).provider().ping()


async def test_companies_come_with_their_sites() -> None:
    provider = saying(GET_company=[ACME, {"id": "c2"}], GET_company_c1=ACME).provider()
    assert await provider.companies() == [FOUND, ReportedCompany(ProviderCompanyId("c2"), None, None)]
    assert await provider.company(COMPANY) == FOUND


async def test_a_company_is_created_with_our_name_for_it() -> None:
    fake = saying(POST_company=answer(ACME, 201))
    assert await fake.provider().create_company("Acme", "acme") == FOUND
    assert fake.body() == {"name": "Acme", "externalId": "acme"}


@pytest.mark.parametrize(("paths", "path"), [("company", "/company/c1/site"), ("reference", "/site/company/c1")])
async def test_a_site_is_created_in_both_generations(paths: PathGeneration, path: str) -> None:
    fake = FakeProvider([answer({"id": "s1", "name": "HQ", "externalId": "hq"}, 201)])
    site = await fake.provider(paths).create_site(COMPANY, "HQ", "hq", None)
    assert site == ReportedSite(ProviderSiteId("s1"), "hq", "HQ")
    assert fake.asked() == [f"POST {path}"]
    assert fake.body() == {"name": "HQ", "externalId": "hq"}


async def test_a_creation_without_an_id_may_have_happened() -> None:
    fake = FakeProvider([answer({"name": "Acme"}, 201)])
    with pytest.raises(ProviderBroken) as company:
        await fake.provider().create_company("Acme", "acme")
    with pytest.raises(ProviderBroken) as site:
        await fake.provider().create_site(COMPANY, "HQ", None, "123 Main St")
    assert (company.value.lost, site.value.lost) == (True, True)
    assert fake.body() == {"name": "HQ", "address": "123 Main St"}


@pytest.mark.parametrize(
    ("paths", "path"), [("company", "/company/c1/connection"), ("reference", "/connection/company/c1")]
)
async def test_connections_are_listed_in_both_generations(paths: PathGeneration, path: str) -> None:
    fake = FakeProvider([answer({"connections": [SEEN], "totalConnections": 1, "hasNext": False, "currentPage": 1})])
    assert await fake.provider(paths).connections(COMPANY) == (
        ReportedConnection(
            id=CONNECTION,
            status="CONNECTED",
            provider_created_at=DATE_AT,
            provider_updated_at=DATE_AT + 20,
            provider_name="Sandbox Utility",
            provider_url="https://utility.example",
            sites=(ProviderSiteId("s1"),),
            company_id=ProviderCompanyId("c9"),
        ),
    )
    assert fake.asked() == [f"GET {path}?limit=500"]


async def test_a_sparse_connection_belongs_to_the_company_that_was_asked_for() -> None:
    sparse = {"id": "n1", "created": "2026-01-06T10:00:00Z", "url": "https://u.example", "datasource": None}
    [seen] = await saying(GET_company_c1_connection=[sparse]).provider().connections(COMPANY)
    assert seen == ReportedConnection(CONNECTION, "PENDING", DATE_AT, DATE_AT, None, "https://u.example", (), COMPANY)


async def test_a_connection_that_cannot_be_read_is_left_out_and_said_while_the_others_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = [SEEN | {"id": "n2", "created": "yesterday"}, SEEN | {"id": "n3/.."}, "nothing"]
    found = await saying(GET_company_c1_connection=[*bad, SEEN]).provider().connections(COMPANY)
    assert [one.id for one in found] == [CONNECTION]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3


async def test_the_details_of_a_connection_name_its_company() -> None:
    provider = saying(GET_connection_n1_details=SEEN, GET_connection_n2_details=SEEN | {"company": None}).provider()
    assert (await provider.connection(CONNECTION)).company_id == "c9"
    assert (await provider.connection(ConnectionId("n2"))).company_id is None


async def test_a_snapshot_holds_both_lists_and_the_date_of_its_first_answer() -> None:
    fake = saying(
        GET_company_c1_connection=[SEEN],
        GET_invitation_company_c1=answer([INVITATION], date="Tue, 06 Jan 2026 10:09:00 GMT"),
    )
    reading = await fake.provider().snapshot(COMPANY)
    assert reading.provider_at == DATE_AT
    assert [each.id for each in reading.connections] == ["n1"]
    assert [each.id for each in reading.invitations] == ["i1"]


async def test_a_provider_without_invitations_can_be_read() -> None:
    reading = await saying(GET_company_c1_connection=answer([], date="")).provider().snapshot(COMPANY)
    assert reading == ProviderSnapshot(0.0, (), ())


async def test_documents_are_found_in_both_generations() -> None:
    bill = {"id": "d1", "totalCharges": "18.50"}
    company = saying(GET_company_c1_connection_n1_document={"documents": [bill]})
    reference = saying(GET_document_connection_n1={"documents": [bill]})
    assert await company.provider().documents(CONNECTION, COMPANY) == [bill]
    assert await reference.provider().documents(CONNECTION, COMPANY) == [bill]


async def test_usage_is_read_from_all_pages_once() -> None:
    def pages(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", 1))
        return answer({"usageData": [{"id": f"u{number}"}], "currentPage": number, "hasNext": number < 3})

    fake = FakeProvider(routes={"GET /usage/connection/n1": pages})
    usage = await fake.provider().usage(CONNECTION, {"datasourceType": "GAS"})
    assert [entry["id"] for entry in usage] == ["u1", "u2", "u3"]
    assert fake.asked()[-1] == "GET /usage/connection/n1?datasourceType=GAS&page=3"
    assert len(fake.requests) == 3


@pytest.mark.parametrize("record", [5, {}, {"id": 5}])
async def test_a_record_without_an_id_is_the_providers_failure(record: object) -> None:
    with pytest.raises(ProviderBroken):
        await saying(GET_usage_connection_n1={"usageData": [record]}).provider().usage(CONNECTION, {})
