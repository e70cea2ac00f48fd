"""One log, many listeners: tells whoever waits that a session has news. What the news is, they read from the log.

Across processes the database carries the word (PostgreSQL) or is asked now and then (SQLite); a missed word costs a
moment, never an event.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

EVERYBODY = ""  # a listener of all sessions


class Live:
    """See the module."""

    def __init__(self, keep_alive_seconds: float = 15.0) -> None:
        """`keep_alive_seconds` is how long a stream may stay silent."""
        self.keep_alive_seconds = keep_alive_seconds
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.closing = asyncio.Event()

    @asynccontextmanager
    async def listen(self, session_id: str = EVERYBODY) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever the session (or, for everybody, any) has news; clear it before reading."""
        bell = asyncio.Event()
        self._waiting[session_id].add(bell)
        try:
            if self.closing.is_set():
                bell.set()
            yield bell
        finally:
            self._waiting[session_id].discard(bell)
            if not self._waiting[session_id]:
                del self._waiting[session_id]

    def tell(self, session_ids: set[str]) -> None:
        """These sessions have news."""
        for session_id in {*session_ids, EVERYBODY}:
            for bell in self._waiting.get(session_id, ()):
                bell.set()

    def tell_all(self) -> None:
        """Something may have happened: everybody looks."""
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()

    def count(self) -> int:
        """How many wait now."""
        return sum(len(bells) for bells in self._waiting.values())

    def of(self, session_id: str) -> int:
        """How many wait for this session's news."""
        return len(self._waiting.get(session_id, ()))

    def close(self) -> None:
        """End every stream: the process is about to stop."""
        self.closing.set()
        self.tell_all()


async def heard(bell: asyncio.Event, seconds: float) -> bool:
    """Wait for the bell, at most so long; False if it stayed silent."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return False
    bell.clear()
    return True
