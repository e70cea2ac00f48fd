"""Replays: an endpoint gets the events since a time again. Each transaction inserts a limited number of deliveries."""

from service.domain.changes import Job, JobKind, LeasedJob
from service.domain.endpoints import Endpoint
from service.domain.model import Tenant
from service.domain.requests import KeptAnswer
from service.errors import NotFound
from service.store.changes import WriteContext
from service.store.endpoints import read_endpoint
from service.store.engine import Engine, Row, Transaction
from service.store.idempotency import keep_with
from service.store.jobs import enqueue
from service.store.queue import require_lease
from service.store.rows import ACCOUNT

_CHUNK = 1000
# An event gets its position a moment after its time, by another process's clock perhaps: the search starts earlier.
_MARGIN_SECONDS = 120.0

# The rules of `_DELIVERIES` in `service.store.changes`, which is for new events. An endpoint gets no events about
# itself: those have its id in their data. Bills that were uploaded belong to no session and no connection; their event
# has the company's id in its data.
_REPLAY = """
INSERT INTO deliveries (id, tenant, endpoint_id, event_id, kind, url, lane, aside, status, next_at, drawn, created_at)
SELECT 'whd_' || SUBSTR(:replay, 5) || SUBSTR(e.id, 5), e.tenant, :endpoint, e.id, 'replay', NULL,
'replay ' || e.id, 1, 'pending', 0, e.seq, :now
FROM events e LEFT JOIN sessions s ON s.id = e.session_id
LEFT JOIN connections n ON n.account = :account AND n.id = e.connection_id
LEFT JOIN companies c ON c.ref = COALESCE(s.company_ref, n.company_ref)
WHERE e.tenant = :tenant AND e.seq > :after AND e.seq <= :until AND e.at >= :since
AND (:types = '' OR :types LIKE '%,' || e.type || ',%')
AND (:company = '' OR c.provider_id = :company OR (e.type = 'document.available' AND e.connection_id IS NULL
  AND REPLACE(e.data, '"companyId": "' || :company || '"', '') <> e.data))
AND (e.type NOT LIKE 'endpoint.%' OR REPLACE(e.data, :endpoint, '') = e.data)
"""


class ReplayStore:
    """Begins replays and continues them. A replayed event keeps its id and gets another delivery."""

    def __init__(self, engine: Engine, context: WriteContext) -> None:
        self._engine = engine
        self._context = context

    async def begin(self, replay_id: str, endpoint: Endpoint, since_at: float, kept: KeptAnswer | None = None) -> None:
        """Write the replay of all events since a time, and enqueue its job. Raises LeaseLost."""
        await self._engine.write(lambda tx: self._begin(tx, replay_id, endpoint, since_at, kept))

    async def advance(self, replay_id: str, job: LeasedJob | None = None) -> bool:
        """Insert some deliveries; return whether more are to come. Raises NotFound after the last, and LeaseLost."""

        def unit(tx: Transaction) -> bool:
            more = self._advance(tx, replay_id)
            require_lease(tx, job)
            return more

        return await self._engine.write(unit)

    def _begin(
        self, tx: Transaction, replay_id: str, endpoint: Endpoint, since_at: float, kept: KeptAnswer | None
    ) -> None:
        keep_with(tx, kept)
        tx.run(
            "INSERT INTO replays (id, tenant, endpoint_id, since_at, after_seq, until_seq) VALUES "
            "(:id, :tenant, :endpoint, :since, :after, :until)",
            id=replay_id,
            tenant=endpoint.tenant,
            endpoint=endpoint.id,
            since=since_at,
            after=_position_before(tx, since_at - _MARGIN_SECONDS),
            until=_last_position(tx),
        )
        enqueue(tx, Job(JobKind.REPLAY, replay_id))

    def _advance(self, tx: Transaction, replay_id: str) -> bool:
        row = tx.one(f"SELECT * FROM replays WHERE id = :id{tx.dialect.lock}", id=replay_id)
        if row is None:
            raise NotFound
        until = min(row["after_seq"] + _CHUNK, row["until_seq"])
        self._insert(tx, row, read_endpoint(tx, row["endpoint_id"], Tenant(row["tenant"])), until)
        tx.notify(None)  # wakes the sender of deliveries
        if until == row["until_seq"]:
            tx.run("DELETE FROM replays WHERE id = :id", id=replay_id)
            return False
        tx.run("UPDATE replays SET after_seq = :until WHERE id = :id", until=until, id=replay_id)
        return True

    def _insert(self, tx: Transaction, row: Row, endpoint: Endpoint, until: int) -> None:
        tx.run(
            _REPLAY,
            replay=row["id"],
            account=ACCOUNT,
            endpoint=endpoint.id,
            tenant=endpoint.tenant,
            after=row["after_seq"],
            until=until,
            since=row["since_at"],
            types=f",{','.join(endpoint.types)}," if endpoint.types else "",
            company=endpoint.company_id or "",
            now=self._context.clock(),
        )


def _last_position(tx: Transaction) -> int:
    row = tx.one("SELECT COALESCE(MAX(seq), 0) AS seq FROM events")
    return int(row["seq"]) if row is not None else 0


def _position_before(tx: Transaction, at: float) -> int:
    """Return a position before the first event of this time or later: a binary search, since positions follow time."""
    low, high = 0, _last_position(tx)
    while low < high:
        middle = (low + high) // 2
        row = tx.one("SELECT at FROM events WHERE seq > :seq ORDER BY seq LIMIT 1", seq=middle)
        if row is None or row["at"] >= at:
            high = middle
        else:
            low = middle + 1
    return low
