"""Calls to the provider about companies, sites, connections and their data. Calls about links are in `links`."""

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from service.domain.model import (
    ConnectionId,
    JsonObject,
    ProviderCompanyId,
    ProviderSiteId,
    ProviderSnapshot,
    ReportedCompany,
    ReportedConnection,
    ReportedSite,
)
from service.errors import ProviderBroken, ProviderNotFound
from service.provider.links import ProviderLinks
from service.provider.lists import At, Id, ListCall, Shape, read_list, read_object
from service.provider.transport import Call, CallLimits, ProviderAccount, Transport, segment

_log = logging.getLogger(__name__)


class _NamedAnswer(Shape):
    id: Id
    name: str | None = None
    external_id: str | None = None


class _CompanyAnswer(_NamedAnswer):
    sites: tuple[_NamedAnswer, ...] | None = None


class _DatasourceAnswer(Shape):
    name: str | None = None
    url: str | None = None


class _ConnectionAnswer(Shape):
    id: Id
    created: At
    updated: At | None = None
    status: str = "PENDING"
    url: str | None = None
    datasource: _DatasourceAnswer | None = None
    company: _NamedAnswer | None = None
    initial_sites: tuple[Id, ...] | None = None


class Provider:
    """The provider's API; `links` has the calls about magic links and invitations.

    All calls raise only ProviderFailure and end in time (`CallLimits`): one call after `call_seconds`, a list after
    `list_seconds`, `snapshot` after two lists.
    """

    def __init__(self, http: httpx.AsyncClient, account: ProviderAccount, limits: CallLimits) -> None:
        self._transport = Transport(http, account, limits)
        self.links = ProviderLinks(self._transport, account.pages_url)

    def provider_now(self) -> float | None:
        """Return the provider's time now, from its last Date header; None before any answer had one."""
        return self._transport.provider_now()

    def call_deadline(self) -> float:
        """Return when, by the monotonic clock, a creating call that is about to be written down must be over."""
        return self._transport.call_deadline()

    async def ping(self) -> None:
        """Check that the provider answers and accepts the key."""
        await self._transport.send(Call("GET", "/ping"))

    async def companies(self) -> list[ReportedCompany]:
        """Return all companies that the key may see, with their sites."""
        found, _ = await read_list(self._transport, ListCall(Call("GET", "/company"), "companies", _company))
        return list(found)

    async def company(self, company_id: ProviderCompanyId) -> ReportedCompany:
        """Return one company, with its sites."""
        answer = await self._transport.send(Call("GET", f"/company/{segment(company_id)}"))
        return _company(answer.body)[1]

    async def create_company(self, name: str, external_id: str, deadline: float = float("inf")) -> ReportedCompany:
        """Create a company before `deadline`, of `call_deadline`. A failure with `lost` may have created it."""
        body = {"name": name, "externalId": external_id}
        answer = await self._transport.send(Call("POST", "/company", body=body, creates=True), deadline)
        return _company(answer.body, lost=True)[1]

    async def create_site(
        self,
        company_id: ProviderCompanyId,
        name: str,
        external_id: str | None,
        address: str | None,
        deadline: float = float("inf"),
    ) -> ReportedSite:
        """Create a site before `deadline`, of `call_deadline`. A failure with `lost` may have created it."""
        company = segment(company_id)
        given = {"name": name, "externalId": external_id, "address": address}
        body = {key: value for key, value in given.items() if value is not None}
        paths = f"/company/{company}/site", f"/site/company/{company}"
        answer = await self._transport.send(Call("POST", *paths, body=body, creates=True), deadline)
        return _site(read_object(_NamedAnswer, answer.body, lost=True))

    async def connections(self, company_id: ProviderCompanyId) -> tuple[ReportedConnection, ...]:
        """Return all connections of the company."""
        return (await self._connections(company_id))[0]

    async def connection(self, connection_id: ConnectionId) -> ReportedConnection:
        """Return one connection, with its company where the provider names it."""
        answer = await self._transport.send(Call("GET", f"/connection/{segment(connection_id)}/details"))
        return _connection(answer.body)[1]

    async def snapshot(self, company_id: ProviderCompanyId) -> ProviderSnapshot:
        """Return both lists of the company. Without a Date header `provider_at` is 0, too old to decide anything."""
        # Connections first: an invitation names what it created afterwards, so the other order would miss namings.
        connections, provider_at = await self._connections(company_id)
        try:
            invitations = await self.links.invitations(company_id)
        except ProviderNotFound:
            invitations = ()  # the company was found just now, so this provider has no invitations at all
        return ProviderSnapshot(provider_at or 0.0, connections, invitations)

    async def documents(self, connection_id: ConnectionId, company_id: ProviderCompanyId) -> list[JsonObject]:
        """Return the connection's documents, all pages, as the provider reports them."""
        connection = segment(connection_id)
        paths = f"/company/{segment(company_id)}/connection/{connection}/document", f"/document/connection/{connection}"
        found, _ = await read_list(self._transport, ListCall(Call("GET", *paths), "documents", _raw_item), agreed=False)
        return list(found)

    async def usage(self, connection_id: ConnectionId, params: Mapping[str, str]) -> list[JsonObject]:
        """Return the connection's usage, all pages, as the provider reports it.

        `params` are the provider's own filters.
        """
        call = Call("GET", f"/usage/connection/{segment(connection_id)}", query=params)
        found, _ = await read_list(self._transport, ListCall(call, "usageData", _raw_item), agreed=False)
        return list(found)

    async def _connections(self, company_id: ProviderCompanyId) -> tuple[tuple[ReportedConnection, ...], float | None]:
        company = segment(company_id)
        paths = f"/company/{company}/connection", f"/connection/company/{company}"
        call = Call("GET", *paths, query={"limit": 500})
        return await read_list(
            self._transport, ListCall(call, "connections", lambda item: _readable_connection(item, company_id))
        )


def _site(found: _NamedAnswer) -> ReportedSite:
    return ReportedSite(ProviderSiteId(found.id), found.external_id, found.name)


def _company(body: Any, *, lost: bool = False) -> tuple[str, ReportedCompany]:
    found = read_object(_CompanyAnswer, body, lost=lost)
    sites = tuple(map(_site, found.sites or ()))
    return found.id, ReportedCompany(ProviderCompanyId(found.id), found.name, found.external_id, sites)


def _connection(body: Any, company_id: ProviderCompanyId | None = None) -> tuple[str, ReportedConnection]:
    found = read_object(_ConnectionAnswer, body)
    source = found.datasource or _DatasourceAnswer()
    reported = ReportedConnection(
        id=ConnectionId(found.id),
        status=found.status,
        provider_created_at=found.created,
        provider_updated_at=found.created if found.updated is None else found.updated,
        provider_name=source.name,
        provider_url=source.url or found.url,
        sites=tuple(map(ProviderSiteId, found.initial_sites or ())),
        company_id=ProviderCompanyId(found.company.id) if found.company else company_id,
    )
    return found.id, reported


def _readable_connection(item: Any, company_id: ProviderCompanyId) -> tuple[str, ReportedConnection] | None:
    # A connection that cannot be parsed must not hide all others of its company, so it is left out and logged.
    try:
        return _connection(item, company_id)
    except ProviderBroken:
        _log.error("a connection is left out: the provider's item cannot be read (company %s)", company_id)
        return None


def _raw_item(body: Any) -> tuple[str, JsonObject]:
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise ProviderBroken("The provider answered something that is not its contract; retry later")
    return body["id"], body
