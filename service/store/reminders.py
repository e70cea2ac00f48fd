"""Reminders of connections that need attention: how many steps of an episode are done, written with their events."""

from collections.abc import Callable

from service.domain import events
from service.domain.changes import LeasedJob
from service.domain.model import Connection, ConnectionId
from service.domain.reminders import ReminderStep
from service.errors import NotFound
from service.store.changes import WriteContext, add_event
from service.store.engine import Engine, Transaction
from service.store.queue import require_lease
from service.store.rows import ACCOUNT, connection_of

# Decides from when the connection began to need attention, and from how many steps of that episode are done.
Decide = Callable[[float | None, int], ReminderStep]


class ReminderStore:
    """Emits each step of an episode once: its event and the count of steps are written in one transaction."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def take(self, connection_id: ConnectionId, decide: Decide, job: LeasedJob | None = None) -> ReminderStep:
        """Lock the connection, call `decide`, write the reminder that it returns. Raises NotFound, LeaseLost."""

        def unit(tx: Transaction) -> ReminderStep:
            step = self._take(tx, connection_id, decide)
            require_lease(tx, job)
            return step

        return await self._engine.write(unit)

    def _take(self, tx: Transaction, connection_id: ConnectionId, decide: Decide) -> ReminderStep:
        # With this lock, a poll that ends the episode runs before or after this decision: no reminder follows the end.
        row = tx.one(
            f"SELECT * FROM connections WHERE account = :account AND id = :id{tx.dialect.lock}",
            account=ACCOUNT,
            id=connection_id,
        )
        if row is None:
            raise NotFound
        connection = connection_of(row)
        since = _needs_attention_since(connection)
        step = decide(since, self._steps_done(tx, connection_id, since))
        if since is not None:
            self._keep(tx, connection_id, since, step.steps_done)
        if step.day is not None:
            event = events.connection_reminder(connection, step.day)
            add_event(tx, self._context, event, connection.tenant, connection.company)
        return step

    def _steps_done(self, tx: Transaction, connection_id: ConnectionId, since: float | None) -> int:
        row = tx.one("SELECT * FROM reminders WHERE connection_id = :id", id=connection_id)
        # The row of an earlier episode does not count. The column `told` is the number of steps.
        return int(row["told"]) if row is not None and row["episode_at"] == since else 0

    def _keep(self, tx: Transaction, connection_id: ConnectionId, since: float, steps_done: int) -> None:
        tx.run(
            "INSERT INTO reminders (connection_id, episode_at, told) VALUES (:id, :since, :told) "
            "ON CONFLICT (connection_id) DO UPDATE SET episode_at = excluded.episode_at, told = excluded.told",
            id=connection_id,
            since=since,
            told=steps_done,
        )


def _needs_attention_since(connection: Connection) -> float | None:
    # A connection without an owner, or one that the provider no longer has, gets no reminders.
    if connection.removed_at is not None or connection.verdict.owner is None:
        return None
    return connection.attention_at
