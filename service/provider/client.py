"""Calls to the provider about companies, sites, connections and their data. Calls about links are in `links`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import httpx
from pydantic import model_validator

from service.domain.model import (
    ConnectionId,
    ProviderCompanyId,
    ProviderSiteId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
)
from service.domain.reports import ReportedCompany, ReportedSite, UnreadNames
from service.domain.statuses import UNKNOWN_STATUS
from service.errors import ProviderBroken, ProviderFailure, ProviderNotFound, ProviderRefused, ProviderUnauthorized
from service.provider.account import CallLimits, ProviderAccount
from service.provider.data import ProviderData
from service.provider.links import ProviderLinks
from service.provider.lists import (
    UNREAD,
    UNREADABLE,
    At,
    ExternalId,
    Id,
    ListCall,
    Maybe,
    Name,
    ReadList,
    Shape,
    Status,
    Url,
    read_item,
    read_list,
    read_object,
)
from service.provider.transport import Call, Transport, segment
from service.settings import PathGeneration

T = TypeVar("T")


class _NamedAnswer(Shape):
    id: Maybe[Id] = None
    name: Maybe[Name] = None
    external_id: Maybe[ExternalId] = None
    is_unread: bool = False  # not the provider's: the external id is there, and cannot be read

    @model_validator(mode="before")
    @classmethod
    def _note_external_id(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {**body, "isUnread": not isinstance(body.get("externalId"), str | int | float | None)}


class _CompanyAnswer(_NamedAnswer):
    sites: Maybe[tuple[Maybe[_NamedAnswer], ...]] = None


class _DatasourceAnswer(Shape):
    name: Maybe[Name] = None
    url: Maybe[Url] = None


class _Identified(Shape):
    id: Id


class _ConnectionAnswer(_Identified):
    created: At
    updated: Maybe[At] = None
    status: Maybe[Status] = None
    url: Maybe[Url] = None
    datasource: Maybe[_DatasourceAnswer] = None
    company: Maybe[_NamedAnswer] = None
    initial_sites: Maybe[tuple[Maybe[Id], ...]] = None


@dataclass(frozen=True, slots=True)
class CompanyList:
    """All companies that the key may see; `unread` are those whose id or external id could not be read."""

    companies: tuple[ReportedCompany, ...]
    unread: tuple[UnreadNames, ...] = ()


class Provider:
    """The provider's API; `links` has the calls about magic links and invitations, `data` those about bills and usage.

    All calls raise only ProviderFailure and end in time (`CallLimits`): one call after `call_seconds`, a list after
    `list_seconds`, `snapshot` after two lists.
    """

    def __init__(self, http: httpx.AsyncClient, account: ProviderAccount, limits: CallLimits) -> None:
        self._transport = Transport(http, account, limits)
        self.links = ProviderLinks(self._transport, account.pages_url)
        self.data = ProviderData(self._transport)

    def use_paths(self, generation: PathGeneration) -> None:
        """Try this generation of paths first, because the provider has served it before. A configured one stays."""
        self._transport.use_paths(generation)

    def provider_now(self) -> float | None:
        """Return the provider's time now, from its last Date header; None before any answer had one."""
        return self._transport.provider_now()

    def call_deadline(self) -> float:
        """Return when, by the monotonic clock, a creating call must end whose intent is about to be written."""
        return self._transport.call_deadline()

    async def ping(self) -> None:
        """Check that the provider answers and accepts the key."""
        await self._transport.send(Call("GET", "/ping"))

    async def companies(self) -> CompanyList:
        """Return all companies that the key may see, with their sites."""
        found = await read_list(self._transport, ListCall(Call("GET", "/company"), "companies", "company", _listed))
        companies = tuple(one for one in found.items if isinstance(one, ReportedCompany))
        return CompanyList(companies, tuple(one for one in found.items if isinstance(one, UnreadNames)))

    async def company(self, company_id: ProviderCompanyId) -> ReportedCompany:
        """Return one company, with its sites."""
        answer = await self._transport.send(Call("GET", f"/company/{segment(company_id)}"))
        # Without its list, sites that exist would count as missing and be created a second time.
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("sites"), list):
            raise ProviderBroken(UNREADABLE)
        return _company(answer.body)

    async def create_company(self, name: str, external_id: str, deadline: float = float("inf")) -> ReportedCompany:
        """Create a company before `deadline`, of `call_deadline`. A failure with `lost` may have created it."""
        body = {"name": name, "externalId": external_id}
        answer = await self._transport.send(Call("POST", "/company", body=body, creates=True), deadline)
        return _company(answer.body, lost=True)

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
        found = _site(read_object(_NamedAnswer, answer.body, lost=True))
        if isinstance(found, UnreadNames):
            raise ProviderBroken(UNREADABLE, lost=True)
        return found

    async def connections(self, company_id: ProviderCompanyId) -> tuple[ReportedConnection, ...]:
        """Return all connections of the company."""
        return (await self._connections(company_id)).items

    async def connection_ids(self, company_id: ProviderCompanyId) -> tuple[frozenset[ConnectionId], bool]:
        """Return the ids of the company's connections, also where nothing else can be read, and whether these are all.

        They are not where an item has no readable id.
        """
        found = await read_list(self._transport, _listing(company_id, _listed_id))
        return frozenset(found.items), found.left_out == 0

    async def connection(self, connection_id: ConnectionId) -> ReportedConnection:
        """Return one connection, with its company where the provider names it."""
        answer = await self._transport.send(Call("GET", f"/connection/{segment(connection_id)}/details"))
        return _connection(read_object(_ConnectionAnswer, answer.body), None)

    async def snapshot(self, company_id: ProviderCompanyId, *, is_new: bool = False) -> ProviderSnapshot:
        """Return both lists of the company. Without a Date header `provider_at` is 0, too old to decide anything.

        `is_new`: the company was created or found moments ago, so a 404 for its invitations may mean "not yet".
        """
        snapshot, failure = await self.partial_snapshot(company_id, is_new=is_new)
        if failure is not None:
            raise failure
        return snapshot

    async def partial_snapshot(
        self, company_id: ProviderCompanyId, *, is_new: bool = False
    ) -> tuple[ProviderSnapshot, ProviderFailure | None]:
        """As `snapshot`; with a failure, its list of invitations could not be read and the connections could."""
        # Connections first: an invitation names what it created afterwards, so the other order would miss namings.
        connections = await self._connections(company_id)
        invitations: ReadList[ReportedInvitation] = ReadList((), None, 1)
        failure: ProviderFailure | None = None
        try:
            invitations = await self.links.listed(company_id)
        except ProviderNotFound:
            # The company was found just now. So this provider has no invitations at all, unless it has listed some.
            invitations = ReadList((), None, int(is_new or self.links.has_listed))
        except (ProviderRefused, ProviderUnauthorized):
            # A key may be good for connections and not for invitations, and a provider may refuse that list alone:
            # there may be some that we do not see.
            pass
        except ProviderFailure as exc:
            failure = exc
        unread = invitations.left_out > 0
        snapshot = ProviderSnapshot(connections.provider_at or 0.0, connections.items, invitations.items, unread)
        return snapshot, failure

    async def _connections(self, company_id: ProviderCompanyId) -> ReadList[ReportedConnection]:
        return await read_list(
            self._transport, _listing(company_id, partial(_listed_connection, company_id=company_id))
        )


