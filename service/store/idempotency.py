"""Idempotency keys: the first call with a key is kept with its answer; an equal one gets that answer again.

Reference: the IETF draft "The Idempotency-Key HTTP Header Field". Answers are kept without tokens.
"""

import json
from collections.abc import Mapping
from typing import Any

from service.domain.model import Clock, Tenant
from service.domain.requests import IdempotentRequest
from service.errors import IdempotencyInProgress, IdempotencyKeyReused
from service.store.engine import Engine, Row, Transaction

# A call that has not answered after this long never will: its process died.
_IN_FLIGHT_SECONDS = 60.0
KEPT_SECONDS = 86400.0
_WHERE = "WHERE tenant = :tenant AND route = :route AND key = :key"

Answer = Mapping[str, Any]


class IdempotencyStore:
    """See the module; for calls that make no session of their own."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, tenant: Tenant, request: IdempotentRequest) -> Answer | None:
        """The answer of an equal earlier call, if any. Raises IdempotencyKeyReused, IdempotencyInProgress."""
        return await self._engine.write(lambda tx: begin(tx, tenant, request, self._clock()))

    async def keep(self, tenant: Tenant, request: IdempotentRequest, answer: Answer | None) -> None:
        """Keep the call's answer; None forgets the key, so that it may be tried again."""
        await self._engine.write(lambda tx: keep(tx, tenant, request, answer))

    async def purge(self) -> int:
        """Forget keys a day old."""
        limit = self._clock() - KEPT_SECONDS
        return await self._engine.write(
            lambda tx: tx.run("DELETE FROM idempotency WHERE created_at < :limit", limit=limit)
        )


def begin(tx: Transaction, tenant: Tenant, request: IdempotentRequest, now: float) -> Answer | None:
    """As the method, inside the transaction of whatever the call does."""
    key = {"tenant": tenant, "route": request.route, "key": request.key}
    fresh = tx.run(
        "INSERT INTO idempotency (tenant, route, key, body_digest, created_at) VALUES "
        "(:tenant, :route, :key, :digest, :now) ON CONFLICT (tenant, route, key) DO NOTHING",
        digest=request.body_digest,
        now=now,
        **key,
    )
    row = None if fresh else tx.one(f"SELECT * FROM idempotency {_WHERE}", **key)
    return _again(tx, row, request, now) if row is not None else None


def keep(tx: Transaction, tenant: Tenant, request: IdempotentRequest, answer: Answer | None) -> None:
    """As the method, inside a transaction."""
    key = {"tenant": tenant, "route": request.route, "key": request.key}
    if answer is None:
        tx.run(f"DELETE FROM idempotency {_WHERE}", **key)
        return
    tx.run(f"UPDATE idempotency SET answer = :answer {_WHERE}", answer=json.dumps(dict(answer)), **key)


def _again(tx: Transaction, row: Row, request: IdempotentRequest, now: float) -> Answer | None:
    if row["body_digest"] != request.body_digest:
        raise IdempotencyKeyReused
    if row["answer"] is not None:
        found: Answer = json.loads(row["answer"])
        return found
    if now - row["created_at"] < _IN_FLIGHT_SECONDS:
        raise IdempotencyInProgress
    taken = tx.run(
        f"UPDATE idempotency SET created_at = :now {_WHERE} AND created_at = :seen",
        now=now,
        seen=row["created_at"],
        tenant=row["tenant"],
        route=request.route,
        key=request.key,
    )
    if not taken:  # by another equal call, this very moment
        raise IdempotencyInProgress
    return None
