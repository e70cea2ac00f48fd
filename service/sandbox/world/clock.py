"""The sandbox's time: the real clock, advanced through the control API, and skewed for companies by a trouble."""

from collections.abc import Callable
from dataclasses import dataclass

from service.sandbox.wire.errors import InvalidFields
from service.sandbox.world.rows import SandboxRecord, SandboxTable
from service.sandbox.world.troubles import SandboxTroubles

ADVANCED = "advance"
"""The stored number of seconds by which the clock was advanced."""
ADVANCED_MOST_SECONDS = 3_153_600_000
"""A hundred years in all: no date can be written after the year 9999, and then no answer either."""


@dataclass(frozen=True)
class StoredNumber(SandboxRecord):
    """A number that survives a restart, such as how far the clock was advanced."""

    value: float


class StoredNumbers:
    """Numbers by name; one that was never changed is 0."""

    def __init__(self, table: SandboxTable[StoredNumber]) -> None:
        self._table = table

    def get(self, name: str) -> float:
        """Return the number of that name."""
        stored = self._table.get(name)
        return stored.value if stored else 0.0

    def add(self, name: str, amount: float) -> float:
        """Change the number of that name, and return it."""
        return self._table.put(StoredNumber(name, self.get(name) + amount)).value


class SandboxClock:
    """The sandbox's time.

    `real` is for what must not be moved (signatures, page sessions), `time` for what is due, and `now` for every time
    that the provider shows to a company.
    """

    def __init__(self, real: Callable[[], float], numbers: StoredNumbers, troubles: SandboxTroubles) -> None:
        self.real = real
        self._numbers = numbers
        self._troubles = troubles

    def time(self) -> float:
        """Return the real time plus all that it was advanced by."""
        return advanced(self.real, self._numbers)

    def now(self, company_id: str | None = None) -> float:
        """Return the provider's time as a company sees it: `time` plus the company's `clock_skew`."""
        skew = self._troubles.active("clock_skew", company_id)
        return self.time() + (skew.size if skew else 0.0)

    def as_shown(self, at: float, company_id: str) -> float:
        """Return a moment of `time` as the provider shows it to a company."""
        return at + self.now(company_id) - self.time()

    def advance(self, seconds: float) -> None:
        """Move the clock forwards; never backwards, since what has happened stays. Raises `InvalidFields`."""
        if self._numbers.get(ADVANCED) + seconds > ADVANCED_MOST_SECONDS:
            raise InvalidFields({"advanceSeconds": ["The clock is advanced by a hundred years at most; reset it."]})
        self._numbers.add(ADVANCED, seconds)


def advanced(real: Callable[[], float], numbers: StoredNumbers) -> float:
    """Return the time without skew; troubles expire by it, since skew is a trouble itself."""
    return real() + numbers.get(ADVANCED)
