"""Ids of the provider that a caller names: resolved to a row of the caller's tenant before any call to the provider.

Ada's company, site, connection and session are the default tenant's; Mallory has a key of another tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from service.app import create_app
from service.settings import Settings
from tests.support.services import RunningServices, refused
from tests.support.users import User

UNKNOWN = "00000000-0000-4000-8000-000000000000"
COMPANY = {"externalId": "mallory", "name": "Mallory Inc"}


@dataclass(frozen=True)
class Foreign:
    """What Ada has, and the client of Mallory's backend."""

    services: RunningServices
    connection: dict[str, Any]
    wants: dict[str, Any]
    host: httpx.AsyncClient

    async def calls_nothing(self, method: str, path: str, body: Any = None, status: int = 404) -> httpx.Response:
        """The call is answered, and neither it nor any job that it left asks the provider about anything."""
        before = list(self.services.outgoing.calls)
        answer = await self.host.request(method, path, json=body)
        await self.services.drain()
        assert answer.status_code == status, answer.text
        assert self.services.outgoing.calls == before
        return answer


@pytest.fixture
async def foreign(services: RunningServices, ada: User) -> Foreign:
    connection = await ada.connected()
    await services.drain()
    return Foreign(services, connection, ada.wants(userId="mallory"), await services.stranger())


# The routes whose path names an id of the provider, with a body that is right but for whose it is.
ROUTES: dict[tuple[str, str], Any] = {
    ("GET", "/v1/connections/{id}"): None,
    ("POST", "/v1/connections/{id}/reconnect"): {},
    ("POST", "/v1/connections/{id}/claim"): {"sessionId": "ses_0123456789abcdef01234567"},
    ("DELETE", "/v1/connections/{id}/claim"): None,
    ("GET", "/v1/connections/{id}/documents"): None,
    ("GET", "/v1/connections/{id}/usage"): None,
}


def _served(routes: Sequence[BaseRoute], prefix: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes:
        if isinstance(route, Mount):
            found |= _served(route.routes or (), prefix + route.path)
        elif isinstance(route, Route):
            found |= {(method, prefix + route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


def test_every_route_that_names_a_connection_is_tried() -> None:
    app = create_app(Settings(secret_keys=("k" * 32,), public_url="http://localhost", provider_api_key="key"))
    # Ids of our own: each of these routes has its own tests with another tenant.
    ours = ("/v1/sessions/", "/v1/users/", "/v1/webhook-endpoints/", "/v1/deliveries/", "/static")
    named = {one for one in _served(app.routes) if "{" in one[1] and not one[1].startswith(ours)}
    pages = {
        one for one in named if one[1].startswith(("/embed", "/connect/", "/live/", "/status/", "/handoff/"))
    }  # tokens and a digest
    assert named - pages == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
@pytest.mark.parametrize("whose", ["another tenant's", "unknown"])
async def test_a_foreign_connection_is_not_found_before_the_provider_is_asked(
    foreign: Foreign, route: tuple[str, str], whose: str
) -> None:
    method, path = route
    named = path.replace("{id}", foreign.connection["id"] if whose == "another tenant's" else UNKNOWN)
    refused(await foreign.calls_nothing(method, named, ROUTES[route]), 404, "not_found")


@pytest.mark.parametrize("prepare", ["background", "now"])
@pytest.mark.parametrize("whose", ["another tenant's", "unknown"])
async def test_a_foreign_company_is_not_found_before_the_provider_is_asked(
    foreign: Foreign, prepare: str, whose: str
) -> None:
    company = foreign.connection["company"]["id"] if whose == "another tenant's" else UNKNOWN
    body = foreign.wants | {"company": {"id": company}, "prepare": prepare}
    refused(await foreign.calls_nothing("POST", "/v1/sessions", body), 404, "not_found")


@pytest.mark.parametrize("prepare", ["background", "now"])
@pytest.mark.parametrize("whose", ["another tenant's", "unknown"])
async def test_a_foreign_site_is_not_found_before_the_provider_is_asked(
    foreign: Foreign, prepare: str, whose: str
) -> None:
    site = foreign.connection["sites"][0]["id"] if whose == "another tenant's" else UNKNOWN
    body = foreign.wants | {"company": COMPANY, "sites": [{"id": site}], "prepare": prepare}
    refused(await foreign.calls_nothing("POST", "/v1/sessions", body), 404, "not_found")
    assert (await foreign.host.get("/v1/sessions")).json()["data"] == []


async def test_a_tenant_may_name_its_own_company_and_site_by_the_providers_ids(foreign: Foreign) -> None:
    body = foreign.wants | {"company": COMPANY}
    made = (await foreign.host.post("/v1/sessions", json=body)).json()
    await foreign.services.drain()
    own = (await foreign.host.get(f"/v1/sessions/{made['id']}")).json()
    named = {"company": {"id": own["company"]["id"]}, "sites": [{"id": own["sites"][0]["id"]}]}
    again = await foreign.host.post("/v1/sessions", json=foreign.wants | named)
    assert again.status_code == 201, again.text


async def test_a_foreign_connection_cannot_be_reconnected_by_a_session(foreign: Foreign) -> None:
    for connection in (foreign.connection["id"], UNKNOWN):
        body = {"userId": "mallory", "connectionId": connection}
        refused(await foreign.calls_nothing("POST", "/v1/sessions", body), 404, "not_found")


async def test_a_filter_finds_nothing_of_a_foreign_company(foreign: Foreign) -> None:
    for company in (foreign.connection["company"]["id"], foreign.connection["company"]["externalId"], UNKNOWN):
        for path in ("/v1/sessions", "/v1/connections"):
            answer = await foreign.calls_nothing("GET", f"{path}?companyId={company}", status=200)
            assert answer.json()["data"] == []


async def test_a_callback_that_names_a_foreign_connection_asks_about_its_own_company_only(
    foreign: Foreign, services: RunningServices
) -> None:
    bob = User(services, "bob")
    page = await bob.browser(company={"externalId": "other", "name": "Other Ltd"})
    back = (await page.view())["doneUrl"]
    before = len(services.outgoing.calls)
    await page.get(f"{back}&connectionId={foreign.connection['id']}")
    await services.drain()
    asked = services.outgoing.calls[before:]
    assert asked
    assert [call for call in asked if foreign.connection["id"] in call] == []
    assert [call for call in asked if foreign.connection["company"]["id"] in call] == []
