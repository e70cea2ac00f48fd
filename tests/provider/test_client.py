"""Companies, sites, connections and their data, in both path generations."""

from typing import Any

import httpx
import pytest

from service.domain.model import (
    ConnectionId,
    ProviderCompanyId,
    ProviderSiteId,
    ProviderSnapshot,
    ReportedConnection,
)
from service.domain.reports import ReportedCompany, ReportedSite, UnreadNames
from service.errors import ProviderBroken, ProviderUnauthorized
from service.provider import ProviderAccount, UnreadableItem
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
    assert (await provider.companies()).companies == (FOUND, ReportedCompany(ProviderCompanyId("c2"), None, None))
    assert await provider.company(COMPANY) == FOUND


@pytest.mark.parametrize(
    "fields", [{}, {"sites": None}, {"sites": {}}, {"sites": {"items": []}}, {"sites": "none"}, {"sites": 5}]
)
async def test_a_company_without_its_list_of_sites_is_the_providers_failure_and_no_company_without_sites(
    fields: dict[str, Any],
) -> None:
    body = {"id": "c1", "name": "Acme"} | fields
    with pytest.raises(ProviderBroken) as caught:
        await saying(GET_company_c1=body).provider().company(COMPANY)
    assert not caught.value.lost
    assert (await saying(GET_company=[body]).provider().companies()).companies[0].sites == ()
    assert (await saying(POST_company=answer(body, 201)).provider().create_company("Acme", "acme")).id == COMPANY


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
    assert seen == ReportedConnection(CONNECTION, "UNKNOWN", DATE_AT, DATE_AT, None, "https://u.example", (), COMPANY)


async def test_a_connection_that_cannot_be_read_is_left_out_and_said_while_the_others_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = [SEEN | {"id": "n2", "created": "yesterday"}, SEEN | {"id": "n3/.."}, "nothing"]
    found = await saying(GET_company_c1_connection=[*bad, SEEN]).provider().connections(COMPANY)
    assert [one.id for one in found] == [CONNECTION]
    (record,) = caplog.records
    unread = "; ".join(f"connection without a readable id ({name})" for name in ("created", "id", "item"))
    said = f"3 items of the provider's list cannot be read whole (connection): {unread}"
    assert (record.levelname, record.getMessage()) == ("ERROR", said)


@pytest.mark.parametrize("value", [None, [], {}, 5, "?", "x" * 5000, True])
@pytest.mark.parametrize("field", ["status", "updated", "datasource", "company", "url", "initialSites"])
async def test_a_connection_whose_id_and_creation_can_be_read_is_there(field: str, value: object) -> None:
    (found,) = await saying(GET_company_c1_connection=[SEEN | {field: value}]).provider().connections(COMPANY)
    assert (found.id, found.provider_created_at) == (CONNECTION, DATE_AT)
    assert field != "status" or found.status == "UNKNOWN"
    assert found.company_id in {"c9", COMPANY}


async def test_one_odd_site_of_a_connection_leaves_the_others() -> None:
    odd = SEEN | {"initialSites": ["s1", None, 5, "s2"], "datasource": {"name": [], "url": "https://u.example"}}
    (found,) = await saying(GET_company_c1_connection=[odd]).provider().connections(COMPANY)
    assert (found.sites, found.provider_name, found.provider_url) == (("s1", "s2"), None, "https://u.example")


async def test_a_long_name_is_cut() -> None:
    odd = SEEN | {"datasource": {"name": "x" * 5000}}
    (found,) = await saying(GET_company_c1_connection=[odd]).provider().connections(COMPANY)
    assert found.provider_name == "x" * 300


async def test_the_ids_of_a_companys_connections_can_be_read_though_nothing_else_of_them_can() -> None:
    odd = {"id": "n2", "created": None}
    provider = saying(GET_company_c1_connection=[odd, SEEN, {"id": None}]).provider()
    assert await provider.connection_ids(COMPANY) == (frozenset({"n1", "n2"}), False)


async def test_the_ids_are_all_where_each_item_has_one() -> None:
    provider = saying(GET_company_c1_connection=[{"id": "n2", "created": None}, SEEN]).provider()
    assert await provider.connection_ids(COMPANY) == (frozenset({"n1", "n2"}), True)


@pytest.mark.parametrize(
    ("item", "unread"),
    [
        ({"id": None, "name": "Acme", "externalId": "acme"}, UnreadNames("Acme", "acme")),
        ({"id": "c2", "name": "Acme", "externalId": []}, UnreadNames("Acme", None)),
        ({"id": {}, "name": 5}, UnreadNames("5", None)),
        ("c2", UnreadNames(None, None)),
    ],
)
async def test_a_company_that_cannot_be_read_hides_no_other_and_keeps_what_names_it(
    item: object, unread: UnreadNames
) -> None:
    found = await saying(GET_company=[item, ACME]).provider().companies()
    assert (found.companies, found.unread) == ((FOUND,), (unread,))


