"""Limits how often one session's pages may call: token buckets by session, in the memory of this process.

Otherwise a page that calls in a loop would make the service poll the provider in a loop. Our own script never reaches
the limits.
"""

from collections import OrderedDict
from collections.abc import Callable

from service.errors import RateLimited

# A burst, and then so many a second: enough for a hundred callbacks at once, as a host that retries may cause.
_CALLS = (120.0, 2.0)
# Each start writes an event, which is kept for long and delivered to the host's endpoints.
_STARTS = (60.0, 0.1)
# Bounds the memory: the bucket that was used longest ago is dropped.
_REMEMBERED = 20_000


class PageRateLimit:
    """The limits of all sessions. `monotonic` is a clock of seconds that only rises.

    Each method raises RateLimited when its bucket is empty.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._calls = _Buckets(monotonic, *_CALLS)
        self._starts = _Buckets(monotonic, *_STARTS)
        self._offers = _Buckets(monotonic, *_CALLS)

    def take(self, session_id: str) -> None:
        """Count a call of one of the session's pages."""
        self._calls.take(session_id)

    def take_start(self, session_id: str) -> None:
        """Count the start of one of the session's pages, which is a call too."""
        self._calls.take(session_id)
        self._starts.take(session_id)

    def take_offer(self, offer_id: str) -> None:
        """Count a look at an offer, or a code for it: a photograph of the QR code must not stop the page itself."""
        self._offers.take(offer_id)


class _Buckets:
    """A token bucket for each name that was used last."""

    def __init__(self, monotonic: Callable[[], float], burst: float, per_second: float) -> None:
        self._monotonic = monotonic
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        now = self._monotonic()
        left, since = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        # A refused call takes nothing: otherwise those who call again a little too soon would be refused for ever.
        self._buckets[name] = (left if left < 1 else left - 1, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if left < 1:
            raise RateLimited
