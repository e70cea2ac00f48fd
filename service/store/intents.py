"""Calls that create something at the provider: noted before they are made, so that a lost answer is noticed.

All times are the database's: whoever comes upon a note may have another clock than whoever made it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.domain.model import SessionId
from service.store.engine import Engine, Row, Transaction


@dataclass(frozen=True, slots=True)
class IntentTurn:
    """A call that may be made now: when it was noted, and whether it takes the place of one that was lost."""

    at: float
    repeats: bool


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A call for an invitation whose answer is not known, and how long ago it was noted."""

    ref: str
    serial: int
    age_seconds: float


class IntentStore:
    """See the module."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id

    async def begin(self, ref: str, lost_seconds: float) -> IntentTurn | None:
        """Note a call that must be made once, before it is made; by its time `settled` knows the note.

        None while an earlier call, unanswered, may still show what it did. One older than `lost_seconds` is over: this
        one takes its place, and its own time begins.
        """
        return await self._engine.write(lambda tx: _begin(tx, ref, lost_seconds))

    async def complete(self, ref: str, at: float | None = None) -> None:
        """The call was answered, or certainly never received; with `at`, only if nobody took its place meanwhile."""
        sql = "DELETE FROM intents WHERE ref = :ref"
        if at is not None:
            await self._engine.write(lambda tx: tx.run(f"{sql} AND called_at = :at", ref=ref, at=at))
            return
        await self._engine.write(lambda tx: tx.run(sql, ref=ref))

    async def begin_invitation(self, session_id: SessionId, serial: int) -> str:
        """Note a call for an invitation; every one has a note of its own, since every one may have made one."""
        ref = f"{session_id}.{serial}.{self._new_id('call')}"
        sql = "INSERT INTO intents (ref, called_at) VALUES (:ref, :now)"
        await self._engine.write(lambda tx: tx.run(sql, ref=ref, now=tx.now()))
        return ref

    async def open_intents(self, session_id: SessionId) -> Sequence[OpenIntent]:
        """The session's calls for invitations that are under way or lost."""
        return await self._engine.read(lambda tx: _open_intents(tx, session_id))

    async def restarted_intents(self, session_id: SessionId) -> Sequence[OpenIntent]:
        """As `noted`; for calls that are dated ahead of the clock, which then was set back, the time begins anew."""
        return await self._engine.write(lambda tx: _restarted_intents(tx, session_id))


def _begin(tx: Transaction, ref: str, lost_seconds: float) -> IntentTurn | None:
    now = tx.now()
    if tx.run("INSERT INTO intents (ref, called_at) VALUES (:ref, :now) ON CONFLICT DO NOTHING", ref=ref, now=now):
        return IntentTurn(now, repeats=False)
    row = tx.one(f"SELECT * FROM intents WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:  # settled by another process this very moment
        return None
    age = now - row["called_at"]
    if age < 0 or age >= lost_seconds:  # a clock that was set back begins the waiting anew, for no longer than it takes
        tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=ref, now=now)
    return IntentTurn(now, repeats=True) if age >= lost_seconds else None


def _open_intents(tx: Transaction, session_id: SessionId) -> list[OpenIntent]:
    now = tx.now()
    rows = tx.all("SELECT ref, called_at FROM intents WHERE ref LIKE :any ORDER BY ref", any=f"{session_id}.%")
    return [_open_intent(row, now) for row in rows if row["ref"].startswith(f"{session_id}.")]


def _restarted_intents(tx: Transaction, session_id: SessionId) -> list[OpenIntent]:
    for one in _open_intents(tx, session_id):
        if one.age_seconds < 0:
            tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=one.ref, now=tx.now())
    return _open_intents(tx, session_id)


def _open_intent(row: Row, now: float) -> OpenIntent:
    return OpenIntent(row["ref"], int(row["ref"].split(".")[1]), now - row["called_at"])