def _listing(company_id: ProviderCompanyId, read: Callable[[Any, set[str]], tuple[str, T] | None]) -> ListCall[T]:
    company = segment(company_id)
    paths = f"/company/{company}/connection", f"/connection/company/{company}"
    return ListCall(Call("GET", *paths, query={"limit": 500}), "connections", "connection", read)


def _site(found: _NamedAnswer | None) -> ReportedSite | UnreadNames:
    if found is None or found.id is None or found.is_unread:
        return UnreadNames(found.name, found.external_id) if found else UnreadNames(None, None)
    return ReportedSite(ProviderSiteId(found.id), found.external_id, found.name)


def _company(body: Any, *, lost: bool = False) -> ReportedCompany:
    found = read_object(_CompanyAnswer, body, lost=lost)
    company = _company_of(found)
    if company is None:
        raise ProviderBroken(UNREADABLE, lost=lost)
    return company


def _company_of(found: _CompanyAnswer) -> ReportedCompany | None:
    if found.id is None:
        return None
    sites = [_site(one) for one in found.sites or ()]
    return ReportedCompany(
        ProviderCompanyId(found.id),
        found.name,
        found.external_id,
        tuple(one for one in sites if isinstance(one, ReportedSite)),
        tuple(one for one in sites if isinstance(one, UnreadNames)),
    )


def _listed(body: Any, odd: set[str]) -> tuple[str, ReportedCompany | UnreadNames]:
    found = read_item(_CompanyAnswer, body, odd) or _CompanyAnswer()
    company = _company_of(found)
    if company is None:
        odd.add("id")
    if company is None or found.is_unread:
        # A key of its own, so that it hides no company that can be read. The item itself is in no log: it names people.
        key = company.id if company else sha256(repr(body).encode("utf-8", "replace")).hexdigest()
        return f"{UNREAD}{key}", UnreadNames(found.name, found.external_id)
    return company.id, company


def _connection(found: _ConnectionAnswer, company_id: ProviderCompanyId | None) -> ReportedConnection:
    source = found.datasource or _DatasourceAnswer()
    company = found.company.id if found.company else None
    return ReportedConnection(
        id=ConnectionId(found.id),
        status=found.status or UNKNOWN_STATUS,
        provider_created_at=found.created,
        provider_updated_at=found.created if found.updated is None else found.updated,
        provider_name=source.name,
        provider_url=source.url or found.url,
        sites=tuple(ProviderSiteId(one) for one in found.initial_sites or () if one is not None),
        company_id=ProviderCompanyId(company) if company else company_id,
    )


def _listed_connection(
    body: Any, odd: set[str], company_id: ProviderCompanyId
) -> tuple[str, ReportedConnection] | None:
    found = read_item(_ConnectionAnswer, body, odd)
    if found is None:
        return None
    if found.status is None:
        odd.add("status")
    return found.id, _connection(found, company_id)


def _listed_id(body: Any, odd: set[str]) -> tuple[str, ConnectionId] | None:
    found = read_item(_Identified, body, odd)
    return (found.id, ConnectionId(found.id)) if found else None
