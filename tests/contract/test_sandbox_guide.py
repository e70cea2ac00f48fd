"""The provider's sandbox guide, row by row, in every version and on both kinds of paths."""

from typing import Any

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.sandbox_client import GUIDE, PATH_STYLES, VERSIONS, Sandbox

PATHS = {
    "company": {
        "sites": "/company/{c}/site",
        "connections": "/company/{c}/connection",
        "link": "/company/{c}/connection/link",
        "edit": "/company/{c}/connection/{k}/link",
        "details": "/company/{c}/connection/{k}/details",
        "documents": "/company/{c}/connection/{k}/document",
        "usage": "/company/{c}/usage",
        "meters": "/company/{c}/meter",
    },
    "reference": {
        "sites": "/site/company/{c}",
        "connections": "/connection/company/{c}",
        "link": "/connection/company/{c}/link",
        "edit": "/connection/{k}",
        "details": "/connection/{k}/details",
        "documents": "/document/connection/{k}",
        "usage": "/usage/company/{c}",
        "meters": "/meter/company/{c}",
    },
}


class Walk:
    """The guide's steps on one kind of paths."""

    def __init__(self, sandbox: Sandbox, style: str) -> None:
        self.sandbox = sandbox
        self.paths = PATHS[style]
        self.ids = {"c": "", "k": ""}

    def path(self, name: str) -> str:
        return self.paths[name].format(**self.ids)

    async def begin(self) -> str:
        """Create a company with one site; return the site's id."""
        company = await self.sandbox.post("/company", {"name": "Sandbox Test Company", "externalId": "test-001"})
        self.ids["c"] = company["id"]
        fields = {"name": "Test Facility", "address": "123 Main St, San Francisco, CA 94105", "externalId": "site-001"}
        site = await self.sandbox.post(self.path("sites"), fields)
        return str(site["id"])

    async def connect(self, **fields: Any) -> httpx.Response:
        site = await self.begin()
        answer = await self.sandbox.call("POST", self.path("connections"), {**GUIDE, "sites": [site], **fields})
        self.ids["k"] = answer.json()["id"]
        return answer


@pytest.fixture(params=[(version, style) for version in VERSIONS for style in PATH_STYLES], ids="-".join)
def walk(request: pytest.FixtureRequest, clock: Clock) -> Walk:
    version, style = request.param
    return Walk(Sandbox(clock, version=version), style)


async def test_another_provider_is_a_custom_one_and_starts_pending(walk: Walk) -> None:
    assert (await walk.connect(url="https://utility.example")).json()["status"] == "PENDING"


async def test_the_password_is_never_answered(walk: Walk) -> None:
    made = await walk.connect()
    shown = await walk.sandbox.call("GET", walk.path("connections"))
    assert GUIDE["password"] not in made.text + shown.text


async def test_documents_appear_after_the_delay_and_not_before(walk: Walk) -> None:
    await walk.connect()
    walk.sandbox.clock.advance(4.9)
    assert (await walk.sandbox.get(walk.path("documents")))["totalDocuments"] == 0
    walk.sandbox.clock.advance(0.2)
    page = await walk.sandbox.get(walk.path("documents"))
    assert page["totalDocuments"] == 5 * 24
    assert {entry["datasourceType"] for one in page["documents"] for entry in one["usageData"]} == {
        "ELECTRICITY",
        "GAS",
        "WATER",
        "SOLAR",
        "FUEL",
    }


async def test_a_connection_with_wrong_credentials_has_no_documents(walk: Walk) -> None:
    await walk.connect(password="wrong")
    walk.sandbox.clock.advance(60)
    assert (await walk.sandbox.get(walk.path("documents")))["totalDocuments"] == 0


@pytest.mark.parametrize("path", ["/account/company/{c}", "/job/company/{c}", "/interval/connection/{k}", "/team"])
async def test_accounts_jobs_intervals_and_the_team_are_served(walk: Walk, path: str) -> None:
    await walk.connect()
    assert (await walk.sandbox.call("GET", path.format(**walk.ids))).status_code == 200


async def test_a_company_is_created_listed_read_changed_and_shows_its_sites(walk: Walk) -> None:
    site = await walk.begin()
    company = walk.ids["c"]
    assert [one["id"] for one in await walk.sandbox.get("/company")] == [company]
    changed = await walk.sandbox.call("PATCH", f"/company/{company}", {"name": "Renamed"})
    assert changed.json() == await walk.sandbox.get(f"/company/{company}")
    assert changed.json()["name"] == "Renamed"
    assert changed.json()["externalId"] == "test-001"
    assert [one["id"] for one in changed.json()["sites"]] == [site]


