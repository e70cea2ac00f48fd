"""The memory for bodies of strangers that are being read: limited for all together, and kept from the slow ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.errors import Unavailable

# The provider sends an event in well under a second. A stranger who sends slowly would need little to hold all room.
GIVES_WAY_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class _Reading:
    """One body that is being read, and how many of its bytes have arrived."""

    began_at: float
    wait: asyncio.Timeout
    count: int = field(default=0)


class BodyRoom:
    """How many bytes of bodies may be read at the same time, all together.

    Where there is no room, the body that has been read for longest ends, if that is more than five seconds.
    `monotonic` is a clock of seconds that only rises.
    """

    def __init__(self, most_bytes: int, monotonic: Callable[[], float]) -> None:
        self._rest = most_bytes
        self._monotonic = monotonic
        self._readings: dict[_Reading, None] = {}  # the oldest first

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Callable[[int], None]]:
        """Give the function that counts the bytes of one body in as they arrive. They are counted out at the end.

        Raises Unavailable where there is no room for them, or where the body gave way to another one.
        """
        try:
            async with asyncio.timeout(None) as wait:
                reading = _Reading(self._monotonic(), wait)
                self._readings[reading] = None
                try:
                    yield lambda count: self._take(reading, count)
                finally:
                    self._end(reading)
        except TimeoutError as exc:
            raise _no_room() from exc

    def _take(self, reading: _Reading, count: int) -> None:
        if reading not in self._readings:  # it gave way, and does not know it yet
            raise _no_room()
        while count > self._rest:
            self._end_slowest(reading)
        self._rest -= count
        reading.count += count

    def _end_slowest(self, wants: _Reading) -> None:
        latest = self._monotonic() - GIVES_WAY_SECONDS
        slowest = next((one for one in self._readings if one is not wants and one.count), None)
        if slowest is None or slowest.began_at > latest:
            raise _no_room()
        self._end(slowest)
        slowest.wait.reschedule(asyncio.get_running_loop().time())

    def _end(self, reading: _Reading) -> None:
        if reading in self._readings:
            del self._readings[reading]
            self._rest += reading.count


def _no_room() -> Unavailable:
    return Unavailable("Too many large bodies are being read; retry shortly")
