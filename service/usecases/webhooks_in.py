"""The provider's webhooks: verified, written before they are acknowledged, and processed by a job afterwards.

A webhook says which company to poll; the poll says what is true. So order, repetition and loss cannot matter.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from service.domain.changes import Job, JobKind, LeasedJob
from service.domain.model import Clock, CompanyRef, ConnectionId, ProviderCompanyId
from service.domain.timing import LOST_SECONDS
from service.errors import BadBody, NotFound, ProviderBroken, ProviderNotFound, ProviderRefused, Unavailable
from service.provider import Provider
from service.provider.webhooks import WebhookEvent, given_signature, parse_event, verify
from service.store import Store

_ACCOUNT = "default"  # the provider account that a webhook's secret stands for
_UNREADABLE_SECONDS = 86400.0  # how long another process may be the one that has the key
_BURST_SECONDS = 30.0  # document events of this long are gathered into one read


class IncomingWebhooks:
    """Accepts and processes webhooks. `secrets` are the provider account's: a webhook is signed with one of them."""

    def __init__(self, store: Store, provider: Provider, clock: Clock, secrets: Sequence[str]) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._secrets = secrets

    async def accept(self, headers: Mapping[str, str], read_body: Callable[[], Awaitable[bytes]]) -> None:
        """Verify a webhook and write it, once per message id, before it is acknowledged. Raises BadWebhook.

        Raises what `read_body` raises, too. Without the headers of a signature the body is not read.
        """
        given_signature(headers, self._clock())  # an attacker who knows nothing must not fill the memory with bodies
        message_id, event = self._verified(headers, await read_body())
        await self._store.inbox.put(_ACCOUNT, message_id, event.text())

    def _verified(self, headers: Mapping[str, str], body: bytes) -> tuple[str, WebhookEvent]:
        # In a function of its own, so that the body is gone while the event waits to be written.
        message_id = verify(self._secrets, headers, body, self._clock())
        return message_id, parse_event(body)

    async def process(self, webhook_id: str, job: LeasedJob | None = None) -> None:
        """Enqueue what one stored webhook asks for.

        Raises ProviderFailure, LeaseLost, and Unavailable where it cannot be read; then it is tried again.
        """
        stored = await self._store.inbox.get(webhook_id)
        if not (stored.body or stored.done) and self._clock() - stored.received_at < _UNREADABLE_SECONDS:
            raise Unavailable("No key of MAGICLINK_SECRET_KEYS decrypts this webhook event")
        try:
            event = parse_event(stored.body.encode())
        except BadBody:  # written by an earlier version that read more types, or its key is gone for good
            await self._store.inbox.complete(webhook_id, lease=job)
            return
        is_new = self._clock() - stored.received_at < LOST_SECONDS
        ref = await self._company_of(event, is_new=is_new)
        jobs = await self._jobs(event, ref) if ref is not None else []
        await self._store.inbox.complete(webhook_id, *jobs, lease=job)

    async def _company_of(self, event: WebhookEvent, *, is_new: bool) -> CompanyRef | None:
        """The company to poll, or None if this service does not know it: such a webhook has no effect."""
        if event.company_id:
            company = await self._store.companies.by_provider_id(ProviderCompanyId(event.company_id))
            return company.ref if company else None
        if not event.type.startswith("connection.") or not event.id:
            return None
        try:
            return (await self._store.connections.get(ConnectionId(event.id))).company
        except NotFound:
            return await self._company_by_provider(ConnectionId(event.id), is_new=is_new)

    async def _company_by_provider(self, connection_id: ConnectionId, *, is_new: bool) -> CompanyRef | None:
        try:
            reported = await self._provider.connection(connection_id)
        except ProviderRefused as exc:
            if is_new and isinstance(exc, ProviderNotFound):
                raise ProviderBroken("The provider does not know this connection yet; retry later") from exc
            return None
        if not reported.company_id:
            return None
        company = await self._store.companies.by_provider_id(reported.company_id)
        return company.ref if company else None

    async def _jobs(self, event: WebhookEvent, ref: CompanyRef) -> list[Job]:
        if not event.type.startswith("document."):
            return [Job(JobKind.RECONCILE, ref)]
        # A document event names no connection, so all of the company's are read; a month's documents come in one burst.
        connections = await self._store.connections.of_company(ref)
        jobs = [Job(JobKind.DOCUMENTS, one.id, _BURST_SECONDS) for one in connections]
        # Uploaded documents are of no connection; they come after what the connections list.
        return [*jobs, Job(JobKind.UPLOADS, ref, 2 * _BURST_SECONDS)]
