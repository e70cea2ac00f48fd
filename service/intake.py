"""Stories of the provider's webhooks: kept before they are acknowledged, worked off afterwards.

A webhook says where to look; the look says what is true. So order, repetition and loss cannot matter.
"""

from collections.abc import Mapping, Sequence

from service.errors import BadBody, NotFound, ProviderRefused
from service.inbound import News, read, verify
from service.ledger import Due, WorkKind
from service.model import Clock, CompanyRef, ConnectionId, ProviderCompanyId
from service.provider import Provider
from service.store import Store

_ACCOUNT = "default"  # the provider account that a webhook's secret stands for
_BURST_SECONDS = 30.0  # how long news of documents is gathered before they are read


class Intake:
    """See the module."""

    def __init__(self, store: Store, provider: Provider, clock: Clock, secrets: Sequence[str]) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._secrets = secrets

    async def keep(self, headers: Mapping[str, str], body: bytes) -> None:
        """Verify a webhook and write it, once per message, before it is acknowledged. Raises BadWebhook."""
        message = verify(self._secrets, headers, body, self._clock())
        read(body)
        await self._store.inbox.put(_ACCOUNT, message.id, body.decode())

    async def take_in(self, letter_id: str) -> None:
        """Work off one webhook: it says where to look, and the look says what is true."""
        letter = await self._store.inbox.get(letter_id)
        try:
            message = read(letter.body.encode())
        except BadBody:
            await self._store.inbox.done(letter_id)
            return
        ref = await self._company_of(message)
        if ref is not None:
            await self._store.work.ask(*await self._asked_by(message, ref))
        await self._store.inbox.done(letter_id)

    async def _company_of(self, message: News) -> CompanyRef | None:
        """Where to look; None for a company that is not ours, which is parked and shown to nobody."""
        if message.company_id:
            company = await self._store.companies.by_provider_id(ProviderCompanyId(message.company_id))
            return company.ref if company else None
        if not message.type.startswith("connection.") or not message.id:
            return None
        try:
            return (await self._store.connections.get(ConnectionId(message.id))).company
        except NotFound:
            return await self._asked_company(ConnectionId(message.id))

    async def _asked_company(self, connection_id: ConnectionId) -> CompanyRef | None:
        try:
            seen = await self._provider.connection(connection_id)
        except ProviderRefused:
            return None
        company = await self._store.companies.by_provider_id(seen.company_id) if seen.company_id else None
        return company.ref if company else None

    async def _asked_by(self, message: News, ref: CompanyRef) -> list[Due]:
        if not message.type.startswith("document."):
            return [Due(WorkKind.RECONCILE, ref)]
        # A document event names no connection, so the company's are all read; and a month's bills come in one burst.
        connections = await self._store.connections.of_company(ref)
        return [Due(WorkKind.DOCUMENTS, one.id, _BURST_SECONDS) for one in connections]
