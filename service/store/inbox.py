"""Webhooks as they came: written before they are acknowledged, once per message, kept until their work succeeded."""

from dataclasses import dataclass

from service.errors import NotFound
from service.ledger import Due, WorkKind
from service.store.changes import Pen, ask
from service.store.tx import Engine, Tx

KEPT_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One webhook, opened."""

    id: str
    message_id: str
    body: str
    received_at: float


class Inbox:
    """See the module. Bodies are sealed and purged after 30 days."""

    def __init__(self, engine: Engine, pen: Pen) -> None:
        self._engine = engine
        self._pen = pen

    async def put(self, account: str, message_id: str, body: str) -> bool:
        """Keep a webhook and ask for its work; False if it came before."""
        return await self._engine.write(lambda tx: self._put(tx, account, message_id, body))

    async def get(self, letter_id: str) -> Letter:
        """Read one. Raises NotFound after it was purged."""
        return await self._engine.read(lambda tx: self._get(tx, letter_id))

    async def done(self, letter_id: str) -> None:
        """Its work succeeded."""
        await self._engine.write(
            lambda tx: tx.run("UPDATE inbox SET done_at = :now WHERE id = :id", now=self._pen.clock(), id=letter_id)
        )

    async def purge(self) -> int:
        """Delete what is older than 30 days and done; answers how many."""
        limit = self._pen.clock() - KEPT_SECONDS
        return await self._engine.write(
            lambda tx: tx.run("DELETE FROM inbox WHERE received_at < :limit AND done_at IS NOT NULL", limit=limit)
        )

    def _put(self, tx: Tx, account: str, message_id: str, body: str) -> bool:
        letter_id = self._pen.new_id("msg")
        fresh = tx.run(
            "INSERT INTO inbox (id, account, message_id, sealed_body, received_at) VALUES "
            "(:id, :account, :message, :body, :now) ON CONFLICT (account, message_id) DO NOTHING",
            id=letter_id,
            account=account,
            message=message_id,
            body=self._pen.seal.close(body, letter_id),
            now=self._pen.clock(),
        )
        if fresh:
            ask(tx, Due(WorkKind.WEBHOOK, letter_id))
        return bool(fresh)

    def _get(self, tx: Tx, letter_id: str) -> Letter:
        row = tx.one("SELECT * FROM inbox WHERE id = :id", id=letter_id)
        if row is None:
            raise NotFound
        return Letter(
            letter_id, row["message_id"], self._pen.seal.open(row["sealed_body"], letter_id), row["received_at"]
        )
