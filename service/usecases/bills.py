"""Documents (bills) and usage, read from the provider; and the event that reports the first documents."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from service.domain import events
from service.domain.changes import LeasedJob
from service.domain.model import Clock, Connection, ConnectionId, ProviderCompanyId, Tenant
from service.domain.statuses import ConnectionState
from service.domain.timing import LOST_SECONDS
from service.errors import NotFound, ProviderBroken, ProviderNotFound
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
        connection = await self._store.connections.get(connection_id, tenant)
        with self._not_yet(connection):
            return await self._provider.usage(connection_id, filters)

    async def documents(self, tenant: Tenant, connection_id: ConnectionId) -> Sequence[Any]:
        """All pages of the documents. Raises NotFound, ProviderFailure."""
        connection = await self._store.connections.get(connection_id, tenant)
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            raise NotFound
        return await self._documents(connection, company.provider_id)

    async def check_documents(self, connection_id: ConnectionId, job: LeasedJob | None = None) -> float | None:
        """Report new documents, once; return in how many seconds to check again. Raises ProviderFailure, LeaseLost."""
        connection = await self._store.connections.get(connection_id)
        if connection.state is not ConnectionState.WORKING:
            return None
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            return None
        count = len(await self._documents(connection, company.provider_id))
        event = events.document_available(connection, count)
        reported = await self._store.connections.count_documents(connection_id, count, event, job)
        age = self._clock() - connection.recorded_at
        over = reported or age > _DOCUMENT_DAYS * _DAY_SECONDS
        return None if over else max(_SOONEST_SECONDS, age / 2)

    async def _documents(self, connection: Connection, company_id: ProviderCompanyId) -> Sequence[Any]:
        with self._not_yet(connection):
            return await self._provider.documents(connection.id, company_id)

    @contextmanager
    def _not_yet(self, connection: Connection) -> Iterator[None]:
        """A 404 about a connection that was found moments ago means "not yet", which is retried, and no refusal."""
        try:
            yield
        except ProviderNotFound as exc:
            if self._clock() - connection.recorded_at < LOST_SECONDS:
                raise ProviderBroken("The provider does not know this connection yet; retry later") from exc
            raise
