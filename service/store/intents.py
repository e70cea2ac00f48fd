"""Calls that create something at the provider: noted before they are made, so that a lost answer is noticed.

All times are the database's: whoever comes upon a note may have another clock than whoever made it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.model import SessionId
from service.store.tx import Engine, Row, Tx


@dataclass(frozen=True, slots=True)
class Turn:
    """A call that may be made now: when it was noted, and whether it takes the place of one that was lost."""

    at: float
    anew: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """A call for an invitation whose answer is not known, and how long ago it was noted."""

    ref: str
    serial: int
    age_seconds: float


class Intents:
    """See the module."""

    def __init__(self, engine: Engine, new_id: Callable[[str], str]) -> None:
        self._engine = engine
        self._new_id = new_id

    async def begin(self, ref: str, lost_seconds: float) -> Turn | None:
        """Note a call that must be made once, before it is made; by its time `settled` knows the note.

        None while an earlier call, unanswered, may still show what it did. One older than `lost_seconds` is over: this
        one takes its place, and its own time begins.
        """
        return await self._engine.write(lambda tx: _begin(tx, ref, lost_seconds))

    async def settled(self, ref: str, at: float | None = None) -> None:
        """The call was answered, or certainly never received; with `at`, only if nobody took its place meanwhile."""
        sql = "DELETE FROM intents WHERE ref = :ref"
        if at is not None:
            await self._engine.write(lambda tx: tx.run(f"{sql} AND called_at = :at", ref=ref, at=at))
            return
        await self._engine.write(lambda tx: tx.run(sql, ref=ref))

    async def note(self, session_id: SessionId, serial: int) -> str:
        """Note a call for an invitation; every one has a note of its own, since every one may have made one."""
        ref = f"{session_id}.{serial}.{self._new_id('call')}"
        sql = "INSERT INTO intents (ref, called_at) VALUES (:ref, :now)"
        await self._engine.write(lambda tx: tx.run(sql, ref=ref, now=tx.now()))
        return ref

    async def noted(self, session_id: SessionId) -> Sequence[Noted]:
        """The session's calls for invitations that are under way or lost."""
        return await self._engine.read(lambda tx: _noted(tx, session_id))

    async def redated(self, session_id: SessionId) -> Sequence[Noted]:
        """As `noted`; for calls that are dated ahead of the clock, which then was set back, the time begins anew."""
        return await self._engine.write(lambda tx: _redated(tx, session_id))


def _begin(tx: Tx, ref: str, lost_seconds: float) -> Turn | None:
    now = tx.now()
    if tx.run("INSERT INTO intents (ref, called_at) VALUES (:ref, :now) ON CONFLICT DO NOTHING", ref=ref, now=now):
        return Turn(now, anew=False)
    row = tx.one(f"SELECT * FROM intents WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:  # settled by another process this very moment
        return None
    age = now - row["called_at"]
    if age < 0 or age >= lost_seconds:  # a clock that was set back begins the waiting anew, for no longer than it takes
        tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=ref, now=now)
    return Turn(now, anew=True) if age >= lost_seconds else None


def _noted(tx: Tx, session_id: SessionId) -> list[Noted]:
    now = tx.now()
    rows = tx.all("SELECT ref, called_at FROM intents WHERE ref LIKE :any ORDER BY ref", any=f"{session_id}.%")
    return [_noun(row, now) for row in rows if row["ref"].startswith(f"{session_id}.")]


def _redated(tx: Tx, session_id: SessionId) -> list[Noted]:
    for one in _noted(tx, session_id):
        if one.age_seconds < 0:
            tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=one.ref, now=tx.now())
    return _noted(tx, session_id)


def _noun(row: Row, now: float) -> Noted:
    return Noted(row["ref"], int(row["ref"].split(".")[1]), now - row["called_at"])
