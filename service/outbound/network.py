"""How hosts' webhook endpoints are reached: name resolution and connections, for which tests pass their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpcore

from service.domain.timing import DELIVERY_SECONDS
from service.outbound.addresses import AddressGuard, Resolve, resolve
from service.outbound.sender import WebhookSender


@dataclass(frozen=True, slots=True)
class WebhookNetwork:
    """How names are resolved and connections opened, and how long an attempt may take."""

    resolve: Resolve = resolve
    backend: httpcore.AsyncNetworkBackend | None = None
    seconds: float = DELIVERY_SECONDS

    def open(self, networks: Sequence[str], monotonic: Callable[[], float]) -> tuple[AddressGuard, WebhookSender]:
        """Return the guard, with the networks that the operator lists, and the sender that uses it."""
        guard = AddressGuard(self.resolve, networks)
        return guard, WebhookSender(guard, monotonic, seconds=self.seconds, backend=self.backend)
