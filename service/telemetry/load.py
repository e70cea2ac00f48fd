"""How busy a process is with requests of hosts: how many it takes, and how much background work it does beside them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Half of the requests that the API takes at once: from here on answers take seconds.
_MANY = 500
# How long after that the load still counts as high: callers that were refused come back meanwhile.
_CALM_SECONDS = 5.0
# Under a load that stays high, background work has its full share again for the rest of each period.
_PERIOD_SECONDS, _HELD_BACK_SECONDS = 40.0, 30.0
# So long may a request wait for those before it: its caller, who gives up after some seconds, is answered in time.
_TURN_SECONDS = 3.0
_LEAST_AT_ONCE, MOST_AT_ONCE = 200, 1000
# A second shows what the process can do if it never had fewer requests to work on.
_BUSY = 4
_MEASURED_SECONDS = 1.0


class RequestCapacity:
    """How many requests a process may work on at once, by how many it has answered a second when it was busy.

    With `n` requests in progress a new one is answered after n / (answers a second): Little's law. A request that waits
    for the provider is not worked on meanwhile.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.most = MOST_AT_ONCE
        self._monotonic = monotonic
        self._since = float("-inf")
        self._working = self._fewest = self._answered = 0

    def is_used_up(self) -> bool:
        """Return whether another request would wait for too long."""
        return self._working >= self.most

    def begin(self) -> None:
        """Note a request that is taken."""
        now = self._monotonic()
        if now - self._since >= _MEASURED_SECONDS:
            self._measure(now)
        self._working += 1

    def end(self) -> None:
        """Note that it is answered."""
        self.pause()
        self._answered += 1

    def pause(self) -> None:
        """Note that a request waits for something that takes no time of the process."""
        self._working -= 1
        self._fewest = min(self._fewest, self._working)

    def go_on(self) -> None:
        """Note that it waits no longer."""
        self._working += 1

    def _measure(self, now: float) -> None:
        if self._fewest >= _BUSY:
            in_time = _TURN_SECONDS * self._answered / (now - self._since)
            self.most = max(_LEAST_AT_ONCE, min(MOST_AT_ONCE, round(in_time)))
        self._since, self._answered, self._fewest = now, 0, self._working


class RequestLoad:
    """Counts the requests in progress; `monotonic` is a clock that is never set, `most` how many there may be."""

    def __init__(self, monotonic: Callable[[], float], most: int = MOST_AT_ONCE) -> None:
        self._monotonic = monotonic
        self._most = most
        self._in_progress = 0
        self._capacity = RequestCapacity(monotonic)
        self._began_at = self._last_at = float("-inf")

    def is_too_high(self) -> bool:
        """Return whether another request shall be refused, so that the others are answered before callers give up."""
        return self._in_progress >= self._most or self._capacity.is_used_up()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request during the block."""
        self._in_progress += 1
        self.observe(self._in_progress)
        self._capacity.begin()
        try:
            yield
        finally:
            self._in_progress -= 1
            self._capacity.end()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """During the block the caller's request waits for the provider: it counts, and takes no time of the process."""
        self._capacity.pause()
        try:
            yield
        finally:
            self._capacity.go_on()

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """During the block the caller's request only waits, and does not count; its route limits how many do."""
        self._in_progress -= 1
        try:
            with self.waiting():
                yield
        finally:
            self._in_progress += 1

    def observe(self, in_progress: int) -> None:
        """Note how many requests are in progress; called as each of them begins."""
        if in_progress < _MANY:
            return
        now = self._monotonic()
        if now - self._last_at >= _CALM_SECONDS:
            self._began_at = now
        self._last_at = now

    def holds_back_background_work(self) -> bool:
        """Return whether jobs that no page waits for shall run one at a time; for 30 s in a row at most."""
        now = self._monotonic()
        if now - self._last_at >= _CALM_SECONDS:
            return False
        return (now - self._began_at) % _PERIOD_SECONDS < _HELD_BACK_SECONDS
