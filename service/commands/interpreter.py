"""Python's own settings for a process that answers many requests: short pauses are worth more than throughput."""

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# A collection visits the objects of its generation and those younger, in a microsecond each where they are not in the
# processor's cache. So 5,000 new ones are 5 ms, and the second generation, of four times as many, 20 ms.
_THRESHOLDS = (5_000, 3, 20)
_SWITCH_SECONDS = 0.001
# Of so many full collections one visits everything: what was frozen may have become garbage since. There are two
# million objects more by then.
_COLLECTIONS_FOR_A_WHOLE_ONE = 5


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
def short_pauses() -> Iterator[None]:
    """Use these settings in the block, and put back those of before afterwards.

    What was loaded before the block stays loaded: frozen, no collection visits it (a full one took 100 ms and more).
    What survives two collections is frozen too: with 10,000 streams, of 140 objects each, a full one took 200 ms. A
    thread that wants the interpreter's lock gets it within a millisecond instead of five: the event loop gives it up
    with every system call, and waits for it while a writer of the database computes.
    """
    thresholds, seconds = gc.get_threshold(), sys.getswitchinterval()
    freeze_survivors = _FreezeSurvivors()
    gc.freeze()
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


class _FreezeSurvivors:
    """Freezes what a collection of the older generations leaves, so that the next one visits only what is newer."""

    def __init__(self) -> None:
        self._full_collections = 0

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if info["generation"] == 0:
            return
        if phase == "stop":
            gc.freeze()
        elif info["generation"] == 2:
            self._full_collections += 1
            if self._full_collections % _COLLECTIONS_FOR_A_WHOLE_ONE == 0:
                gc.unfreeze()
