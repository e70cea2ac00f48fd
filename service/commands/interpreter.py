"""Python's own settings for a process that answers many requests: short pauses are worth more than throughput."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

# A collection visits the objects of its generation and those younger, in a microsecond each where they are not in the
# processor's cache. So 2,500 new ones are 2.5 ms, and the second generation, of four times as many, 10 ms.
_THRESHOLDS = (2_500, 3, 20)
_SWITCH_SECONDS = 0.001
_OLDEST = 2
_REGULAR_SECONDS, _REGULAR_FOR_OLDEST = 0.2, 40


@dataclass(frozen=True, slots=True)
class WholeCollections:
    """When a collection visits everything, since what was frozen may have become garbage: a pause of 100 ms and more.

    One of `collections` at most, so that 99.9 % of the pauses are short; but no later than `frozen` objects after the
    last one, which are about 200 MB if all of them are garbage.
    """

    collections: int = 2_000
    frozen: int = 2_000_000


@contextmanager
def no_collections() -> Iterator[None]:
    """Collect no garbage in the block: what is imported stays, so that each collection would find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def short_pauses(whole: WholeCollections | None = None) -> Iterator[None]:
    """Use these settings in the block, and put back those of before afterwards.

    What was loaded before the block stays loaded: frozen, no collection visits it (a full one took 100 ms and more).
    What survives two collections is frozen too: with 10,000 streams, of 140 objects each, a full one took 200 ms. A
    thread that wants the interpreter's lock gets it within a millisecond instead of five: the event loop gives it up
    with every system call, and waits for it while a writer of the database computes.
    """
    thresholds, seconds = gc.get_threshold(), sys.getswitchinterval()
    gc.freeze()
    freeze_survivors = _FreezeSurvivors(whole or WholeCollections())
    gc.set_threshold(*_THRESHOLDS)
    gc.callbacks.append(freeze_survivors)
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(seconds)
        gc.callbacks.remove(freeze_survivors)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def collect_regularly(sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Collect the younger generations five times a second until cancelled, and the oldest every eight seconds.

    Python counts objects that were made less those that were freed. Where thousands of streams replace their timers, it
    counts none, and what they hold grows into one young generation that takes 100 ms to visit.
    """
    for number in count(1):
        await sleep(_REGULAR_SECONDS)
        gc.collect(_OLDEST if number % _REGULAR_FOR_OLDEST == 0 else _OLDEST - 1)


class _FreezeSurvivors:
    """Freezes what a collection of the older generations leaves, so that the next one visits only what is newer."""

    def __init__(self, whole: WholeCollections) -> None:
        self._whole = whole
        self._collections = self._made = 0  # since the last one of everything
        self._base = gc.get_freeze_count()  # what that one left
        self._is_whole = False

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collections += 1
            # The objects made since the last collection, less those freed. The list of `gc.get_objects` would refer to
            # each for a moment, and a thread that fills a tuple to which another refers gets a SystemError.
            self._made += gc.get_count()[0]
            self._is_whole = info["generation"] == _OLDEST and self._is_due()
            if self._is_whole:
                self._collections = self._made = 0
                gc.unfreeze()
        elif info["generation"] > 0:
            gc.freeze()  # what is left is in the oldest generation now
            if self._is_whole:
                self._base = gc.get_freeze_count()

    def _is_due(self) -> bool:
        if self._made >= self._whole.frozen:
            # Most of it may be freed by now. The count of what is frozen visits all of it, so it is taken rarely.
            self._made = gc.get_freeze_count() - self._base
        return self._collections >= self._whole.collections or self._made >= self._whole.frozen
