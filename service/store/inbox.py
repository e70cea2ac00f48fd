"""Webhooks as they came: written before they are acknowledged, once per message, kept until their work succeeded."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.changes import Job, JobKind
from service.errors import NotFound
from service.store.changes import WriteContext, enqueue
from service.store.engine import Engine, Transaction

KEPT_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """One webhook, opened."""

    id: str
    message_id: str
    body: str
    received_at: float


class InboxStore:
    """See the module. Bodies are sealed and purged after 30 days."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def put(self, account: str, message_id: str, body: str) -> bool:
        """Keep a webhook and ask for its work; False if it came before."""
        return await self._engine.write(lambda tx: self._put(tx, account, message_id, body))

    async def get(self, webhook_id: str) -> StoredWebhook:
        """Read one. Raises NotFound after it was purged."""
        return await self._engine.read(lambda tx: self._get(tx, webhook_id))

    async def complete(self, webhook_id: str, *jobs: Job) -> None:
        """It was processed: enqueue what follows from it, and let it be purged, in one transaction."""
        await self._engine.write(lambda tx: self._complete(tx, webhook_id, jobs))

    async def purge(self) -> int:
        """Delete what is older than 30 days and done; answers how many."""
        limit = self._context.clock() - KEPT_SECONDS
        return await self._engine.write(
            lambda tx: tx.run("DELETE FROM inbox WHERE received_at < :limit AND done_at IS NOT NULL", limit=limit)
        )

    def _put(self, tx: Transaction, account: str, message_id: str, body: str) -> bool:
        webhook_id = self._context.new_id("msg")
        fresh = tx.run(
            "INSERT INTO inbox (id, account, message_id, sealed_body, received_at) VALUES "
            "(:id, :account, :message, :body, :now) ON CONFLICT (account, message_id) DO NOTHING",
            id=webhook_id,
            account=account,
            message=message_id,
            body=self._context.cipher.encrypt(body, webhook_id),
            now=self._context.clock(),
        )
        if fresh:
            enqueue(tx, Job(JobKind.WEBHOOK, webhook_id))
        return bool(fresh)

    def _complete(self, tx: Transaction, webhook_id: str, jobs: Sequence[Job]) -> None:
        for job in jobs:
            enqueue(tx, job)
        tx.run("UPDATE inbox SET done_at = :now WHERE id = :id", now=self._context.clock(), id=webhook_id)

    def _get(self, tx: Transaction, webhook_id: str) -> StoredWebhook:
        row = tx.one("SELECT * FROM inbox WHERE id = :id", id=webhook_id)
        if row is None:
            raise NotFound
        return StoredWebhook(
            webhook_id,
            row["message_id"],
            self._context.cipher.decrypt(row["sealed_body"], webhook_id),
            row["received_at"],
        )
