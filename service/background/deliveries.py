"""The background loop that sends webhooks: leases endpoints that have something due, and gives each a turn of its own.

It is separate from the worker of jobs, so that receivers that do not answer cannot fill the worker. Each endpoint's
turn has its own limit of deliveries under way, so an endpoint that does not answer delays no other.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from service.background.loops import renew_forever
from service.domain.model import Tenant
from service.domain.timing import RELEASE_SECONDS
from service.errors import Unavailable
from service.outbound import WebhookSender
from service.store import Store
from service.store.deliveries import EndpointLease
from service.store.due_endpoints import TenantShare
from service.usecases.deliveries import Deliveries
from service.usecases.webhooks_out import OutgoingWebhooks

_log = logging.getLogger(__name__)

_TURNS = 256
# Of one tenant: a turn at an endpoint that does not answer takes 15 s and more, and others must find a free one.
_TURNS_OF_A_TENANT = _TURNS // 2
_IDLE_SECONDS = 1.0
# Events come in groups: wait this long after the first one, and lease once for all of them.
_GATHER_SECONDS = 0.02


class DeliveryWorker:
    """Runs turns at endpoints, renews their leases, and reviews endpoints that fail."""

    def __init__(
        self, store: Store, deliveries: Deliveries, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._sleep = sleep
        self._awake = asyncio.Event()
        self._stopped_at: float | None = None  # by the loop's clock
        self._turns: dict[str, asyncio.Task[None]] = {}  # by the token of the lease
        self._turns_of = Counter[Tenant]()
        self._renewing: asyncio.Task[None] | None = None

    def wake(self, _sessions: set[str] | None = None) -> None:
        """Lease soon: an event got its position, or a host asked for a test or a replay."""
        self._awake.set()

    async def run(self) -> None:
        """Give turns until `stop`; while the database is unavailable, keep trying."""
        self._renewing = asyncio.create_task(
            renew_forever(self.renew_leases, self._sleep, "leases of endpoints"), name="delivery renewals"
        )
        is_away = False
        while self._stopped_at is None:
            self._awake.clear()
            try:
                await self._deliveries.review_failing()
                await self.lease_due()
                is_away = False
            except Unavailable:
                if not is_away:  # once for each outage, and not in each round
                    _log.warning("the database is unavailable; deliveries wait")
                is_away = True
            except Exception:  # noqa: BLE001 - without this loop nothing is delivered any more; the error is logged
                _log.exception("the loop of deliveries failed")
            await self._wait()

    async def lease_due(self) -> bool:
        """Start a turn at each endpoint that has something due; return whether there was one."""
        free, share = _TURNS - len(self._turns), TenantShare(_TURNS_OF_A_TENANT, dict(self._turns_of))
        leased = await self._store.deliveries.lease(free, share) if free > 0 and self._stopped_at is None else ()
        for lease in leased:
            self._turns_of[lease.tenant] += 1
            self._turns[lease.token] = asyncio.create_task(self._turn(lease), name=f"deliver to {lease.endpoint_id}")
        return bool(leased)

    async def run_until_idle(self) -> None:
        """Deliver everything that is due now."""
        reviewed = leased = True
        while reviewed or leased:
            reviewed, leased = await self._deliveries.review_failing(), await self.lease_due()
            if self._turns:
                await asyncio.wait(self._turns.values())

    async def renew_leases(self) -> None:
        """Renew the lease of every turn; one that lost its lease is ended, since it can write nothing more."""
        held = frozenset(self._turns)
        for token in held - await self._store.deliveries.renew(held) if held else ():
            if (turn := self._turns.get(token)) is not None:
                turn.cancel()

    def stop_leasing(self) -> None:
        """Start no more turns; those that run go on."""
        if self._stopped_at is None:
            self._stopped_at = asyncio.get_running_loop().time()
        self.wake()

    async def stop(self, seconds: float) -> None:
        """Start no more turns, give those that run `seconds`, counted from `stop_leasing`, and release their leases."""
        self.stop_leasing()
        turns = dict(self._turns)
        late = set[asyncio.Task[None]]()
        if turns:
            since_then = asyncio.get_running_loop().time() - (self._stopped_at or 0.0)
            _, late = await asyncio.wait(turns.values(), timeout=max(0.0, seconds - since_then))
            for turn in late:
                turn.cancel()
            # An attempt that was cut off has no result: its delivery is sent again with the same id.
            await asyncio.gather(*late, return_exceptions=True)
        if self._renewing is not None:
            self._renewing.cancel()
        await self._release([token for token, turn in turns.items() if turn in late])

    async def _release(self, tokens: Collection[str]) -> None:
        try:
            if tokens:
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._store.deliveries.release(tokens)
        except (Unavailable, TimeoutError):
            _log.warning("the database is unavailable; %d endpoints wait for their leases to end", len(tokens))

    async def _turn(self, lease: EndpointLease) -> None:
        try:
            sent = await self._deliveries.run(lease)
            await self._store.deliveries.release([lease.token])
            if sent:
                self.wake()  # a delivery may have become due between the last read and the release
        except Unavailable:
            _log.warning("the database is unavailable; deliveries to %s wait", lease.endpoint_id)
        except Exception:  # noqa: BLE001 - the other endpoints are still delivered to; this lease expires
            _log.exception("deliveries to %s failed", lease.endpoint_id)
        finally:
            self._turns.pop(lease.token, None)
            self._turns_of -= Counter([lease.tenant])  # it keeps no tenant without a turn

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                await self._awake.wait()
            if self._stopped_at is None:
                await self._sleep(_GATHER_SECONDS)
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True)
class HostWebhooks:
    """Webhooks to hosts: the sender, the loop that uses it, and the use cases."""

    sender: WebhookSender
    worker: DeliveryWorker
    endpoints: OutgoingWebhooks
