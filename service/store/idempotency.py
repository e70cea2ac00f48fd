"""Idempotency keys: the first call with a key stores its answer, and an equal call gets that answer again.

Answers are stored without tokens, which are derived again for each response.
Reference: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import json
from collections.abc import Mapping
from typing import Any

from service.domain.model import Clock, Tenant
from service.domain.requests import IdempotentRequest
from service.domain.timing import IDEMPOTENCY_IN_FLIGHT_SECONDS
from service.errors import IdempotencyInProgress, IdempotencyKeyReused
from service.store.engine import Engine, Row, Transaction

_KEPT_SECONDS = 86400.0
_WHERE = "WHERE tenant = :tenant AND route = :route AND key = :key"

Answer = Mapping[str, Any]


class IdempotencyStore:
    """Keys of calls that create no session; `SessionStore.create` stores a key in the session's own transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, tenant: Tenant, request: IdempotentRequest) -> Answer | None:
        """Write the key and return None, or return the answer of an equal earlier call.

        Raises IdempotencyKeyReused (another body) and IdempotencyInProgress (not answered yet, for up to a minute).
        """
        return await self._engine.write(lambda tx: begin(tx, tenant, request, self._clock()))

    async def keep(self, tenant: Tenant, request: IdempotentRequest, answer: Answer | None) -> None:
        """Store the call's answer; None deletes the key, so that the call may be tried again."""
        await self._engine.write(lambda tx: keep(tx, tenant, request, answer))

    async def purge(self) -> int:
        """Delete keys that are a day old; return how many."""
        limit = self._clock() - _KEPT_SECONDS
        return await self._engine.write(
            lambda tx: tx.run("DELETE FROM idempotency WHERE created_at < :limit", limit=limit)
        )


def begin(tx: Transaction, tenant: Tenant, request: IdempotentRequest, now: float) -> Answer | None:
    """Do what `IdempotencyStore.begin` does, inside the transaction that also writes what the call creates."""
    key = {"tenant": tenant, "route": request.route, "key": request.key}
    # The primary key decides which of two equal calls is first; the other finds the row of the first.
    inserted = tx.run(
        "INSERT INTO idempotency (tenant, route, key, body_digest, created_at) VALUES "
        "(:tenant, :route, :key, :digest, :now) ON CONFLICT (tenant, route, key) DO NOTHING",
        digest=request.body_digest,
        now=now,
        **key,
    )
    row = None if inserted else tx.one(f"SELECT * FROM idempotency {_WHERE}", **key)
    return _earlier_answer(tx, row, request, now) if row is not None else None


def keep(tx: Transaction, tenant: Tenant, request: IdempotentRequest, answer: Answer | None) -> None:
    """Do what `IdempotencyStore.keep` does, inside an open transaction."""
    key = {"tenant": tenant, "route": request.route, "key": request.key}
    if answer is None:
        tx.run(f"DELETE FROM idempotency {_WHERE}", **key)
        return
    tx.run(f"UPDATE idempotency SET answer = :answer {_WHERE}", answer=json.dumps(dict(answer)), **key)


def _earlier_answer(tx: Transaction, row: Row, request: IdempotentRequest, now: float) -> Answer | None:
    if row["body_digest"] != request.body_digest:
        raise IdempotencyKeyReused
    if row["answer"] is not None:
        found: Answer = json.loads(row["answer"])
        return found
    if now - row["created_at"] < IDEMPOTENCY_IN_FLIGHT_SECONDS:
        raise IdempotencyInProgress
    # The first call's process died. `created_at = :seen` lets exactly one of several equal calls take its place.
    replaced = tx.run(
        f"UPDATE idempotency SET created_at = :now {_WHERE} AND created_at = :seen",
        now=now,
        seen=row["created_at"],
        tenant=row["tenant"],
        route=request.route,
        key=request.key,
    )
    if not replaced:
        raise IdempotencyInProgress
    return None
