"""Reminders of connections that need attention: how many steps of an episode are done, written with their events."""

from collections.abc import Callable

from service.domain import events
from service.domain.changes import LeasedJob
from service.domain.model import Connection, ConnectionId
from service.domain.reminders import ReminderStep
from service.domain.statuses import needs_attention
from service.errors import NotFound
from service.store.changes import WriteContext, add_event
from service.store.engine import Engine, Transaction
from service.store.queue import require_lease
from service.store.rows import ACCOUNT, connection_of
from service.store.users import hold_user

# Decides from when the connection began to need attention (None: no episode goes on), and from how many steps of that
# episode are done.
Decide = Callable[[float | None, int], ReminderStep]


class ReminderStore:
    """Emits each step of an episode once: its event and the count of steps are written in one transaction."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def take(self, connection_id: ConnectionId, decide: Decide, job: LeasedJob | None = None) -> ReminderStep:
        """Lock the connection, call `decide`, write the reminder that it returns. Raises NotFound, LeaseLost.

        Where nothing is asked of the user at the moment, the step is counted without its event.
        """

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
        since = _episode_since(tx, connection)
        step = decide(since, self._steps_done(tx, connection_id, since))
        if since is not None:
            self._keep(tx, connection_id, since, step.steps_done)
        # An episode lasts until the connection works, also while it is checked or delayed, when no user can mend it. A
        # step of that time is over without an event; a later one is emitted if it needs attention again by then.
        if step.day is not None and needs_attention(connection.state):
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


def _episode_since(tx: Transaction, connection: Connection) -> float | None:
    # No reminders: without an owner, where the provider no longer has the connection, and for an erased user, for whom
    # no reconnect session can be created.
    owner = connection.verdict.owner
    if connection.removed_at is not None or owner is None or not hold_user(tx, owner.user):
        return None
    return connection.attention_at
