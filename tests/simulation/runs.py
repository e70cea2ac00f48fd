"""Many histories: shared out to a few processes, added up, and each failing one printed so that it can be replayed."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, fields
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.checks import Counts
from tests.simulation.databases import File, Memory, Postgres
from tests.simulation.history import Outcome, Runner
from tests.support.postgres import running_postgres

DATABASES = ("memory", "sqlite", "postgresql")
_BATCH = 25


@dataclass
class Sums:
    """What a run came to. `failed` is empty where every history kept every promise."""

    histories: int = 0
    moments: int = 0
    crashes: int = 0
    counts: Counts = field(default_factory=Counts)
    kinds: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.histories += 1
        self.moments += outcome.crashes.passed
        self.crashes += outcome.crashes.struck.total()
        self.kinds += outcome.crashes.seen
        self.struck += outcome.crashes.struck
        _add(self.counts, outcome.counts)
        if outcome.faults:
            self.failed.append(outcome)

    def join(self, other: "Sums") -> None:
        self.histories += other.histories
        self.moments += other.moments
        self.crashes += other.crashes
        self.kinds += other.kinds
        self.struck += other.struck
        _add(self.counts, other.counts)
        self.failed += other.failed

    def __str__(self) -> str:
        counts = self.counts
        wrong = 100 * counts.presumed_wrong / counts.presumed if counts.presumed else 0.0
        return (
            f"{self.histories} histories, {self.moments} moments, {self.crashes} crashes "
            f"at {len(self.struck)} of {len(self.kinds)} kinds of moments\n"
            f"{counts.connections} connections: {counts.exact} by invitation, {counts.claimed} claimed, "
            f"{counts.presumed} presumed, {counts.unattributed} unattributed, "
            f"{counts.unrecorded} rightly not recorded; {counts.reconnected} reconnects, {counts.events} events\n"
            f"presumed and wrong: {counts.presumed_wrong} of {counts.presumed} ({wrong:.1f} %)\n"
            f"histories with a fault: {len(self.failed)}"
        )


def run_scenario(outcome: Outcome, database: str) -> str:
    """A failing history, and the one command that replays it alone."""
    moment = f" --crash-at {outcome.crashes.at}" if outcome.crashes.at is not None else ""
    command = f"python -m tests.simulation --database {database} --only {outcome.name}{moment}"
    return "\n".join([*outcome.trace, "", *outcome.faults, f"replay: {command}"])


def every_moment(runner: Runner, scenario: str, part: int = 0, parts: int = 1) -> Sums:
    """One scenario for each moment at which a process can end; with `parts`, for one share of the moments."""
    sums = Sums()
    whole = runner.run_scenario(scenario)
    sums.add(whole)
    for moment in range(1 + part, whole.crashes.before_calm + 1, parts):
        sums.add(runner.run_scenario(scenario, moment))
    return sums


def run(database: str, seeds: Sequence[int], processes: int, *, of_episodes: bool = False) -> Iterator[Sums]:
    """The sums of one batch after another, as they are done; `of_episodes`: of one connection over weeks each."""
    batches = [seeds[first : first + _BATCH] for first in range(0, len(seeds), _BATCH)]
    with servers(database, processes) as places:
        if processes == 1:
            yield from (_batch(places[0], batch, of_episodes) for batch in batches)
            return
        with ProcessPoolExecutor(processes) as pool:
            shared = [places[i % processes] for i in range(len(batches))]
            yield from pool.map(_batch, shared, batches, repeat(of_episodes))


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


def runner_at(place: str) -> Runner:
    if not place:
        return Runner(Memory())
    return Runner(Postgres(place) if place.startswith("postgresql:") else File(Path(place)))


def _batch(place: str, seeds: Sequence[int], of_episodes: bool) -> Sums:  # noqa: FBT001 - mapped over by position
    sums = Sums()
    with closing(runner_at(place)) as runner:
        for seed in seeds:
            sums.add(runner.run_episodes(seed) if of_episodes else runner.run(seed))
    return sums


def _add(into: Counts, other: Counts) -> None:
    for each in fields(Counts):
        setattr(into, each.name, getattr(into, each.name) + getattr(other, each.name))
