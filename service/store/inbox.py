"""The inbox: the provider's webhooks as received, one row per message id, written before they are acknowledged.

The event's text is encrypted, and deleted when its job has succeeded. The row with the message id stays for 30 days.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.changes import Job, JobKind, LeasedJob
from service.errors import NotFound
from service.store.changes import WriteContext
from service.store.engine import PURGED_AT_ONCE, Engine, Transaction, purge
from service.store.jobs import enqueue
from service.store.provider_state import note_purged_webhooks
from service.store.queue import require_lease

# Message ids are kept for longer than the provider retries a webhook, so a late repetition is still recognised.
_KEPT_SECONDS = 30 * 86400.0
_PURGE = (
    "DELETE FROM inbox WHERE id IN "
    "(SELECT id FROM inbox WHERE received_at < :before AND done_at IS NOT NULL LIMIT :limit)"
)


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """One webhook, with its body decrypted: "" once it was `done`, and where no key of this process decrypts it."""

    id: str
    body: str
    received_at: float
    done: bool


class InboxStore:
    """Writes, reads and purges webhooks. `account` is the provider account whose secret verified a webhook."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def put(self, account: str, message_id: str, body: str) -> bool:
        """Write a webhook and enqueue its job; return False for a message id that was received before."""
        return await self._engine.write(lambda tx: self._put(tx, account, message_id, body))

    async def get(self, webhook_id: str) -> StoredWebhook:
        """Return one webhook. Raises NotFound after it was purged."""
        return await self._engine.read(lambda tx: self._get(tx, webhook_id), snapshot=False)

    async def complete(self, webhook_id: str, *jobs: Job, lease: LeasedJob | None = None) -> None:
        """Mark the webhook as processed, delete its body and enqueue the jobs that follow from it, in one transaction.

        With `lease`, the job that processes it, raises LeaseLost where that lease has ended.
        """

        def unit(tx: Transaction) -> None:
            self._complete(tx, webhook_id, jobs)
            require_lease(tx, lease)

        await self._engine.write(unit)

    async def purge(self, at_once: int = PURGED_AT_ONCE) -> int:
        """Delete processed webhooks of more than 30 days ago, `at_once` in a transaction; return how many."""
        before = self._context.clock() - _KEPT_SECONDS

        def unit(tx: Transaction) -> int:
            note_purged_webhooks(tx, before)
            return tx.run(_PURGE, before=before, limit=at_once)

        return await purge(self._engine, unit)

    def _put(self, tx: Transaction, account: str, message_id: str, body: str) -> bool:
        webhook_id = self._context.new_id("msg")
        # The unique message id decides: a repetition, or one received by two processes at once, writes nothing.
        inserted = tx.run(
            "INSERT INTO inbox (id, account, message_id, sealed_body, received_at) VALUES "
            "(:id, :account, :message, :body, :now) ON CONFLICT (account, message_id) DO NOTHING",
            id=webhook_id,
            account=account,
            message=message_id,
            body=self._context.cipher.encrypt(body, webhook_id),
            now=self._context.clock(),
        )
        if inserted:
            # A page may wait for what the webhook says. The job is short, and must not wait for jobs that read bills.
            enqueue(tx, Job(JobKind.WEBHOOK, webhook_id, waited_for=True))
        return bool(inserted)

    def _complete(self, tx: Transaction, webhook_id: str, jobs: Sequence[Job]) -> None:
        enqueue(tx, *jobs)
        tx.run(
            "UPDATE inbox SET done_at = :now, sealed_body = '' WHERE id = :id", now=self._context.clock(), id=webhook_id
        )

    def _get(self, tx: Transaction, webhook_id: str) -> StoredWebhook:
        row = tx.one("SELECT * FROM inbox WHERE id = :id", id=webhook_id)
        if row is None:
            raise NotFound
        body = self._context.cipher.decrypt(row["sealed_body"], webhook_id)
        return StoredWebhook(webhook_id, body, row["received_at"], row["done_at"] is not None)
