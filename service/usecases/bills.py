"""Documents (bills) and usage, read from the provider; and the event that reports the first documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.domain import events
from service.domain.changes import LeasedJob
from service.domain.model import Clock, ConnectionId, Tenant
from service.domain.statuses import credentials_work
from service.errors import NotFound
from service.provider import Provider
from service.store import Store

# Sample documents come within half a minute and real ones within days; later ones are announced by webhooks.
_DOCUMENT_DAYS = 4
_DAY_SECONDS = 86400.0
_SOONEST_SECONDS = 3.0


class Bills:
    """What the provider has of one connection, as it is now."""

    def __init__(self, store: Store, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def usage(self, tenant: Tenant, connection_id: ConnectionId, filters: Mapping[str, str]) -> Sequence[Any]:
        """All pages of the usage; `filters` are the provider's own. Raises NotFound, ProviderFailure."""
        await self._store.connections.get(connection_id, tenant)
        return await self._provider.usage(connection_id, filters)

    async def documents(self, tenant: Tenant, connection_id: ConnectionId) -> Sequence[Any]:
        """All pages of the documents. Raises NotFound, ProviderFailure."""
        connection = await self._store.connections.get(connection_id, tenant)
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            raise NotFound
        return await self._provider.documents(connection_id, company.provider_id)

    async def check_documents(self, connection_id: ConnectionId, job: LeasedJob | None = None) -> float | None:
        """Report new documents, once; return in how many seconds to check again. Raises ProviderFailure, LeaseLost."""
        connection = await self._store.connections.get(connection_id)
        if not credentials_work(connection.reported.status):
            return None
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            return None
        count = len(await self._provider.documents(connection_id, company.provider_id))
        event = events.document_available(connection, count)
        reported = await self._store.connections.count_documents(connection_id, count, event, job)
        age = self._clock() - connection.recorded_at
        over = reported or age > _DOCUMENT_DAYS * _DAY_SECONDS
        return None if over else max(_SOONEST_SECONDS, age / 2)
