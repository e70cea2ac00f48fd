"""The clocks of a simulation: the true time, and how far each server's clock is from it."""


class Clocks:
    """The true time moves only when the history says so; the provider's own distance from it is kept in its world."""

    def __init__(self, ours_off: float = 0.0, database_off: float = 0.0) -> None:
        self.at = 1_800_000_000.0
        self.ours_off = ours_off
        self.database_off = database_off

    def true(self) -> float:
        """Also what a process's monotonic clock shows: whoever sets a clock does not move that one."""
        return self.at

    def ours(self) -> float:
        return self.at + self.ours_off

    def database(self) -> float:
        return self.at + self.database_off

    def advance(self, seconds: float) -> None:
        self.at += seconds
