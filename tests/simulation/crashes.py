"""Where a process may end: every moment at which it waits for something outside itself."""

import asyncio
import random
from collections import Counter

_TURNS = (0, 0, 0, 0, 1, 3)


def dice(seed: float | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret: a history is replayed by its seed


class Crash(BaseException):
    """The process ended here. No `Exception`, so that nothing in the service can go on after it."""


class Crashes:
    """Decides which moments are the last of their process: each with a probability, or the one that is named."""

    def __init__(self, rng: random.Random, rate: float = 0.0, at: int | None = None) -> None:
        self._rng = rng
        self._rate = rate
        self.at = at
        self.passed = 0
        self.before_calm = 0
        self.seen: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def calm(self) -> None:
        """From now on nothing ends; `lively` moments have passed."""
        self._rate, self.before_calm = 0.0, self.passed

    def strikes(self, moment: str) -> bool:
        self.passed += 1
        self.seen[moment] += 1
        hit = self.passed == self.at or (self._rate > 0 and self._rng.random() < self._rate)
        if hit:
            self.struck[moment] += 1
        return hit

    async def idle(self) -> None:
        """Let others go first, or not: a task that waits cannot know in which order others go on."""
        for _ in range(self._rng.choice(_TURNS)):
            await asyncio.sleep(0)
