"""Idempotency keys of calls that create no session: begin a call, store its answer, or let its key be tried again.

A call that creates a session stores its key in the session's own transaction (`Sessions.create`).
Reference: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from service.domain.model import Tenant
from service.domain.requests import IdempotentRequest
from service.store import Store


class IdempotentCalls:
    """Each key is one tenant's and one route's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, tenant: Tenant, request: IdempotentRequest) -> Mapping[str, Any] | None:
        """Return the answer of an equal earlier call. Raises IdempotencyKeyReused, IdempotencyInProgress."""
        return await self._store.idempotency.begin(tenant, request)

    async def complete(
        self, tenant: Tenant, request: IdempotentRequest | None, answer: Mapping[str, Any] | None
    ) -> None:
        """Store the answer for equal calls; None forgets the key, so that it may be tried again."""
        if request is not None:
            await self._store.idempotency.keep(tenant, request, answer)


def body_digest(body: Any) -> str:
    """Return one digest for equal JSON, whatever its spelling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
