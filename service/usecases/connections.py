"""Recorded connections as the host reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.model import Company, Connection, ConnectionId, Site, Tenant
from service.store import Store


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """A connection with its company, and the sites of the company that it has."""

    connection: Connection
    company: Company
    sites: Sequence[Site]


class Connections:
    """Reads for one tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, tenant: Tenant, connection_id: ConnectionId) -> ConnectionDetails:
        """One recorded connection. Raises NotFound."""
        return (await self._with_places([await self._store.connections.get(connection_id, tenant)]))[0]

    async def list_page(
        self, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
    ) -> list[ConnectionDetails]:
        """Newest first."""
        return await self._with_places(await self._store.connections.list_page(tenant, filters, after, limit))

    async def _with_places(self, connections: Sequence[Connection]) -> list[ConnectionDetails]:
        places = {ref: await self._store.companies.with_sites(ref) for ref in {one.company for one in connections}}
        return [_details(connection, *places[connection.company]) for connection in connections]


def _details(connection: Connection, company: Company, sites: Sequence[Site]) -> ConnectionDetails:
    own = [site for site in sites if site.provider_id in connection.reported.sites]
    return ConnectionDetails(connection, company, own)
