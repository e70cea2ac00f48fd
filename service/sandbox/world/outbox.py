"""The webhooks that wait to be sent; sending them is the work of `deliveries`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.world.context import SandboxContext
from service.sandbox.world.rows import SandboxRecord, SandboxTable


@dataclass(frozen=True)
class SandboxMessage(SandboxRecord):
    """One webhook to be sent; `body` is fixed when it is queued, but for documents, which are read when it is sent."""

    event_type: str
    company_id: str
    connection_id: str
    due_at: float
    body: dict[str, Any] | None = None
    document_id: str | None = None
    attempt: int = 0
    copies: int = 1
    is_first: bool = False
    """To be sent before the API answers the call that caused it."""
    is_shuffled: bool = False


class SandboxOutbox:
    """The queue of webhooks, oldest first; without a receiver nothing is queued."""

    def __init__(self, context: SandboxContext, table: SandboxTable[SandboxMessage]) -> None:
        self._table = table
        self._settings = context.settings
        self._ids = context.ids
        self._troubles = context.troubles

    def __iter__(self) -> Iterator[SandboxMessage]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def queue(self, message: SandboxMessage) -> None:
        """Queue a webhook under a new id, changed as the company's troubles demand."""
        # Without a receiver no trouble is used up either.
        if not self._settings.webhook_url or self._troubles.use("never_webhook", message.company_id):
            return
        late = self._troubles.use("webhook_late", message.company_id)
        thrice = self._troubles.use("webhook_thrice", message.company_id)
        shuffled = self._troubles.use("webhook_shuffled", message.company_id)
        self._table.put(
            replace(
                message,
                # The form of Svix's message ids.
                id=f"msg_{self._ids.uuid().replace('-', '')}",
                due_at=message.due_at + (late.size if late else 0.0),
                copies=3 if thrice else 1,
                is_shuffled=shuffled is not None,
            )
        )

    def first(self, connection_id: str | None = None) -> list[SandboxMessage]:
        """Return what must be sent before any answer may leave: for one connection, or for all."""
        # A full scan: the outbox is short, and usually empty.
        return [each for each in self if each.is_first and connection_id in {None, each.connection_id}]

    def settle(self, message: SandboxMessage, retry: SandboxMessage | None) -> None:
        """Remove a sent message, or store its retry; a reset or a deleted company may have removed it meanwhile."""
        if self._table.get(message.id) is None:
            return
        if retry is None:
            self._table.remove(message.id)
        else:
            self._table.put(retry)
