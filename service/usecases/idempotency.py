"""Idempotency keys: begin a call, renew its lease, store its answer, or let its key be tried again.

A call that creates a session leases its key in the session's own transaction (`Sessions.create`).
Reference: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from service.domain.model import Tenant
from service.domain.requests import IdempotentRequest, KeyLease
from service.store import Store


class IdempotentCalls:
    """Each key is one tenant's and one route's. Calls that are under way hold leases, which `renew_leases` renews."""

    def __init__(self, store: Store, new_id: Callable[[str], str]) -> None:
        self._store = store
        self._new_id = new_id
        self._held: set[str] = set()

    @contextmanager
    def under_way(self, tenant: Tenant, request: IdempotentRequest | None) -> Iterator[KeyLease | None]:
        """Give a new token to the call, and renew its lease until the block ends; None for a call without a key."""
        if request is None:
            yield None
            return
        key = KeyLease(tenant, request, self._new_id("key"))
        self._held.add(key.token)
        try:
            yield key
        finally:
            self._held.discard(key.token)

    async def renew_leases(self) -> None:
        """Renew the lease of every call that is under way, in one statement. Raises Unavailable."""
        if self._held:
            await self._store.idempotency.renew(frozenset(self._held))

    async def begin(self, key: KeyLease) -> Mapping[str, Any] | None:
        """Return the answer of an equal earlier call. Raises IdempotencyKeyReused, IdempotencyInProgress."""
        return await self._store.idempotency.begin(key)

    async def complete(self, key: KeyLease | None, answer: Mapping[str, Any] | None) -> None:
        """Store the answer for equal calls; with None, delete the key, so that the call may be tried again."""
        if key is not None:
            await self._store.idempotency.keep(key, answer)


def body_digest(body: Any) -> str:
    """Return one digest for equal JSON, whatever its spelling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
