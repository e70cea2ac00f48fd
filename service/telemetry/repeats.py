"""Lines that could be written without an end: once for each cause, then every ten minutes at most."""

from collections.abc import Callable

_SECONDS = 600.0


class Repeats:
    """Tells when a cause may be logged again. `monotonic` is a clock of seconds that only rises; causes are few."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[str, float] = {}

    def is_due(self, cause: str) -> bool:
        """Return whether the cause may be logged now, and note that it is."""
        now = self._monotonic()
        if now - self._logged_at.get(cause, -_SECONDS) < _SECONDS:
            return False
        self._logged_at[cause] = now
        return True