async def test_a_company_object_has_no_public_id(walk: Walk) -> None:
    await walk.begin()
    company = await walk.sandbox.get(f"/company/{walk.ids['c']}")
    assert not [name for name in company if "public" in name.lower()]


async def test_a_site_is_read_and_changed(walk: Walk) -> None:
    site = await walk.begin()
    changed = await walk.sandbox.call("PATCH", f"/site/{site}", {"path": ["US", "California"]})
    assert changed.json() == await walk.sandbox.get(f"/site/{site}")
    assert changed.json()["path"] == ["US", "California"]
    assert changed.json()["address"] == "123 Main St, San Francisco, CA 94105"


async def test_the_guides_credentials_are_connected_at_once_in_the_us(walk: Walk) -> None:
    answer = await walk.connect()
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["country"]) == ("CONNECTED", "US")


async def test_any_two_letter_country_is_accepted(walk: Walk) -> None:
    assert (await walk.connect(country="de")).json()["country"] == "DE"


@pytest.mark.parametrize("wrong", [{"password": "nectar-sandbox-Password"}, {"username": "somebody"}])
async def test_other_credentials_create_a_connection_with_that_status(walk: Walk, wrong: dict[str, str]) -> None:
    answer = await walk.connect(**wrong)
    assert answer.status_code == 201
    assert (await walk.sandbox.get(walk.path("details")))["status"] == "INCORRECT_PASSWORD"


async def test_a_companys_connections_are_listed(walk: Walk) -> None:
    await walk.connect()
    page = await walk.sandbox.get(walk.path("connections"))
    assert [one["id"] for one in page["connections"]] == [walk.ids["k"]]
    assert (page["totalConnections"], page["hasNext"]) == (1, False)


async def test_a_documents_url_is_a_pdf_without_a_key(walk: Walk) -> None:
    await walk.connect()
    walk.sandbox.clock.advance(6)
    document = (await walk.sandbox.get(walk.path("documents")))["documents"][0]
    answer = await walk.sandbox.plain("GET", httpx.URL(document["url"]).path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-")
    assert await walk.sandbox.get(f"/document/{document['id']}") == document


async def test_usage_and_meters_are_listed_and_read_one_by_one(walk: Walk) -> None:
    await walk.connect(initialDatasourceTypes=["GAS"])
    walk.sandbox.clock.advance(6)
    usage = await walk.sandbox.get(walk.path("usage"))
    meters = await walk.sandbox.get(walk.path("meters"))
    assert (usage["totalUsageData"], meters["totalMeters"]) == (24, 1)
    entry, meter = usage["usageData"][0], meters["meters"][0]
    assert entry["meter"] == meter["id"]
    assert await walk.sandbox.get(f"/usage/{entry['id']}") == entry
    assert await walk.sandbox.get(f"/meter/{meter['id']}") == meter


async def test_a_company_link_opens_its_page(walk: Walk) -> None:
    site = await walk.begin()
    body = {"sites": [site], "url": GUIDE["url"], "country": "US", "dataCollectionStartDate": "2025-01-01"}
    link = await walk.sandbox.post(walk.path("link"), body)
    assert link["magicLinkUrl"].endswith(f"/p/connect/{link['publicCompanyId']}/{link['companyMagicLinkSecret']}")
    known = walk.sandbox.world.links.find(link["publicCompanyId"], link["companyMagicLinkSecret"])
    assert known.prefill == body


async def test_a_company_link_without_prefill_is_the_same_at_every_get(walk: Walk) -> None:
    await walk.begin()
    assert await walk.sandbox.get(walk.path("link")) == await walk.sandbox.get(walk.path("link"))


async def test_an_edit_link_opens_the_page_of_its_connection(walk: Walk) -> None:
    await walk.connect()
    for method in ("GET", "POST"):
        shown = (await walk.sandbox.call(method, walk.path("edit"))).json()
        secret = shown["connectionMagicLinkSecret"]
        assert shown["id"] == walk.ids["k"]
        assert shown["magicLinkUrl"].endswith(f"/p/connect/{shown['publicCompanyId']}/workflow/{secret}")
        assert walk.sandbox.world.links.find_edit(shown["publicCompanyId"], secret).connection_id == walk.ids["k"]


async def test_the_key_is_confirmed_by_ping(walk: Walk) -> None:
    assert (await walk.sandbox.get("/ping"))["version"] == walk.sandbox.version.removeprefix("v")


async def test_deleting_a_company_deletes_its_connections(walk: Walk) -> None:
    await walk.connect()
    gone = await walk.sandbox.call("DELETE", f"/company/{walk.ids['c']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await walk.sandbox.call("GET", walk.path("details"))).status_code == 404
    assert await walk.sandbox.get("/company") == []
