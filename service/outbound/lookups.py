"""Lookups of names that hosts give: a name server that does not answer must not hold up the lookups of other names."""

import asyncio
from collections.abc import Callable, Sequence

from service.outbound.addresses import Resolve

# Longer than a lookup that has lost a packet: the system's resolver asks again after 5 s.
_LOOKUP_SECONDS = 10.0
_FAILED_SECONDS = 30.0


class SharedLookups:
    """Looks a name up once at a time, and for a while not at all after that failed or took too long.

    Each lookup holds a thread until the system's resolver gives up, so a name may hold one at most. `monotonic` is a
    clock that is never set.
    """

    def __init__(self, resolve: Resolve, monotonic: Callable[[], float]) -> None:
        self._resolve = resolve
        self._monotonic = monotonic
        self._under_way: dict[str, asyncio.Task[Sequence[str]]] = {}
        self._failed_until: dict[str, float] = {}  # the earliest first

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name; none where it has none, or where its last lookup failed a moment ago."""
        name = host.lower()
        if self._failed_until.get(name, 0.0) > self._monotonic():
            return ()
        lookup = self._under_way.get(name)
        if lookup is None:
            lookup = self._under_way[name] = asyncio.create_task(self._look_up(name, port), name=f"resolve:{name}")
        try:
            # A caller that gives up earlier ends its own wait only: the thread goes on, and others may wait for it.
            async with asyncio.timeout(_LOOKUP_SECONDS):
                return await asyncio.shield(lookup)
        except TimeoutError:
            self._note_failure(name)
            return ()

    async def _look_up(self, name: str, port: int) -> Sequence[str]:
        try:
            found = await self._resolve(name, port)
        finally:
            del self._under_way[name]
        if found:
            self._failed_until.pop(name, None)
        else:
            self._note_failure(name)
        return found

    def _note_failure(self, name: str) -> None:
        now = self._monotonic()
        self._failed_until.pop(name, None)  # the new one stands last
        self._failed_until[name] = now + _FAILED_SECONDS
        for earlier in list(self._failed_until):
            if self._failed_until[earlier] > now:
                return
            del self._failed_until[earlier]
