"""Documents (bills) and usage, read from the provider; and the events that name new documents."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.domain import events
from service.domain.changes import LeasedJob
from service.domain.model import (
    Clock,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    JsonObject,
    ProviderCompanyId,
    Tenant,
)
from service.domain.removals import is_new
from service.domain.statuses import ConnectionState
from service.domain.timing import LOST_SECONDS
from service.errors import NotFound, ProviderBroken, ProviderNotFound
from service.provider import Provider
from service.provider.lists import ListPage
from service.store import Store

# Sample documents come within half a minute and real ones within days; later ones are announced by webhooks.
_DOCUMENT_DAYS = 4
_DAY_SECONDS = 86400.0
_SOONEST_SECONDS = 3.0
# Only ids of this form are stored and named in events.
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
ReadPage = Callable[[int], Awaitable[ListPage[JsonObject]]]


@dataclass(frozen=True, slots=True)
class DocumentPlace:
    """A place in the provider's list: its page, from 1, and how many items of that page come before."""

    page: int = 1
    offset: int = 0


class Bills:
    """Usage and documents at the provider: read for the host, and new documents named in events."""

    def __init__(self, store: Store, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def usage(
        self, tenant: Tenant, connection_id: ConnectionId, filters: Mapping[str, str | list[str]]
    ) -> Sequence[Any]:
        """All pages of the usage; `filters` are the provider's own. Raises NotFound, ProviderFailure."""
        connection = await self._store.connections.get(connection_id, tenant)
        with self._not_yet(connection):
            return await self._provider.data.usage(connection_id, filters)

    async def documents(
        self, tenant: Tenant, connection_id: ConnectionId, place: DocumentPlace, limit: int
    ) -> tuple[Sequence[JsonObject], DocumentPlace | None]:
        """Up to `limit` documents from a place in the provider's list, and the place of the next, None at the end.

        Reads no more of the provider's pages than these stand on. Raises NotFound, ProviderFailure.
        """
        connection = await self._store.connections.get(connection_id, tenant)
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            raise NotFound
        found: list[JsonObject] = []
        while len(found) < limit:
            with self._not_yet(connection):
                page = await self._provider.data.document_page(connection.id, company.provider_id, place.page)
            rest = page.items[place.offset :]
            taken = rest[: limit - len(found)]
            found += taken
            if len(taken) < len(rest):
                return found, DocumentPlace(place.page, place.offset + len(taken))
            if not page.has_next:
                return found, None
            place = DocumentPlace(place.page + 1)
            # A provider that lists empty pages without an end must not cost a thousand calls for one request.
            if not page.items:
                break
        return found, place

    async def name_documents(self, connection_id: ConnectionId, job: LeasedJob | None = None) -> float | None:
        """Name the new documents of a connection that works; return in how many seconds to read again.

        Page by page, each in a transaction of its own. Raises ProviderFailure, LeaseLost.
        """
        connection = await self._store.connections.get(connection_id)
        company = await self._store.companies.get(connection.company)
        if connection.state is not ConnectionState.WORKING or company.provider_id is None:
            return None
        named = await self._name_documents(connection, company.provider_id, job)
        # It was updated when it began to work, which may be days after it was recorded. A later change of it gives the
        # reads this time again. They stay few: 5, 10, 20 and 40 seconds after the update, and so on.
        age = self._clock() - connection.updated_at
        over = named or age > _DOCUMENT_DAYS * _DAY_SECONDS
        return None if over else max(_SOONEST_SECONDS, age)

    async def name_uploads(self, ref: CompanyRef, job: LeasedJob | None = None) -> None:
        """Name the new documents of a company that were uploaded, which no connection lists.

        Raises ProviderFailure, LeaseLost.
        """
        company = await self._store.companies.get(ref)
        if company.provider_id is None:
            return
        try:
            read = partial(self._provider.data.company_document_page, company.provider_id)
            await self._name_uploads(company, read, job)
        except ProviderNotFound as exc:
            if is_new(company, self._provider.provider_now()):
                raise ProviderBroken("The provider does not know this company yet; retry later") from exc
            raise

    async def _name_uploads(self, company: Company, read: ReadPage, job: LeasedJob | None) -> None:
        async for items in _pages(read):
            # Reference: docs/provider.md, 11: an uploaded document names its job. A document without one may belong to
            # a connection that was never recorded; no host is notified of such documents.
            ids = _ids_of([one for one in items if one.get("jobId")])
            if ids:
                event = partial(events.upload_available, company)
                await self._store.documents.name_uploaded(company, ids, event, job)

    async def _name_documents(
        self, connection: Connection, company_id: ProviderCompanyId, job: LeasedJob | None
    ) -> bool:
        event = partial(events.document_available, connection)
        named = False
        with self._not_yet(connection):
            async for items in _pages(partial(self._provider.data.document_page, connection.id, company_id)):
                ids = _ids_of(items)
                if ids:
                    named = await self._store.documents.name_new(connection, ids, event, job) or named
        return named

    @contextmanager
    def _not_yet(self, connection: Connection) -> Iterator[None]:
        """Raise ProviderBroken, which is retried, for a 404 about a connection that was recorded moments ago."""
        try:
            yield
        except ProviderNotFound as exc:
            if self._clock() - connection.recorded_at < LOST_SECONDS:
                raise ProviderBroken("The provider does not know this connection yet; retry later") from exc
            raise


async def _pages(read: ReadPage) -> AsyncIterator[Sequence[JsonObject]]:
    """Yield the pages of a list, from the first to the last.

    One that repeats only what came before is the last, whatever the provider says of a next one: otherwise a list
    without an end would cost a thousand calls at each reading.
    """
    seen: set[str] = set()
    number, more = 1, True
    while more:
        page = await read(number)
        yield page.items
        new = {one["id"] for one in page.items} - seen
        seen |= new
        number, more = number + 1, page.has_next and (bool(new) or page.left_out > 0)


def _ids_of(items: Sequence[JsonObject]) -> list[str]:
    return [one["id"] for one in items if _ID.fullmatch(one["id"])]
