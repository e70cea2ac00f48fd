"""The provider's guide with nothing but HTTP: on the sandbox always, on the real provider when a key is given.

`PROVIDER_CONTRACT_KEY` is a key of the provider's own sandbox environment; `PROVIDER_CONTRACT_URL` may name another
base. What is made there is deleted again.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest

from service.sandbox.app import create_app
from service.sandbox.settings import SandboxSettings
from tests.support.clock import Clock
from tests.support.provider_schema import faults_of_answer
from tests.support.sandbox_client import GUIDE

KEY = os.environ.get("PROVIDER_CONTRACT_KEY", "")
URL = os.environ.get("PROVIDER_CONTRACT_URL", "https://external.nectarclimate.com/v2.2")
PATIENCE_SECONDS = 45


@dataclass
class Provider:
    """One that can be asked, with the company that this test made there."""

    http: httpx.AsyncClient
    wait: Callable[[], Awaitable[None]]
    company: str = ""
    site: str = ""

    async def call(self, method: str, template: str, body: Any = None, **ids: str) -> Any:
        """A call that must succeed in the described shape."""
        known = {"company_id": self.company, "site_id": self.site, **ids}
        answer = await self.http.request(method, template.format(**known)[1:], json=body)
        assert answer.is_success, answer.text
        assert faults_of_answer(method, template, answer) == []
        return answer.json() if answer.content else None

    async def connect(self, **fields: str) -> Any:
        body = {**GUIDE, "sites": [self.site], **fields}
        return await self.call("POST", "/company/{company_id}/connection", body)


def sandbox_provider(clock: Clock) -> Provider:
    async def wait() -> None:
        clock.advance(1)

    app = create_app(SandboxSettings(), clock=clock.now)
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sandbox.test/v2.2/", headers={"X-API-Key": "sandbox-key"}
    )
    return Provider(http, wait)


def real_provider() -> Provider:
    async def wait() -> None:
        await anyio.sleep(1)

    return Provider(httpx.AsyncClient(base_url=f"{URL}/", headers={"X-API-Key": KEY}, timeout=30), wait)


@pytest.fixture(params=["sandbox", "real"] if KEY else ["sandbox"])
async def provider(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Provider]:
    asked = sandbox_provider(clock) if request.param == "sandbox" else real_provider()
    async with asked.http:
        company = await asked.call("POST", "/company", {"name": "Contract suite", "externalId": "contract-suite"})
        asked.company = company["id"]
        asked.site = (await asked.call("POST", "/company/{company_id}/site", {"name": "Test Facility"}))["id"]
        yield asked
        await asked.call("DELETE", "/company/{company_id}")


async def test_a_wrong_key_is_refused(provider: Provider) -> None:
    answer = await provider.http.get("company", headers={"X-API-Key": "no key of anyone"})
    assert answer.status_code in {401, 403}
    assert faults_of_answer("GET", "/company", answer) == []


async def test_the_company_shows_its_site(provider: Provider) -> None:
    company = await provider.call("GET", "/company/{company_id}")
    assert [site["id"] for site in company["sites"]] == [provider.site]
    assert provider.company in [each["id"] for each in await provider.call("GET", "/company")]


async def test_wrong_credentials_show_on_the_connection(provider: Provider) -> None:
    made = await provider.connect(password="wrong")
    assert made["status"] in {"INCORRECT_PASSWORD", "PASSWORD_INCORRECT"}


async def test_good_credentials_bring_sample_documents_with_usage_within_half_a_minute(provider: Provider) -> None:
    made = await provider.connect()
    page: dict[str, Any] = {"documents": []}
    for _ in range(PATIENCE_SECONDS):
        page = await provider.call(
            "GET", "/company/{company_id}/connection/{connection_id}/document", connection_id=made["id"]
        )
        if page["documents"]:
            break
        await provider.wait()
    assert page["documents"]
    assert all(document["usageData"] for document in page["documents"])


async def test_the_connection_is_listed(provider: Provider) -> None:
    made = await provider.connect()
    page = await provider.call("GET", "/company/{company_id}/connection")
    assert [each["id"] for each in page["connections"]] == [made["id"]]


@pytest.mark.parametrize("count", [0, 4])
async def test_the_number_of_sites_is_limited(provider: Provider, count: int) -> None:
    sites = [provider.site]
    for number in range(3):
        made = await provider.call("POST", "/company/{company_id}/site", {"name": f"Further {number}"})
        sites.append(made["id"])
    path = f"company/{provider.company}/connection"
    answer = await provider.http.post(path, json={**GUIDE, "sites": sites[:count]})
    assert answer.status_code == 400
    assert faults_of_answer("POST", "/company/{company_id}/connection", answer) == []


async def test_a_magic_link_is_made(provider: Provider) -> None:
    link = await provider.call("POST", "/company/{company_id}/connection/link", {"sites": [provider.site]})
    assert link["magicLinkUrl"].endswith(link["companyMagicLinkSecret"])


async def test_an_invitation_is_made_read_and_revoked(provider: Provider) -> None:
    body = {"maxUses": 1, "expiresInSeconds": 3600, "prefill": {"initialSites": [provider.site]}}
    made = await provider.call("POST", "/invitation/company/{company_id}", body)
    assert (made["status"], made["useCount"]) == ("ACTIVE", 0)
    await provider.call("POST", "/invitation/{invitation_id}/revoke", invitation_id=made["id"])
    assert (await provider.call("GET", "/invitation/{invitation_id}", invitation_id=made["id"]))["status"] == "REVOKED"
