"""Recorded connections as the host reads them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.model import (
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    ProviderSiteId,
    Site,
    Tenant,
    UserId,
    UserRef,
    Verdict,
)
from service.store import Store


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """A connection with its company, the sites of the company that it has, and the ids of the users it refers to.

    Erased users are not among `users`.
    """

    connection: Connection
    company: Company
    sites: Sequence[Site]
    users: Mapping[UserRef, UserId]

    @property
    def user_id(self) -> UserId | None:
        """Its owner's id; None without an owner, and once that user was erased."""
        owner = self.connection.verdict.owner
        return self.users.get(owner.user) if owner is not None else None


class Connections:
    """Reads for one tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, tenant: Tenant, connection_id: ConnectionId) -> ConnectionDetails:
        """One recorded connection. Raises NotFound."""
        return (await self._with_users([await self._store.connections.get(connection_id, tenant)]))[0]

    async def list_page(
        self, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
    ) -> list[ConnectionDetails]:
        """Newest first."""
        return await self._with_users(await self._store.connections.list_page(tenant, filters, after, limit))

    async def for_export(
        self, connections: Sequence[Connection], users: Mapping[UserRef, UserId]
    ) -> list[ConnectionDetails]:
        """These connections, in which only `users` are named."""
        return await self._with_places(connections, users)

    async def _with_users(self, connections: Sequence[Connection]) -> list[ConnectionDetails]:
        users = await self._store.users.ids({ref for one in connections for ref in _users_of(one.verdict)})
        return await self._with_places(connections, users)

    async def _with_places(
        self, connections: Sequence[Connection], users: Mapping[UserRef, UserId]
    ) -> list[ConnectionDetails]:
        sites = defaultdict[CompanyRef, set[ProviderSiteId]](set)
        for one in connections:
            sites[one.company].update(one.reported.sites)
        places = await self._store.companies.with_sites(sites) if sites else {}
        return [_details(connection, *places[connection.company], users) for connection in connections]


def _users_of(verdict: Verdict) -> set[UserRef]:
    # Candidates are shown only where there is no owner.
    return {verdict.owner.user} if verdict.owner is not None else {one.user for one in verdict.candidates}


def _details(
    connection: Connection, company: Company, sites: Sequence[Site], users: Mapping[UserRef, UserId]
) -> ConnectionDetails:
    own = [site for site in sites if site.provider_id in connection.reported.sites]
    return ConnectionDetails(connection, company, own, users)
