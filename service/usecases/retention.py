"""Deletes old rows: webhooks, deliveries and idempotency keys after days; the rest much later."""

import logging
from collections.abc import Awaitable, Callable

from service.domain.model import Clock
from service.store import Store
from service.store.retention import Deleted

_log = logging.getLogger(__name__)

_DAY_SECONDS = 86400.0


class Retention:
    """Deletes what has been over for longer than `days` (MAGICLINK_RETENTION_DAYS)."""

    def __init__(self, store: Store, clock: Clock, days: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days

    async def purge(self) -> float:
        """Delete what is old enough, in short transactions; return in how many seconds to do it again."""
        await self._store.inbox.purge()
        await self._store.idempotency.purge()
        await self._store.deliveries.purge()
        await self._store.endpoints.purge_secrets()
        before = self._clock() - self._days * _DAY_SECONDS
        # Connections before sessions, which stay as long as their connection is recorded.
        steps = {
            "events": self._store.retention.delete_events,
            "connections": self._store.retention.delete_connections,
            "sessions": self._store.retention.delete_sessions,
            "changes of endpoints": self._store.retention.delete_endpoint_changes,
        }
        for name, step in steps.items():
            deleted = await _repeated(step, before)
            if deleted:
                _log.info("deleted %d %s, of more than %d days ago", deleted, name, self._days)
        await self._store.engine.empty_log()
        return _DAY_SECONDS


async def _repeated(step: Callable[[float], Awaitable[Deleted]], before: float) -> int:
    batch = await step(before)
    total = batch.rows
    while batch.more:
        batch = await step(before)
        total += batch.rows
    return total
