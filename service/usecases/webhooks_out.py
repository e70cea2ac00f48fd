"""Webhook endpoints of hosts: create, read, change, rotate, test and replay. `deliveries` sends to them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from service.domain import endpoints as rules
from service.domain.changes import LeasedJob
from service.domain.deliveries import Delivery, DeliveryKind, DeliveryStatus
from service.domain.endpoints import (
    DisabledReason,
    Endpoint,
    EndpointChange,
    EndpointSecret,
    EndpointStatus,
    EndpointView,
)
from service.domain.model import EventId, Tenant
from service.domain.requests import KeptAnswer
from service.domain.runtime import Runtime
from service.errors import InvalidRequest, NotFound, Problem
from service.outbound import AddressGuard, new_secret, public_key
from service.outbound.addresses import BlockedAddress, UnknownName
from service.store import Store
from service.urls import is_beneath, origin_of, webhook_url_problem

_log = logging.getLogger(__name__)
_RESOLVE_SECONDS = 3.0

SECRETS_REF = "endpoint secrets"  # of the job that encrypts them
# Again after a day: at the start of this process one with older settings may have run the job, or created an endpoint.
_ENCRYPT_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """What a host asks for; in a change, None leaves a field as it is, and "" takes the company away."""

    url: str | None = None
    description: str | None = None
    types: tuple[str, ...] | None = None
    company_id: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class EndpointParts:
    """What endpoints need beside the store: ids and keys, the guard of addresses, and this service's own address."""

    runtime: Runtime
    random_bytes: Callable[[int], bytes]
    guard: AddressGuard
    public_url: str


@dataclass(frozen=True, slots=True)
class EndpointDetails:
    """An endpoint as its host sees it; `public_key` is None where its secret cannot be read."""

    endpoint: Endpoint
    public_key: str | None
    oldest_pending_at: float | None


# These make the answer of a call that is stored for equal calls; they return None without an Idempotency-Key.
KeepEndpoint = Callable[[EndpointDetails, EndpointSecret], KeptAnswer | None]
KeepDelivery = Callable[[Delivery], KeptAnswer | None]
KeepReplay = Callable[[str], KeptAnswer | None]