@pytest.mark.parametrize(
    ("item", "known"), [({"id": None}, None), ({"id": 5, "users": ["ada@example.com"]}, None), ({"id": "c9"}, "c9")]
)
async def test_of_a_company_that_cannot_be_read_its_id_is_reported_and_nothing_else(
    item: dict[str, Any], known: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[UnreadableItem] = []
    fake = saying(GET_company=[{"name": "Mill", "externalId": [], "sites": ["Secret Street"]} | item, ACME])
    await fake.provider(unreadable=reported.append).companies()
    assert [one.id for one in reported] == [known]
    assert not any(word in caplog.text for word in ("ada@", "Mill", "Secret Street"))


async def test_a_site_that_cannot_be_read_hides_no_other() -> None:
    hq = {"id": "s1", "name": "HQ", "externalId": "hq"}
    sites = [None, {"id": "s2", "name": "Mill", "externalId": {}}, hq, {"id": 5, "externalId": "m"}]
    found = await saying(GET_company_c1=ACME | {"sites": sites}).provider().company(COMPANY)
    assert found.sites == FOUND.sites
    assert found.unread_sites == (UnreadNames(None, None), UnreadNames("Mill", None), UnreadNames(None, "m"))


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


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_may_not_see_invitations_still_reads_connections_and_doubts_them(status: int) -> None:
    refusal = answer({"detail": "Forbidden."}, status)
    provider = saying(GET_company_c1_connection=[SEEN], GET_invitation_company_c1=refusal).provider()
    snapshot = await provider.snapshot(COMPANY)
    assert ([one.id for one in snapshot.connections], snapshot.unread_invitations) == (["n1"], True)


@pytest.mark.parametrize("status", [400, 409, 410, 422])
async def test_a_refused_list_of_invitations_hides_no_connection(status: int) -> None:
    refusal = answer({"detail": "Not enabled."}, status)
    provider = saying(GET_company_c1_connection=[SEEN], GET_invitation_company_c1=refusal).provider()
    snapshot = await provider.snapshot(COMPANY)
    assert ([one.id for one in snapshot.connections], snapshot.unread_invitations) == (["n1"], True)


async def test_a_missing_list_of_invitations_is_doubt_for_a_new_company_or_where_some_were_ever_listed() -> None:
    fake = saying(GET_company_c1_connection=[SEEN])
    provider = fake.provider()
    assert (await provider.snapshot(COMPANY, is_new=True)).unread_invitations
    assert not (await provider.snapshot(COMPANY)).unread_invitations
    fake.routes["GET /invitation/company/c2"] = lambda _: answer([INVITATION])
    await provider.links.invitations(ProviderCompanyId("c2"))
    assert (await provider.snapshot(COMPANY)).unread_invitations


async def test_documents_are_found_in_both_generations() -> None:
    bill = {"id": "d1", "totalCharges": "18.50"}
    company = saying(GET_company_c1_connection_n1_document={"documents": [bill]})
    reference = saying(GET_document_connection_n1={"documents": [bill]})
    for provider in (company.provider(), reference.provider()):
        assert (await provider.data.document_page(CONNECTION, COMPANY)).items == (bill,)


async def test_usage_is_read_from_all_pages_once() -> None:
    def pages(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", 1))
        return answer({"usageData": [{"id": f"u{number}"}], "currentPage": number, "hasNext": number < 3})

    fake = FakeProvider(routes={"GET /usage/connection/n1": pages})
    usage = await fake.provider().data.usage(CONNECTION, {"datasourceType": "GAS"})
    assert [entry["id"] for entry in usage] == ["u1", "u2", "u3"]
    assert fake.asked()[-1] == "GET /usage/connection/n1?datasourceType=GAS&page=3"
    assert len(fake.requests) == 3


@pytest.mark.parametrize("record", [5, {}, {"id": 5}, None])
async def test_a_record_without_an_id_is_left_out_and_the_others_are_passed_on(record: object) -> None:
    provider = saying(
        GET_usage_connection_n1={"usageData": [record, {"id": "u1"}]}, GET_document_connection_n1=[{"id": "d1"}, record]
    ).provider()
    assert await provider.data.usage(CONNECTION, {}) == [{"id": "u1"}]
    assert (await provider.data.document_page(CONNECTION, COMPANY)).items == ({"id": "d1"},)
