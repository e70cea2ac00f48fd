"""Work that our own rows say is due, claimed with a lease: a dead worker's work is picked up when its lease ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.ledger import Due, WorkKind
from service.store.changes import ask
from service.store.tx import Engine, Row, Tx


@dataclass(frozen=True, slots=True)
class Claimed:
    """One piece of work, ours until the lease ends; `lease` proves it when finishing."""

    kind: WorkKind
    ref: str
    attempts: int
    lease: str


class Worklist:
    """See the module. All times are the database's."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id

    async def ask(self, *due: Due) -> None:
        """Make work due."""
        await self._engine.write(lambda tx: _ask_all(tx, due))

    async def claim(self, limit: int, lease_seconds: float) -> Sequence[Claimed]:
        """Take what is due and not another's."""
        return await self._engine.write(lambda tx: self._claim(tx, limit, lease_seconds))

    async def claim_one(self, kind: WorkKind, ref: str, lease_seconds: float) -> Claimed | None:
        """Take this piece of work, due or not; None where another has it, or where there is none."""
        return await self._engine.write(lambda tx: self._claim_one(tx, kind, ref, lease_seconds))

    async def done(self, work: Claimed, again_in_seconds: float | None = None) -> None:
        """Finish, or put off; what was asked for meanwhile is due all the same. After a lost lease nothing changes."""
        await self._engine.write(lambda tx: _done(tx, work, again_in_seconds, failed=False))

    async def failed(self, work: Claimed, again_in_seconds: float) -> None:
        """As `done`, and count the attempt."""
        await self._engine.write(lambda tx: _done(tx, work, again_in_seconds, failed=True))

    async def next_in_seconds(self) -> float | None:
        """How long until the next work is due (or a lease ends); None when there is none."""
        return await self._engine.read(_next_in_seconds)

    def _claim(self, tx: Tx, limit: int, lease_seconds: float) -> list[Claimed]:
        now = tx.now()
        rows = tx.all(
            "SELECT kind, ref, attempts FROM work WHERE due_at <= :now AND (lease IS NULL OR lease_until <= :now) "
            f"ORDER BY due_at LIMIT :limit{tx.dialect.skip_locked}",
            now=now,
            limit=limit,
        )
        return [self._lease(tx, row, now + lease_seconds) for row in rows]

    def _claim_one(self, tx: Tx, kind: WorkKind, ref: str, lease_seconds: float) -> Claimed | None:
        now = tx.now()
        row = tx.one(
            "SELECT kind, ref, attempts FROM work WHERE kind = :kind AND ref = :ref "
            f"AND (lease IS NULL OR lease_until <= :now){tx.dialect.lock}",
            kind=kind.value,
            ref=ref,
            now=now,
        )
        return self._lease(tx, row, now + lease_seconds) if row is not None else None

    def _lease(self, tx: Tx, row: Row, until: float) -> Claimed:
        claimed = Claimed(WorkKind(row["kind"]), row["ref"], row["attempts"], self._new_id("lease"))
        tx.run(
            "UPDATE work SET lease = :lease, lease_until = :until WHERE kind = :kind AND ref = :ref",
            lease=claimed.lease,
            until=until,
            kind=claimed.kind.value,
            ref=claimed.ref,
        )
        return claimed


def _ask_all(tx: Tx, due: Sequence[Due]) -> None:
    for one in due:
        ask(tx, one)


def _done(tx: Tx, work: Claimed, again_in_seconds: float | None, *, failed: bool) -> None:
    key = {"kind": work.kind.value, "ref": work.ref, "lease": work.lease}
    row = tx.one(
        f"SELECT again_at FROM work WHERE kind = :kind AND ref = :ref AND lease = :lease{tx.dialect.lock}", **key
    )
    if row is None:
        return
    now = tx.now()
    times = [row["again_at"]] if row["again_at"] is not None else []
    if again_in_seconds is not None:
        times.append(now + again_in_seconds)
    if not times:
        tx.run("DELETE FROM work WHERE kind = :kind AND ref = :ref AND lease = :lease", **key)
        return
    tx.run(
        "UPDATE work SET due_at = :due, again_at = NULL, lease = NULL, lease_until = NULL, attempts = :attempts "
        "WHERE kind = :kind AND ref = :ref AND lease = :lease",
        due=min(times),
        attempts=work.attempts + 1 if failed else 0,
        **key,
    )
    tx.work_due = min(times) <= now


def _next_in_seconds(tx: Tx) -> float | None:
    row = tx.one("SELECT MIN(CASE WHEN lease IS NULL THEN due_at ELSE lease_until END) AS at FROM work")
    if row is None or row["at"] is None:
        return None
    return max(0.0, float(row["at"]) - tx.now())
