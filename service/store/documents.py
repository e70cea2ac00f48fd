"""The documents (bills) that were named to hosts: each once for its connection, or for its company."""

from collections.abc import Callable, Sequence

from service.domain.changes import LeasedJob
from service.domain.events import NewEvent
from service.domain.model import Company, Connection, Tenant
from service.store.changes import WriteContext, add_event
from service.store.engine import Engine, Transaction
from service.store.queue import require_lease
from service.store.rows import ACCOUNT

# Makes the event, from how many documents were named until now and the ids of the new ones.
DocumentEvent = Callable[[int, Sequence[str]], NewEvent]

_NO_CONNECTION = ""


class DocumentStore:
    """Writes which documents were named; the documents themselves stay at the provider."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def name_new(
        self, connection: Connection, ids: Sequence[str], event: DocumentEvent, job: LeasedJob | None = None
    ) -> bool:
        """Write the documents that were not named for the connection, with their event; return whether there are any.

        With `job`, raises LeaseLost where its lease has ended.
        """

        def unit(tx: Transaction) -> bool:
            total = self._name(tx, connection.company, connection.id, ids, event, connection.tenant)
            if total:
                # The previous version emits its own event where a list is longer than this.
                sql = "UPDATE connections SET documents = :total WHERE account = :account AND id = :id"
                tx.run(sql, total=total, account=ACCOUNT, id=connection.id)
            require_lease(tx, job)
            return bool(total)

        return await self._engine.write(unit)

    async def name_uploaded(
        self, company: Company, ids: Sequence[str], event: DocumentEvent, job: LeasedJob | None = None
    ) -> None:
        """Write the documents that were named neither for the company nor for a connection of it, with their event.

        With `job`, raises LeaseLost where its lease has ended.
        """

        def unit(tx: Transaction) -> None:
            sql = "SELECT id FROM documents WHERE company_ref = :company AND id IN (:among)"
            named = {row["id"] for row in tx.among(sql, ids, company=company.ref)}
            self._name(tx, company.ref, _NO_CONNECTION, [one for one in ids if one not in named], event, company.tenant)
            require_lease(tx, job)

        await self._engine.write(unit)

    def _name(
        self, tx: Transaction, company: str, connection: str, ids: Sequence[str], event: DocumentEvent, tenant: Tenant
    ) -> int:
        """Insert what is new and write its event; return how many are named now, 0 where nothing is new."""
        owner = {"company": company, "connection": connection}
        # The primary key decides: of two processes that read the same list, one names a document.
        new = [one for one in ids if tx.run(_INSERT, **owner, id=one, now=self._context.clock())]
        if not new:
            return 0
        row = tx.one(_COUNT, **owner)
        total = int(row["total"]) if row is not None else 0
        add_event(tx, self._context, event(total, new), tenant, company)
        return total


_INSERT = (
    "INSERT INTO documents (company_ref, connection_id, id, recorded_at) VALUES (:company, :connection, :id, :now) "
    "ON CONFLICT DO NOTHING"
)
_COUNT = "SELECT COUNT(*) AS total FROM documents WHERE company_ref = :company AND connection_id = :connection"
