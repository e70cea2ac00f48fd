"""How hosts' webhook endpoints are reached: name resolution and connections, for which tests pass their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpcore

from service.domain.timing import DELIVERY_SECONDS
from service.outbound.addresses import AddressGuard, Resolve, resolve, system_resolver
from service.outbound.lookups import SharedLookups
from service.outbound.sender import WebhookSender

# As many as turns at endpoints (`background/deliveries`): each may be at a name whose server does not answer.
_RESOLVERS = 256


@dataclass(frozen=True, slots=True)
class WebhookNetwork:
    """How names are resolved and connections opened, and how long an attempt may take.

    Without `resolve` the system's resolver is asked, once at a time for a name.
    """

    resolve: Resolve | None = None
    backend: httpcore.AsyncNetworkBackend | None = None
    seconds: float = DELIVERY_SECONDS

    def open(self, networks: Sequence[str], monotonic: Callable[[], float]) -> tuple[AddressGuard, WebhookSender]:
        """Return a guard for new addresses, with the networks that the operator lists, and the sender with another.

        They have threads of their own: names that hosts give in many calls hold up no delivery.
        """

        def guard(system: Resolve) -> AddressGuard:
            return AddressGuard(self.resolve or SharedLookups(system, monotonic).resolve, networks)

        of_deliveries = guard(system_resolver(_RESOLVERS))
        sender = WebhookSender(of_deliveries, monotonic, seconds=self.seconds, backend=self.backend)
        return guard(resolve), sender
