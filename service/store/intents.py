"""Intents: a creating call to the provider is written here before it is made, so that a lost answer is noticed.

All times are by the database's clock, since the process that reads an intent may have another clock than its writer.

An intent's `ref` is a company's `ref`, a site's "company id/external id", or an invitation's "session id.serial.call
id". The answer deletes the row; a row that stays is a call that is under way or whose answer was lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.domain.model import SessionId
from service.store.engine import Engine, Transaction


@dataclass(frozen=True, slots=True)
class IntentTurn:
    """Permission to make a creating call now. `at` is the intent's time; `repeats`: an earlier call was lost."""

    at: float
    repeats: bool


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A call for an invitation that is not answered; `serial` is the session's at that time.

    `age_seconds` is negative where the database's clock was set back after the intent was written.
    """

    ref: str
    serial: int
    age_seconds: float


class IntentStore:
    """Begins and completes intents: of companies and sites (one row each), and of invitations (a row per call)."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id

    async def begin(self, ref: str, lost_seconds: float) -> IntentTurn | None:
        """Write the intent of a call that must not be made twice; None where it may not be made now.

        It may not while an earlier call is unanswered for less than `lost_seconds`: the provider's lists may still show
        what that one created. After `lost_seconds` the earlier call counts as lost, and the new intent replaces it.
        """
        return await self._engine.write(lambda tx: _begin(tx, ref, lost_seconds))

    async def complete(self, ref: str, at: float | None = None) -> None:
        """Delete the intent: the call was answered, or certainly not received.

        With `at` (of `IntentTurn`), a later intent that replaced it stays.
        """
        sql = "DELETE FROM intents WHERE ref = :ref"
        if at is not None:
            await self._engine.write(lambda tx: tx.run(f"{sql} AND called_at = :at", ref=ref, at=at))
            return
        await self._engine.write(lambda tx: tx.run(sql, ref=ref))

    async def begin_invitation(self, session_id: SessionId, serial: int) -> str:
        """Write the intent of one call for an invitation and return its ref."""
        # Each call has its own row: each may have created an invitation, and each of those must be revoked.
        ref = f"{session_id}.{serial}.{self._new_id('call')}"
        sql = "INSERT INTO intents (ref, called_at) VALUES (:ref, :database_now)"
        await self._engine.write(lambda tx: tx.run(sql, ref=ref))
        return ref

    async def open_intents(self, session_id: SessionId) -> Sequence[OpenIntent]:
        """Return the session's calls for invitations that are under way or lost."""
        return await self._engine.read(lambda tx: _open_intents(tx, session_id), snapshot=False)

    async def restarted_intents(self, session_id: SessionId) -> Sequence[OpenIntent]:
        """Return the same as `open_intents`, after setting intents of a future time to now.

        Such an intent was written before the clock was set back. Without this it would stay open for as long as the
        clock was set back.
        """
        return await self._engine.write(lambda tx: _restarted_intents(tx, session_id))


def _begin(tx: Transaction, ref: str, lost_seconds: float) -> IntentTurn | None:
    now = tx.now()
    if tx.run("INSERT INTO intents (ref, called_at) VALUES (:ref, :now) ON CONFLICT DO NOTHING", ref=ref, now=now):
        return IntentTurn(now, repeats=False)
    row = tx.one(f"SELECT * FROM intents WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:
        return None
    age = now - row["called_at"]
    # A negative age means that the clock was set back: wait `lost_seconds` from now, not until the old time is reached.
    if age < 0 or age >= lost_seconds:
        tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=ref, now=now)
    return IntentTurn(now, repeats=True) if age >= lost_seconds else None


def _open_intents(tx: Transaction, session_id: SessionId) -> list[OpenIntent]:
    sql = "SELECT ref, :database_now - called_at AS age FROM intents WHERE ref LIKE :session || '.%' ORDER BY ref"
    # `_` in an id is a wildcard of LIKE, so the prefix is compared once more.
    rows = [row for row in tx.all(sql, session=session_id) if row["ref"].startswith(f"{session_id}.")]
    return [OpenIntent(row["ref"], int(row["ref"].split(".")[1]), row["age"]) for row in rows]


def _restarted_intents(tx: Transaction, session_id: SessionId) -> list[OpenIntent]:
    for intent in _open_intents(tx, session_id):
        if intent.age_seconds < 0:
            tx.run("UPDATE intents SET called_at = :database_now WHERE ref = :ref", ref=intent.ref)
    return _open_intents(tx, session_id)
