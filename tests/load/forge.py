"""`make forgeries`: what we signed, changed a million times over, is never accepted.

Tokens of both page routes, states of the way back and results for the host; with one change, with two, and put together
from the parts of two good ones. The changes and the readers are those of the unit tests, which try fewer of them.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, product
from time import perf_counter

from tests.support.signed_texts import READERS, Readers, mutated, refused

_TOLD_AT_MOST = 10


@dataclass
class Forged:
    """How many were tried, by kind and manner, and the ones that got through."""

    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: list[tuple[str, str]] = field(default_factory=list)


def forge(count: int, seed: int, readers: Readers = READERS) -> Forged:
    """So many forgeries, no two alike. Accepted means anything but the one documented refusal of that kind."""
    rng = random.Random(seed)  # noqa: S311 - a seed, so that a failure can be repeated
    forged, known = Forged(), {(kind, good) for kind, (_, good, _) in readers.items()}
    for kind, manner in cycle(product(sorted(readers), MANNERS)):
        if forged.tried.total() >= count:
            return forged
        text = MANNERS[manner](kind, readers, rng)
        if (kind, text) in known:
            continue
        known.add((kind, text))
        forged.tried[kind, manner] += 1
        if not refused(kind, text, readers):
            forged.accepted.append((kind, text))
    raise AssertionError("there is nothing to forge")


def _once(kind: str, readers: Readers, rng: random.Random) -> str:
    return mutated(readers[kind][1], rng)


def _twice(kind: str, readers: Readers, rng: random.Random) -> str:
    once = _once(kind, readers, rng)
    return mutated(once, rng) if once else once


def _spliced(kind: str, readers: Readers, rng: random.Random) -> str:
    """Half of them at the dots: the content of one under the signature of another."""
    goods = [readers[kind][1], readers[rng.choice(sorted(readers))][1]]
    rng.shuffle(goods)
    if rng.random() < 0.5:
        return f"{goods[0].rpartition('.')[0]}.{goods[1].rpartition('.')[2]}"
    return goods[0][: rng.randrange(len(goods[0]) + 1)] + goods[1][rng.randrange(len(goods[1])) :]


MANNERS: dict[str, Callable[[str, Readers, random.Random], str]] = {
    "one change": _once,
    "two changes": _twice,
    "of two parts": _spliced,
}


def report(forged: Forged) -> list[str]:
    """A line for each kind, then what got through."""
    accepted = Counter(kind for kind, _ in forged.accepted)
    lines = []
    for kind in sorted({kind for kind, _ in forged.tried}):
        parts = ", ".join(f"{manner} {forged.tried[kind, manner]:,}" for manner in MANNERS)
        lines.append(f"{kind:<8} {parts}; {accepted[kind]} accepted")
    return lines + [f"accepted as {kind}: {text!r}" for kind, text in forged.accepted[:_TOLD_AT_MOST]]


def main() -> int:
    options = _options()
    began = perf_counter()
    forged = forge(options.count, options.seed)
    seconds = perf_counter() - began
    sums = f"{forged.tried.total():,} tried, no two alike; {len(forged.accepted)} accepted; {seconds:.0f} s"
    sys.stdout.write("\n".join([*report(forged), sums]) + "\n")
    return 1 if forged.accepted else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.forge", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