class OutgoingWebhooks:
    """The verbs of `/v1/webhook-endpoints`. `actor` is the id of the API key, for the audit.

    `keep` makes the answer that is stored for equal calls, in the transaction that does what the call asks for.
    """

    def __init__(self, store: Store, parts: EndpointParts, wake: Callable[[], None]) -> None:
        self._store = store
        self._parts = parts
        self._wake = wake

    async def create(
        self, tenant: Tenant, request: EndpointRequest, actor: str, keep: KeepEndpoint
    ) -> tuple[EndpointDetails, EndpointSecret]:
        """Create an endpoint; its secret is returned this once. Raises InvalidRequest, also for one too many."""
        url = request.url or ""
        await self._check_url(url)
        now = self._parts.runtime.clock()
        endpoint = Endpoint(
            id=self._parts.runtime.new_id("whe"),
            tenant=tenant,
            url=url,
            description=request.description or "",
            types=request.types or (),
            company_id=request.company_id or None,
            created_at=now,
            created_by=actor,
            changed_at=now,
            changed_by=actor,
        )
        secret = self._new_secret()
        details = EndpointDetails(endpoint, public_key(secret), None)
        await self._store.endpoints.create(EndpointChange(endpoint, "created", actor, secret), keep(details, secret))
        _log.info("webhook endpoint %s was created with key %s", endpoint.id, actor)
        return details, secret

    async def get(self, tenant: Tenant, endpoint_id: str) -> EndpointDetails:
        """One endpoint with its health. Raises NotFound."""
        return _details(await self._store.endpoints.view(endpoint_id, tenant))

    async def list_page(self, tenant: Tenant, after: tuple[float, str] | None, limit: int) -> Sequence[EndpointDetails]:
        """Endpoints, newest first."""
        return [_details(one) for one in await self._store.endpoints.list_page(tenant, after, limit)]

    async def secret(self, secret_id: str) -> EndpointSecret:
        """The secret that an earlier equal call was answered with. Raises NotFound after two days."""
        return await self._store.endpoints.secret(secret_id)

    async def encrypt_secrets(self) -> float:
        """Encrypt all secrets with the newest secret key, so that an older one can be removed; due again in a day."""
        last: str | None = ""
        while last is not None:
            last = await self._store.endpoints.encrypt_secrets(last)
        return _ENCRYPT_SECONDS

    async def change(
        self, tenant: Tenant, endpoint_id: str, request: EndpointRequest, actor: str
    ) -> tuple[Endpoint, EndpointSecret | None]:
        """Change an endpoint; another origin gets a new secret at once. Raises NotFound, InvalidRequest.

        Otherwise the owner of the old address could read what is signed for the new one, and forge it.
        """
        if request.url is not None:
            await self._check_url(request.url)
        secret = self._new_secret()
        rotated = False

        def decide(endpoint: Endpoint) -> EndpointChange:
            nonlocal rotated
            rotated = request.url is not None and origin_of(request.url) != origin_of(endpoint.url)
            now = self._parts.runtime.clock()
            changed = replace(_changed(endpoint, request), changed_at=now, changed_by=actor)
            # The secret of the other origin signs nothing more: no overlap.
            return EndpointChange(changed, "changed", actor, secret if rotated else None, now if rotated else None)

        endpoint = await self._store.endpoints.change(endpoint_id, decide, tenant)
        _log.info("webhook endpoint %s was changed with key %s", endpoint_id, actor)
        self._wake()
        return endpoint, secret if rotated else None

    async def delete(self, tenant: Tenant, endpoint_id: str, actor: str) -> None:
        """Delete an endpoint with its pending deliveries, which are never sent. Raises NotFound."""
        await self._store.endpoints.delete(endpoint_id, tenant, actor)
        _log.info("webhook endpoint %s was deleted with key %s", endpoint_id, actor)
        while await self._store.deliveries.delete_of(endpoint_id):
            pass

    async def rotate(
        self, tenant: Tenant, endpoint_id: str, actor: str, keep: KeepEndpoint
    ) -> tuple[EndpointDetails, EndpointSecret]:
        """Give the endpoint a new secret; the old one signs beside it for a day. Raises NotFound, InvalidRequest."""
        secret = self._new_secret()

        def decide(endpoint: Endpoint) -> EndpointChange:
            now = self._parts.runtime.clock()
            changed = replace(endpoint, changed_at=now, changed_by=actor)
            return EndpointChange(changed, "secret rotated", actor, secret, rules.secret_ends_at(now))

        view = await self._store.endpoints.change_and_keep(
            endpoint_id, decide, tenant, lambda view: keep(_details(view), secret)
        )
        _log.info("the secret of webhook endpoint %s was rotated with key %s", endpoint_id, actor)
        return _details(view), secret

    async def test(self, tenant: Tenant, endpoint_id: str, keep: KeepDelivery) -> Delivery:
        """Send a test event to an enabled endpoint, once. Raises NotFound, InvalidRequest."""
        endpoint = await self._enabled(tenant, endpoint_id)
        event_id = EventId(self._parts.runtime.new_id("evt"))
        return await self._add(self._beside(endpoint, event_id, DeliveryKind.TEST), keep)

    async def replay(self, tenant: Tenant, endpoint_id: str, since_at: float, keep: KeepReplay) -> str:
        """Deliver all events since a time again, each once; return the replay's id. Raises NotFound, InvalidRequest."""
        endpoint = await self._enabled(tenant, endpoint_id)
        replay_id = self._parts.runtime.new_id("rpl")
        await self._store.replays.begin(replay_id, endpoint, since_at, keep(replay_id))
        return replay_id

    async def advance_replay(self, replay_id: str, job: LeasedJob | None = None) -> float | None:
        """Insert the next deliveries of a replay; return 0 where more are to come, None at the end."""
        try:
            more = await self._store.replays.advance(replay_id, job)
        except NotFound:
            return None  # its endpoint was deleted
        self._wake()
        return 0.0 if more else None

    async def delivery(self, tenant: Tenant, delivery_id: str) -> Delivery:
        """One delivery with its attempts. Raises NotFound."""
        return await self._store.deliveries.get(delivery_id, tenant)

    async def deliveries(
        self, tenant: Tenant, endpoint_id: str, status: str | None, after: tuple[float, str] | None, limit: int
    ) -> Sequence[Delivery]:
        """An endpoint's deliveries, newest first. Raises NotFound."""
        await self._store.endpoints.get(endpoint_id, tenant)
        return await self._store.deliveries.list_page(endpoint_id, status, after, limit)

    async def replay_delivery(self, tenant: Tenant, delivery_id: str, keep: KeepDelivery) -> Delivery:
        """Deliver one event to its endpoint again, once. Raises NotFound, InvalidRequest."""
        delivery = await self._store.deliveries.get(delivery_id, tenant)
        endpoint = await self._enabled(tenant, delivery.endpoint_id)
        if delivery.kind is DeliveryKind.TEST:
            raise InvalidRequest(detail="A test cannot be replayed; send another")
        again = self._beside(endpoint, delivery.event_id, DeliveryKind.REPLAY, delivery.url)
        return await self._add(again, keep)

    async def endpoint_above(self, tenant: Tenant, url: str) -> str:
        """The enabled endpoint beneath whose path a session's own address is. Raises InvalidRequest."""
        above = [one for one in await self._store.endpoints.enabled(tenant) if is_beneath(url, one.url)]
        if not above:
            raise InvalidRequest([Problem("/webhookUrl", "must be beneath the path of one of your enabled endpoints")])
        return max(above, key=lambda one: len(one.url)).id

    async def _enabled(self, tenant: Tenant, endpoint_id: str) -> Endpoint:
        endpoint = await self._store.endpoints.get(endpoint_id, tenant)
        if endpoint.status is not EndpointStatus.ENABLED:
            raise InvalidRequest(detail="The endpoint is disabled; enable it first")
        return endpoint

    async def _add(self, delivery: Delivery, keep: KeepDelivery) -> Delivery:
        await self._store.deliveries.add(delivery, keep(delivery))
        self._wake()
        return delivery

    def _beside(self, endpoint: Endpoint, event_id: EventId, kind: DeliveryKind, url: str | None = None) -> Delivery:
        now, delivery_id = self._parts.runtime.clock(), self._parts.runtime.new_id("whd")
        return Delivery(
            id=delivery_id,
            tenant=endpoint.tenant,
            endpoint_id=endpoint.id,
            event_id=event_id,
            kind=kind,
            url=url,
            lane=delivery_id,  # a lane of its own: it waits for nothing
            status=DeliveryStatus.PENDING,
            attempts=(),
            next_at=0.0,
            created_at=now,
        )

    async def _check_url(self, url: str) -> None:
        problem = webhook_url_problem(url, self._parts.public_url, allow_http=self._parts.guard.lists_networks)
        if problem is None:
            problem = await self._address_problem(url)
        if problem is not None:
            raise InvalidRequest([Problem("/url", problem)])

    async def _address_problem(self, url: str) -> str | None:
        """Check the address as each attempt will, so that the host learns at once. An unresolved name is accepted."""
        parts = urlsplit(url)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self._parts.guard.addresses(parts.hostname or "", parts.port or 443)
        except BlockedAddress:
            return "leads to an address that must not be reached from here"
        except (UnknownName, TimeoutError):
            return None
        if parts.scheme != "https" and not all(self._parts.guard.is_listed(one) for one in found):
            return "must be https: the events name your users"
        return None

    def _new_secret(self) -> EndpointSecret:
        key, private_key = new_secret(self._parts.random_bytes)
        return EndpointSecret(self._parts.runtime.new_id("whs"), key, private_key, self._parts.runtime.clock())


def _details(view: EndpointView) -> EndpointDetails:
    key = public_key(view.secret) if view.secret is not None else None
    return EndpointDetails(view.endpoint, key, view.oldest_pending_at)


def _changed(endpoint: Endpoint, request: EndpointRequest) -> Endpoint:
    changed = replace(
        endpoint,
        url=endpoint.url if request.url is None else request.url,
        description=endpoint.description if request.description is None else request.description,
        types=endpoint.types if request.types is None else request.types,
        company_id=endpoint.company_id if request.company_id is None else request.company_id or None,
    )
    if request.enabled is False and changed.status is EndpointStatus.ENABLED:
        return rules.disabled(changed, DisabledReason.HOST)
    if request.enabled is True and changed.status is EndpointStatus.DISABLED:
        return rules.enabled(changed)
    return changed
