"""The floor of the world: its shelves, its clock, its identifiers and its troubles."""

from collections.abc import Callable
from dataclasses import dataclass

from service.sandbox.settings import Settings
from service.sandbox.world.companies import Company, Site
from service.sandbox.world.connections import Connection
from service.sandbox.world.ids import Ids
from service.sandbox.world.invitations import Invitation
from service.sandbox.world.links import MagicLink
from service.sandbox.world.messages import Message
from service.sandbox.world.rows import Noun, Rows, Shelf
from service.sandbox.world.troubles import Trouble, Troubles


@dataclass(frozen=True)
class Gauge(Noun):
    """A number that outlives a restart: how far the clock was moved, how many ids a seed has given."""

    value: float


class State:
    """Everything remembered; the verbs are in the classes built upon it."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.real_clock = clock
        self._rows = Rows(settings.data_dir)
        self._companies = Shelf(self._rows, Company)
        self._sites = Shelf(self._rows, Site)
        self._connections = Shelf(self._rows, Connection)
        self._links = Shelf(self._rows, MagicLink)
        self._invitations = Shelf(self._rows, Invitation)
        self._gauges = Shelf(self._rows, Gauge)
        self._troubles = Shelf(self._rows, Trouble)
        self.outbox = Shelf(self._rows, Message)
        self.troubles = Troubles(self._troubles, self.time)
        self.ids = Ids(settings.seed, self._next_serial)

    def time(self) -> float:
        """Real time as far as it has been moved by hand; without the skew that callers see."""
        return self.real_clock() + self._gauge("advance")

    def now(self, company_id: str | None = None) -> float:
        """What the provider's clock says to that company: every time on the wire is this one's."""
        skew = self.troubles.look("clock_skew", company_id)
        return self.time() + (skew.size if skew else 0.0)

    def advance(self, seconds: float) -> None:
        """Moves the clock; only forwards, since what has happened stays."""
        self._gauges.put(Gauge("advance", self._gauge("advance") + seconds))

    def reset(self) -> None:
        """Empties the world, troubles and clock included."""
        self._rows.clear()
        for shelf in self._shelves():
            shelf.forget()

    def close(self) -> None:
        """Gives the file back."""
        self._rows.close()

    def _shelves(self) -> tuple[Shelf[Company], ...]:
        return tuple(thing for thing in vars(self).values() if isinstance(thing, Shelf))

    def _gauge(self, name: str) -> float:
        gauge = self._gauges.get(name)
        return gauge.value if gauge else 0.0

    def _next_serial(self) -> int:
        return int(self._gauges.put(Gauge("serial", self._gauge("serial") + 1)).value)
