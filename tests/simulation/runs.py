"""Many histories: shared out to a few processes, added up, and each failing one told so that it can be replayed."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, fields
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.checks import Tally
from tests.simulation.databases import File, Memory, Postgres
from tests.simulation.history import Historian, Outcome
from tests.support.postgres import running_postgres

DATABASES = ("memory", "sqlite", "postgresql")
_BATCH = 25


@dataclass
class Sums:
    """What a run came to. `failed` is empty where every history kept every promise."""

    histories: int = 0
    moments: int = 0
    crashes: int = 0
    tally: Tally = field(default_factory=Tally)
    kinds: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.histories += 1
        self.moments += outcome.perils.passed
        self.crashes += outcome.perils.struck.total()
        self.kinds += outcome.perils.seen
        self.struck += outcome.perils.struck
        _add(self.tally, outcome.tally)
        if outcome.faults:
            self.failed.append(outcome)

    def join(self, other: "Sums") -> None:
        self.histories += other.histories
        self.moments += other.moments
        self.crashes += other.crashes
        self.kinds += other.kinds
        self.struck += other.struck
        _add(self.tally, other.tally)
        self.failed += other.failed

    def __str__(self) -> str:
        tally = self.tally
        wrong = 100 * tally.presumed_wrong / tally.presumed if tally.presumed else 0.0
        return (
            f"{self.histories} histories, {self.moments} moments, {self.crashes} crashes "
            f"at {len(self.struck)} of {len(self.kinds)} kinds of moments\n"
            f"{tally.connections} connections: {tally.exact} by invitation, {tally.claimed} claimed, "
            f"{tally.presumed} presumed, {tally.unattributed} unattributed, {tally.unrecorded} rightly not recorded; "
            f"{tally.reconnected} reconnects, {tally.events} events\n"
            f"presumed and wrong: {tally.presumed_wrong} of {tally.presumed} ({wrong:.1f} %)\n"
            f"histories with a fault: {len(self.failed)}"
        )


def tell(outcome: Outcome, database: str) -> str:
    """A failing history, and the one command that replays it alone."""
    moment = f" --crash-at {outcome.perils.at}" if outcome.perils.at is not None else ""
    command = f"python -m tests.simulation --database {database} --only {outcome.name}{moment}"
    return "\n".join([*outcome.trace, "", *outcome.faults, f"replay: {command}"])


def every_moment(historian: Historian, story: str, part: int = 0, parts: int = 1) -> Sums:
    """One story again and again, each time with a process that ends at the next moment; or every so-manieth of them."""
    sums = Sums()
    whole = historian.tell(story)
    sums.add(whole)
    for moment in range(1 + part, whole.perils.lively + 1, parts):
        sums.add(historian.tell(story, moment))
    return sums


def run(database: str, seeds: Sequence[int], processes: int) -> Iterator[Sums]:
    """The sums of one batch after another, as they are done."""
    batches = [seeds[first : first + _BATCH] for first in range(0, len(seeds), _BATCH)]
    with servers(database, processes) as places:
        if processes == 1:
            yield from (_batch(places[0], batch) for batch in batches)
            return
        with ProcessPoolExecutor(processes) as pool:
            yield from pool.map(_batch, [places[i % processes] for i in range(len(batches))], batches)


@contextmanager
def servers(database: str, count: int) -> Iterator[list[str]]:
    """Where each process keeps its histories: nowhere, in a folder of its own, or in a database of its own."""
    with ExitStack() as stack:
        if database == "postgresql":
            server = stack.enter_context(running_postgres())
            yield [stack.enter_context(server.database()) for _ in range(count)]
        elif database == "sqlite":
            shared = Path("/dev/shm")  # noqa: S108 - memory, where the system has it: histories write a lot
            folder = str(shared) if os.access(shared, os.W_OK) else None
            yield [stack.enter_context(TemporaryDirectory(prefix="simulation-", dir=folder)) for _ in range(count)]
        else:
            yield list(repeat("", count))


def historian_at(place: str) -> Historian:
    if not place:
        return Historian(Memory())
    return Historian(Postgres(place) if place.startswith("postgresql:") else File(Path(place)))


def _batch(place: str, seeds: Sequence[int]) -> Sums:
    sums = Sums()
    with closing(historian_at(place)) as historian:
        for seed in seeds:
            sums.add(historian.run(seed))
    return sums


def _add(into: Tally, other: Tally) -> None:
    for each in fields(Tally):
        setattr(into, each.name, getattr(into, each.name) + getattr(other, each.name))
