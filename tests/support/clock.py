"""A clock that only a test moves."""


class Clock:
    """Stands still until `advance` is called; `now` goes wherever a clock callable is asked for."""

    def __init__(self, starts_at: float = 1_800_000_000.0) -> None:
        self._now = starts_at

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves on; a negative step is a clock set back."""
        self._now += seconds
