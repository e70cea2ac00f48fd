"""POST /v1/sessions: what a host may ask for, what it is answered, and what is made at the provider, once."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.sandbox_client import GUIDE
from tests.support.services import HOST_URL, RETURN_URL, SERVICE_URL, RunningServices, refused
from tests.support.users import FramePage, User

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_the_least_that_can_be_asked_is_answered_with_every_default(services: RunningServices) -> None:
    body = {
        "userId": "ada",
        "company": {"externalId": "acme", "name": "Acme Ltd"},
        "sites": [{"externalId": "hq", "name": "Headquarters"}],
    }
    answer = await services.host.post("/v1/sessions", json=body)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert made["id"].startswith("ses_")
    assert {name: made[name] for name in ("status", "userId", "mode", "connections", "metadata")} == {
        "status": "created",
        "userId": "ada",
        "mode": "connect",
        "connections": [],
        "metadata": {},
    }
    assert made["company"] == {"id": None, "externalId": "acme"}
    assert made["sites"] == [{"id": None, "externalId": "hq"}]
    assert made["link"] == {"kind": "invitation", "status": "pending"}
    assert made["embedUrl"] is None
    assert made["redirectUrl"].startswith(f"{SERVICE_URL}/connect/")
    assert made["createdAt"] == "2027-01-15T08:00:00.000Z"
    assert made["expiresAt"] == "2027-01-15T09:00:00.000Z"


async def test_every_field_reaches_where_it_belongs(services: RunningServices, ada: User) -> None:
    made = await ada.session(
        sites=[{"externalId": "hq", "name": "Headquarters", "address": "123 Main St, San Francisco, CA 94105"}],
        link="invitation",
        prefill={"url": GUIDE["url"], "country": "GB"},
        expiresIn=60,
        locale="en-GB",
        metadata={"plan": "pro"},
        prepare="background",
        userEmail="ada@example.com",
        userLabel="Ada Lovelace",
        supportUrl="https://help.example.com/utilities",
    )
    assert (made["expiresAt"], made["metadata"]) == ("2027-01-15T08:01:00.000Z", {"plan": "pro"})
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert (stored["link"], stored["metadata"]) == ({"kind": "invitation", "status": "ready"}, {"plan": "pro"})
    (company,) = await services.sandbox.get("/company")
    assert (company["name"], company["externalId"]) == ("Acme Ltd", "acme")
    (site,) = company["sites"]
    assert (site["name"], site["externalId"]) == ("Headquarters", "hq")
    invitation = await the_invitation(services, company["id"])
    assert invitation["allowedEmails"] == ["ada@example.com"]
    assert invitation["maxUses"] == 1
    assert invitation["prefill"] | {"url": GUIDE["url"], "country": "GB"} == invitation["prefill"]
    page = await FramePage(services, made).http.get(made["embedUrl"], headers={"Sec-Fetch-Dest": "iframe"})
    assert "A••• L•••" in page.text
    assert "Lovelace" not in page.text
    start = await services.web().get(made["redirectUrl"])
    assert "https://help.example.com/utilities" in start.text


async def test_ids_of_the_provider_are_returned_once_it_has_given_them(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    (company,) = await services.sandbox.get("/company")
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert stored["company"] == {"id": company["id"], "externalId": "acme"}
    assert stored["sites"] == [{"id": company["sites"][0]["id"], "externalId": "hq"}]


async def test_a_company_and_sites_given_by_the_providers_ids_are_used_as_they_are(
    services: RunningServices, ada: User
) -> None:
    company, sites = await services.sandbox.company("Made elsewhere", sites=3)
    made = await ada.session(company={"id": company.upper()}, sites=[{"id": site} for site in sites])
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert stored["company"] == {"id": company, "externalId": None}
    assert [site["id"] for site in stored["sites"]] == sites
    assert stored["link"]["status"] == "ready"
    assert len(await services.sandbox.get("/company")) == 1


async def test_a_company_that_the_host_made_earlier_is_found_by_its_external_id(
    services: RunningServices, ada: User
) -> None:
    company = (await services.sandbox.post("/company", {"name": "Acme", "externalId": "acme"}))["id"]
    site = (await services.sandbox.post(f"/company/{company}/site", {"name": "HQ", "externalId": "hq"}))["id"]
    made = await ada.session()
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert (stored["company"]["id"], stored["sites"][0]["id"]) == (company, site)
    assert services.outgoing.made("POST /company") == services.outgoing.made("POST /site") == 0


async def test_one_company_named_in_both_ways_is_one(services: RunningServices, ada: User) -> None:
    first = await services.get(f"/v1/sessions/{(await ada.session())['id']}")
    by_id = await ada.session(company={"id": first["company"]["id"]}, sites=[{"id": first["sites"][0]["id"]}])
    assert (await services.get(f"/v1/sessions/{by_id['id']}"))["company"] == first["company"]
    assert len(await services.sandbox.get("/company")) == 1


async def test_a_hundred_racing_creates_make_one_company_and_one_of_each_site(
    services: RunningServices, ada: User
) -> None:
    body = ada.wants(sites=[{"externalId": "hq", "name": "Headquarters"}, {"externalId": "mill", "name": "Mill"}])
    answers = await asyncio.gather(*(services.host.post("/v1/sessions", json=body) for _ in range(100)))
    assert [answer.status_code for answer in answers] == [201] * 100
    assert len({answer.json()["id"] for answer in answers}) == 100
    await services.drain()
    await services.later(1)  # whoever came while the company was being made comes back
    (company,) = await services.sandbox.get("/company")
    assert sorted(site["externalId"] for site in company["sites"]) == ["hq", "mill"]
    rows = await services.rows("/v1/sessions", limit=100)
    assert {row["link"]["status"] for row in rows} == {"ready"}
    assert {row["company"]["id"] for row in rows} == {company["id"]}


async def test_auto_takes_a_magic_link_where_the_provider_refuses_invitations(
    services: RunningServices, ada: User
) -> None:
    async def no_invitations(request: httpx.Request) -> None:
        if request.url.path.startswith("/v2.2/invitation/"):
            request.headers["content-type"] = "text/plain"  # which the provider does not read

    services.outgoing.before = no_invitations
    stored = await services.get(f"/v1/sessions/{(await ada.session(link='auto'))['id']}")
    assert stored["link"] == {"kind": "magic_link", "status": "ready"}
    asked = await services.get(f"/v1/sessions/{(await ada.session(link='invitation'))['id']}")
    assert (asked["status"], asked["failure"]) == ("failed", {"code": "provider_refused"})


async def test_a_magic_link_is_made_when_asked_for_by_name(services: RunningServices, ada: User) -> None:
    made = await ada.session(link="magic_link")
    assert made["link"] == {"kind": "magic_link", "status": "pending"}
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert stored["link"] == {"kind": "magic_link", "status": "ready"}


@pytest.mark.parametrize("link", ["auto", "invitation", "magic_link"])
async def test_prepare_now_answers_with_the_link_made(services: RunningServices, ada: User, link: str) -> None:
    made = await services.post("/v1/sessions", ada.wants(prepare="now", link=link))
    assert made["link"]["status"] == "ready"
    assert made["company"]["id"]
    assert made["sites"][0]["id"]
    assert made["embedUrl"]
    assert made["redirectUrl"]


async def test_prepare_now_passes_the_providers_refusal_on_and_closes_the_session(
    services: RunningServices, ada: User
) -> None:
    body = ada.wants(prepare="now", company={"id": UNKNOWN}, sites=[{"id": UNKNOWN}])
    refused(await services.host.post("/v1/sessions", json=body), 422, "provider_refused")
    (row,) = await services.rows("/v1/sessions")
    assert (row["status"], row["failure"]) == ("failed", {"code": "provider_refused"})
    assert await services.event_types() == ["session.created", "session.failed"]


async def test_a_refusal_behind_the_answer_fails_the_session_and_says_why(services: RunningServices, ada: User) -> None:
    made = await ada.session(company={"id": UNKNOWN}, sites=[{"id": UNKNOWN}])
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert (stored["status"], stored["link"]["status"]) == ("failed", "failed")
    assert stored["failure"] == {"code": "provider_refused"}


async def test_no_answer_names_a_token_but_the_one_that_made_it(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    read = await services.host.get(f"/v1/sessions/{made['id']}")
    listed = await services.host.get("/v1/sessions")
    for url in (made["embedUrl"], made["redirectUrl"]):
        token = url.rpartition("/")[2]
        assert token not in read.text + listed.text
    assert "embedUrl" not in read.json()
    assert "p/i/" not in read.text


async def test_an_origin_without_a_return_address_and_the_other_way_round_are_both_fine(ada: User) -> None:
    framed = await ada.session(returnUrl=None)
    assert framed["embedUrl"].startswith(f"{SERVICE_URL}/embed/")
    redirected = await ada.session(origin=None, returnUrl=RETURN_URL)
    assert redirected["embedUrl"] is None
    assert redirected["returnUrl"] == RETURN_URL
    assert (await ada.session(origin=HOST_URL))["origin"] == HOST_URL


async def the_invitation(services: RunningServices, company: str) -> dict[str, Any]:
    """The only invitation of a company, whole."""
    listed = await services.sandbox.get(f"/invitation/company/{company}")
    rows = listed["invitations"] if isinstance(listed, dict) else listed
    (row,) = rows
    found: dict[str, Any] = await services.sandbox.get(f"/invitation/{row['id']}")
    return found
