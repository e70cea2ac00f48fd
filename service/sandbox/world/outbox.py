"""The webhooks that wait to be sent; sending them is the work of `deliveries`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
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
    """The queue of webhooks, oldest first; without a receiver nothing is queued.

    A connection has hundreds of documents, and few other events. So the events are looked through, and the documents
    are sorted by when they are due: a thousand accounts must not slow down each answer of the API.
    """

    def __init__(self, context: SandboxContext, table: SandboxTable[SandboxMessage]) -> None:
        self._table = table
        self._database = context.database
        self._settings = context.settings
        self._ids = context.ids
        self._troubles = context.troubles
        # A reset, or the end of a company, removes messages from the table alone: `_is_waiting` tells.
        self._events: dict[str, SandboxMessage] = {}
        self._due_documents: dict[str, SandboxMessage] = {}
        self._later_documents: list[tuple[float, int, SandboxMessage]] = []
        self._numbers = count()
        for message in table:
            self._keep(message)

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
        self._put(
            replace(
                message,
                # The form of Svix's message ids.
                id=f"msg_{self._ids.uuid().replace('-', '')}",
                due_at=message.due_at + (late.size if late else 0.0),
                copies=3 if thrice else 1,
                is_shuffled=shuffled is not None,
            )
        )

    def due_events(self, now: float) -> list[SandboxMessage]:
        """Return the due messages that are about no document."""
        return [each for each in self._waiting_events() if each.due_at <= now]

    def due_documents(self, now: float, most: int) -> list[SandboxMessage]:
        """Return the due messages about documents, those that were due first, up to `most`."""
        while self._later_documents and self._later_documents[0][0] <= now:
            message = heappop(self._later_documents)[2]
            if self._is_waiting(message):
                self._due_documents[message.id] = message
        found: list[SandboxMessage] = []
        gone: list[str] = []
        for message in self._due_documents.values():
            if len(found) == most:
                break
            if self._is_waiting(message):
                found.append(message)
            else:
                gone.append(message.id)
        for message_id in gone:
            del self._due_documents[message_id]
        return found

    def first(self, connection_id: str | None = None) -> list[SandboxMessage]:
        """Return what must be sent before any answer may leave: for one connection, or for all."""
        waiting = self._waiting_events()
        return [each for each in waiting if each.is_first and connection_id in {None, each.connection_id}]

    def settle(self, message: SandboxMessage, retry: SandboxMessage | None) -> None:
        """Remove a sent message, or store its retry; a reset or a deleted company may have removed it meanwhile."""
        if self._table.get(message.id) is None:
            return
        self._due_documents.pop(message.id, None)
        if retry is not None:
            self._put(retry)
            return
        self._events.pop(message.id, None)
        self._table.remove(message.id)

    def settle_all(self, sent: Sequence[tuple[SandboxMessage, SandboxMessage | None]]) -> None:
        """Settle many, each with its retry, in one transaction."""
        with self._database.transaction():
            for message, retry in sent:
                self.settle(message, retry)

    def _put(self, message: SandboxMessage) -> None:
        self._table.put(message)
        self._keep(message)

    def _keep(self, message: SandboxMessage) -> None:
        if message.document_id is None:
            self._events[message.id] = message
        else:
            heappush(self._later_documents, (message.due_at, next(self._numbers), message))

    def _is_waiting(self, message: SandboxMessage) -> bool:
        return self._table.get(message.id) is message

    def _waiting_events(self) -> list[SandboxMessage]:
        self._events = {name: each for name, each in self._events.items() if self._is_waiting(each)}
        return list(self._events.values())
