"""The verbs about companies, sites, connections and their data; those about links are in handoffs.py."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import ProviderBroken, ProviderNotFound
from service.model import (
    ConnectionId,
    JsonObject,
    ProviderCompanyId,
    ProviderSiteId,
    Reading,
    SeenConnection,
)
from service.provider.answers import At, Id, Listing, Shape, read_list, read_object
from service.provider.handoffs import HandOffs
from service.provider.wire import Call, segment

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundSite:
    """A site as the provider tells it."""

    id: ProviderSiteId
    external_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class FoundCompany:
    """A company as the provider tells it."""

    id: ProviderCompanyId
    name: str | None
    external_id: str | None
    sites: tuple[FoundSite, ...] = ()


class _Named(Shape):
    id: Id
    name: str | None = None
    external_id: str | None = None


class _Company(_Named):
    sites: tuple[_Named, ...] | None = None


class _Datasource(Shape):
    name: str | None = None
    url: str | None = None


class _Connection(Shape):
    id: Id
    created: At
    updated: At | None = None
    status: str = "PENDING"
    url: str | None = None
    datasource: _Datasource | None = None
    company: _Named | None = None
    initial_sites: tuple[Id, ...] | None = None


class Provider(HandOffs):
    """Verbs raise only ProviderFailure, and end in time: 25 s, a list 60 s, `read` as long as two lists (`Pace`)."""

    async def ping(self) -> Mapping[str, Any]:
        """Whether the key is accepted; what the answer holds is not documented."""
        answer = await self._wire.ask(Call("GET", "/ping"))
        return answer.body if isinstance(answer.body, dict) else {}

    async def companies(self) -> list[FoundCompany]:
        """All that the key may see, with their sites."""
        found, _ = await read_list(self._wire, Listing(Call("GET", "/company"), "companies", _company))
        return list(found)

    async def company(self, company_id: ProviderCompanyId) -> FoundCompany:
        """One, with its sites."""
        answer = await self._wire.ask(Call("GET", f"/company/{segment(company_id)}"))
        return _company(answer.body)[1]

    async def create_company(self, name: str, external_id: str, deadline: float = float("inf")) -> FoundCompany:
        """Creates (ProviderFailure.lost); see `call_deadline`."""
        body = {"name": name, "externalId": external_id}
        answer = await self._wire.ask(Call("POST", "/company", body=body, creates=True), deadline)
        return _company(answer.body, lost=True)[1]

    async def create_site(
        self,
        company_id: ProviderCompanyId,
        name: str,
        external_id: str | None,
        address: str | None,
        deadline: float = float("inf"),
    ) -> FoundSite:
        """Creates (ProviderFailure.lost); see `call_deadline`."""
        company = segment(company_id)
        given = {"name": name, "externalId": external_id, "address": address}
        body = {key: value for key, value in given.items() if value is not None}
        paths = f"/company/{company}/site", f"/site/company/{company}"
        answer = await self._wire.ask(Call("POST", *paths, body=body, creates=True), deadline)
        return _site(read_object(_Named, answer.body, lost=True))

    async def connections(self, company_id: ProviderCompanyId) -> tuple[SeenConnection, ...]:
        """All of the company."""
        return (await self._connections(company_id))[0]

    async def connection(self, connection_id: ConnectionId) -> SeenConnection:
        """One; it names its company if the provider does."""
        answer = await self._wire.ask(Call("GET", f"/connection/{segment(connection_id)}/details"))
        return _connection(answer.body)[1]

    async def read(self, company_id: ProviderCompanyId) -> Reading:
        """Both lists, connections first. Where no answer has a Date, `provider_at` is 0: too old to settle anything."""
        connections, provider_at = await self._connections(company_id)
        try:
            invitations = await self.invitations(company_id)
        except ProviderNotFound:
            invitations = ()  # the company was found just now, so what is missing is invitations altogether
        return Reading(provider_at or 0.0, connections, invitations)

    async def documents(self, connection_id: ConnectionId, company_id: ProviderCompanyId) -> list[JsonObject]:
        """The connection's bills, all pages, as the provider tells them."""
        connection = segment(connection_id)
        paths = f"/company/{segment(company_id)}/connection/{connection}/document", f"/document/connection/{connection}"
        found, _ = await read_list(self._wire, Listing(Call("GET", *paths), "documents", _record), agreed=False)
        return list(found)

    async def usage(self, connection_id: ConnectionId, params: Mapping[str, str]) -> list[JsonObject]:
        """The connection's usage, all pages, as the provider tells it; `params` are its own filters."""
        call = Call("GET", f"/usage/connection/{segment(connection_id)}", query=params)
        found, _ = await read_list(self._wire, Listing(call, "usageData", _record), agreed=False)
        return list(found)

    async def _connections(self, company_id: ProviderCompanyId) -> tuple[tuple[SeenConnection, ...], float | None]:
        company = segment(company_id)
        paths = f"/company/{company}/connection", f"/connection/company/{company}"
        call = Call("GET", *paths, query={"limit": 500})
        return await read_list(self._wire, Listing(call, "connections", lambda item: _readable(item, company_id)))


def _site(found: _Named) -> FoundSite:
    return FoundSite(ProviderSiteId(found.id), found.external_id, found.name)


def _company(body: Any, *, lost: bool = False) -> tuple[str, FoundCompany]:
    found = read_object(_Company, body, lost=lost)
    sites = tuple(map(_site, found.sites or ()))
    return found.id, FoundCompany(ProviderCompanyId(found.id), found.name, found.external_id, sites)


def _connection(body: Any, company_id: ProviderCompanyId | None = None) -> tuple[str, SeenConnection]:
    found = read_object(_Connection, body)
    source = found.datasource or _Datasource()
    seen = SeenConnection(
        id=ConnectionId(found.id),
        status=found.status,
        provider_created_at=found.created,
        provider_updated_at=found.created if found.updated is None else found.updated,
        provider_name=source.name,
        provider_url=source.url or found.url,
        sites=tuple(map(ProviderSiteId, found.initial_sites or ())),
        company_id=ProviderCompanyId(found.company.id) if found.company else company_id,
    )
    return found.id, seen


def _readable(item: Any, company_id: ProviderCompanyId) -> tuple[str, SeenConnection] | None:
    """One connection that nobody can read must not hide all others of its company."""
    try:
        return _connection(item, company_id)
    except ProviderBroken:
        _log.error("a connection is left out: what the provider tells of it cannot be read (company %s)", company_id)
        return None


def _record(body: Any) -> tuple[str, JsonObject]:
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise ProviderBroken("The provider answered something that is not its contract; retry later")
    return body["id"], body
