"""Limits how often one session's pages may call: a token bucket per session, in the memory of this process.

Otherwise a page that calls in a loop would make the service poll the provider in a loop. Our own script never reaches
the limit.
"""

from collections import OrderedDict
from collections.abc import Callable

from service.errors import RateLimited

_BURST = 120.0  # enough for a hundred callbacks at once, as a host that retries may cause
_PER_SECOND = 2.0
# Bounds the memory: the bucket that was used longest ago is dropped. Within a minute any bucket is full again anyway.
_REMEMBERED = 20_000


class PageRateLimit:
    """The buckets of the sessions that called last. `monotonic` is a clock of seconds that only rises."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, session_id: str) -> None:
        """Raise RateLimited when the session's bucket is empty."""
        now = self._monotonic()
        left, since = self._buckets.pop(session_id, (_BURST, now))
        left = min(_BURST, left + (now - since) * _PER_SECOND)
        self._buckets[session_id] = (max(0.0, left - 1), now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if left < 1:
            raise RateLimited
