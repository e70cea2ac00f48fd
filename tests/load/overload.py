"""More creates at once than one process answers: what it refuses, what it keeps, and how soon its speed is back."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles
from time import perf_counter
from urllib.parse import urlsplit

from tests.load.load_users import KEY, ORIGIN
from tests.load.stream_clients import Caller, Refusal

_HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
_BODY = {
    "userId": "overload",
    "company": {"externalId": "overload", "name": "Overload"},
    "sites": [{"externalId": "hq", "name": "Headquarters"}],
    "origin": ORIGIN,
}
_FEW, _CALM_SECONDS, _OVERLOAD_SECONDS = 16, 5.0, 10.0
_BACK_SECONDS, _BACK_SHARE = 5.0, 0.8
_SLOWEST_SECONDS = 5.0  # a refusal must come before a host gives up


@dataclass
class Overload:
    """One run; `faults` says what was promised and not kept."""

    url: str
    clients: int
    accepted: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    _answered: list[tuple[float, float]] = field(default_factory=list)  # when, and after how many seconds

    async def run(self) -> list[str]:
        """Calm, overload, and calm again; returns what was found."""
        before = await self._press(_FEW, _CALM_SECONDS)
        self._answered.clear()
        self.statuses.clear()
        during = await self._press(self.clients, _OVERLOAD_SECONDS)
        waits = quantiles([took for _, took in self._answered] or [0.0, 0.0], n=100, method="inclusive")
        answers = ", ".join(f"{number} of {status}" for status, number in self.statuses.most_common())
        back = await self._seconds_until(before * _BACK_SHARE)
        if waits[98] > _SLOWEST_SECONDS:
            self.faults.append(f"past capacity an answer takes {waits[98]:.1f} s (99th percentile): nothing is shed")
        if back > _BACK_SECONDS:
            self.faults.append(f"full speed was back only {back:.0f} s after the overload")
        return [
            f"calm, {_FEW} clients: {before:.0f} creates a second",
            f"overload, {self.clients} clients: {during:.0f} a second; {answers}",
            f"answers of the overload: median {waits[49]:.2f} s, p99 {waits[98]:.2f} s (goal: {_SLOWEST_SECONDS:.0f})",
            f"{_BACK_SHARE:.0%} of the calm speed after {back:.1f} s (goal: {_BACK_SECONDS:.0f})",
        ]

    def lost(self, stored: set[str]) -> list[str]:
        """Faults for accepted sessions that are not stored."""
        missing = set(self.accepted) - stored
        return [f"{len(missing)} accepted sessions are not stored"] if missing else []

    async def _press(self, clients: int, seconds: float) -> float:
        """Created a second."""
        accepted, ends_at = len(self.accepted), perf_counter() + seconds
        await asyncio.gather(*(self._client(ends_at) for _ in range(clients)))
        return (len(self.accepted) - accepted) / seconds

    async def _client(self, ends_at: float) -> None:
        caller = Caller(urlsplit(self.url).port or 0)
        while perf_counter() < ends_at:
            began = perf_counter()
            try:
                self.accepted.append((await caller.post("/v1/sessions", _BODY, _HEADERS))["id"])
                self.statuses["201"] += 1
            except Refusal as refusal:
                self.note_refusal(refusal)
                await asyncio.sleep(1)
            except (OSError, asyncio.IncompleteReadError):
                self.statuses["closed"] += 1
                caller = Caller(urlsplit(self.url).port or 0)
                await asyncio.sleep(0.1)
            self._answered.append((perf_counter(), perf_counter() - began))

    def note_refusal(self, refusal: Refusal) -> None:
        self.statuses[str(refusal.status)] += 1
        if refusal.status not in {503, 429} or "retry-after" not in refusal.head:
            self.faults.append(f"refused with {refusal.status}: {refusal.head!r}"[:300])

    async def _seconds_until(self, per_second: float) -> float:
        """From now until a second in which so many were created, a minute at most."""
        began = perf_counter()
        while perf_counter() - began < 60:
            if await self._press(_FEW, 1.0) >= per_second:
                return perf_counter() - began - 1
        return perf_counter() - began
