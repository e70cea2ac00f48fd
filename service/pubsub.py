"""Wake-ups for those that wait for events of a session. A wake-up carries nothing: events are read from the log.

Between processes the database carries the wake-ups (PostgreSQL) or is polled (SQLite). A lost one costs a moment, never
an event.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ALL_SESSIONS = ""


class Signal:
    """Wakes the one task that waits for it.

    Thousands of streams wait for two seconds at a time. `asyncio.timeout` around an Event cancels the task and raises
    each time, which took longer than all else that a quiet stream does.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Return whether it was set since it was last waited for."""
        return self._is_set

    def set(self) -> None:
        """Wake the task that waits, now or later."""
        self._is_set = True
        self._wake()

    async def wait(self, seconds: float) -> bool:
        """Wait until it is set, and clear it; return False where it was not set within `seconds`."""
        if not self._is_set:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        was_set, self._is_set = self._is_set, False
        return was_set

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class PubSub:
    """Subscriptions of this process.

    Every `keep_alive_seconds` a stream records that its page is present. It reads the view again if its mark differs.
    """

    def __init__(self, keep_alive_seconds: float = 15.0) -> None:
        self.keep_alive_seconds = keep_alive_seconds
        self._subscribers: defaultdict[str, set[Signal]] = defaultdict(set)
        self.closing = asyncio.Event()

    @asynccontextmanager
    async def subscribe(self, session_id: str = ALL_SESSIONS) -> AsyncIterator[Signal]:
        """Yield a signal that is set at every event of the session, or of any; wait for it with `wait`."""
        signal = Signal()
        self._subscribers[session_id].add(signal)
        try:
            if self.closing.is_set():
                signal.set()
            yield signal
        finally:
            self._subscribers[session_id].discard(signal)
            if not self._subscribers[session_id]:
                del self._subscribers[session_id]

    def publish(self, session_ids: set[str]) -> None:
        """These sessions have new events."""
        for session_id in {*session_ids, ALL_SESSIONS}:
            for signal in self._subscribers.get(session_id, ()):
                signal.set()

    def publish_all(self) -> None:
        """Wake everybody."""
        for signals in self._subscribers.values():
            for signal in signals:
                signal.set()

    def count(self) -> int:
        """How many subscriptions there are."""
        return sum(len(signals) for signals in self._subscribers.values())

    def count_for(self, session_id: str) -> int:
        """How many subscriptions there are to this session."""
        return len(self._subscribers.get(session_id, ()))

    def close(self) -> None:
        """End every stream: the process is about to stop."""
        self.closing.set()
        self.publish_all()
