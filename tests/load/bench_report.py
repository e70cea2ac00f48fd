"""The figures of one run of `make bench`, as a table in text and in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.load.bench_targets import Goal


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and the smallest and largest of them."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(median(figures), min(figures), max(figures))

    def written(self, form: str) -> str:
        return f"{self.middle:{form}} ({self.least:{form}} to {self.most:{form}})"


@dataclass(frozen=True)
class BenchLine:
    """One row: answers per second of each round, and those of its floor in the same rounds."""

    setup: str
    name: str
    goal: Goal | None
    speeds: Sequence[float]
    floor: Sequence[float]
    p99: Sequence[float]
    cpu: Sequence[float]  # of its processes for each answer, in microseconds; PostgreSQL's own is not in it

    @property
    def speed(self) -> Spread:
        return Spread.of(self.speeds)

    @property
    def share(self) -> Spread:
        """Of the floor, round by round: what slows the machine down for a while slows both."""
        return Spread.of([ours / floor for ours, floor in zip(self.speeds, self.floor, strict=True)])

    def cells(self) -> list[str]:
        """Name, per second, goal, share of its floor, goal, 99th percentile, goal, CPU."""
        goal, cpu = self.goal, f"{median(self.cpu):,.0f} µs"
        if goal is None:
            return [self.name, self.speed.written(",.0f"), "", "", "", "", "", cpu]
        fast = f"{goal.per_second:,.0f}" if goal.per_second else ""
        slow = (f"{median(self.p99):.1f} ms", f"{goal.p99:g} ms") if goal.p99 and self.p99 else ("", "")
        return [self.name, self.speed.written(",.0f"), fast, self.share.written(".2f"), f"{goal.share:g}", *slow, cpu]


_HEADS = ["", "per second", "goal", "of its floor", "goal", "p99, 8 connections", "goal", "CPU"]


@dataclass(frozen=True)
class BenchReport:
    """One run: medians, with the smallest and the largest figure of all rounds."""

    about: str
    lines: Sequence[BenchLine]
    first_answer_seconds: float
    megabytes: float
    load_average: float

    @property
    def setups(self) -> list[str]:
        return list(dict.fromkeys(line.setup for line in self.lines))

    def of_setup(self, setup: str) -> list[BenchLine]:
        return [line for line in self.lines if line.setup == setup]

    def text(self) -> str:
        """The table in columns."""
        rows = [(setup, [_HEADS, *(line.cells() for line in self.of_setup(setup))]) for setup in self.setups]
        widths = [max(len(row[at]) for _, some in rows for row in some) for at in range(len(_HEADS))]
        out = [self.about]
        for setup, some in rows:
            out += ["", setup, *("  ".join(map(_padded, row, widths)).rstrip() for row in some)]
        return "\n".join([*out, "", *self.closing()])

    def markdown(self) -> str:
        """The same as a table for each kind of database."""
        out = [f"{self.about}; medians, in brackets the smallest and largest of all rounds."]
        for setup in self.setups:
            heads = [setup, *_HEADS[1:]]
            out += ["", _piped(heads), _piped(["---", *["--:"] * (len(_HEADS) - 1)])]
            out += [_piped([_quoted(line.name), *line.cells()[1:]]) for line in self.of_setup(setup)]
        return "\n".join([*out, "", *(f"- {line}" for line in self.closing()), ""])

    def closing(self) -> list[str]:
        return [
            f"first answer {self.first_answer_seconds:.2f} s after the start (goal: 0.6)",
            f"{self.megabytes:.0f} MB resident after the run (goal: 80)",
            f"load average {self.load_average:.1f}",
        ]


def _padded(cell: str, width: int) -> str:
    return cell.ljust(width)


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _quoted(name: str) -> str:
    return name if name.startswith("floor") else f"`{name}`"
