"""How busy a process is with requests of hosts, which decides how much background work it does beside them."""

from collections.abc import Callable

# Half of the requests that the API takes at once: from here on answers take seconds.
_MANY = 500
# How long after that the load still counts as high: callers that were refused come back meanwhile.
_CALM_SECONDS = 5.0
# Under a load that stays high, background work has its full share again for the rest of each period.
_PERIOD_SECONDS, _HELD_BACK_SECONDS = 40.0, 30.0


class RequestLoad:
    """Notes the number of requests in progress; `monotonic` is a clock that is never set."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began_at = self._last_at = float("-inf")

    def observe(self, in_progress: int) -> None:
        """Note how many requests of the API are in progress; called as each of them begins.

        Calls that wait for an event are not among them: they take no time of the process.
        """
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
