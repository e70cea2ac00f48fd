"""Reminds hosts of connections that need attention: at most once for each step of an episode, and never after it."""

from collections.abc import Awaitable, Callable

from service.domain.changes import LeasedJob
from service.domain.model import Clock, CompanyRef, ConnectionId
from service.domain.reminders import reminder_step
from service.domain.timing import REMINDER_POLL_SECONDS
from service.errors import NotFound
from service.store import Store

# Polls a company now, and waits for that poll for at most this many seconds.
PollNow = Callable[[CompanyRef, float], Awaitable[None]]


class Reminders:
    """The job of one connection. It runs when the next step of its episode is due."""

    def __init__(self, store: Store, poll_now: PollNow, clock: Clock) -> None:
        self._store = store
        self._poll_now = poll_now
        self._clock = clock

    async def remind(self, connection_id: ConnectionId, job: LeasedJob | None = None) -> float | None:
        """Emit the reminder that is due, if any; return in how many seconds to run again. Raises LeaseLost."""
        try:
            connection = await self._store.connections.get(connection_id)
            # What is stored may be a day old: a user who has mended the account must not be reminded of it.
            if connection.attention_at is not None and connection.removed_at is None:
                await self._poll_now(connection.company, REMINDER_POLL_SECONDS)
            # A poll that failed or takes longer has changed nothing: then the reminder waits.
            polled_at = await self._polled_at(connection.company)
            step = await self._store.reminders.take(
                connection_id, lambda since, done: reminder_step(since, done, self._clock(), polled_at), job
            )
        except NotFound:
            return None
        return step.again_in_seconds

    async def _polled_at(self, company: CompanyRef) -> float | None:
        try:
            return (await self._store.companies.get(company)).polled_at
        except NotFound:
            return None  # merged into another row at this moment
