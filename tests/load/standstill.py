"""`make kill`, second part: how long a company's poll or a session's link stands still after its worker is gone.

Users keep pages waiting while workers are killed, stopped or frozen, in real time and with a slow provider, so that
most jobs are under way at that moment. A job goes on when another lease runs it, or when it is done. A company or site
whose creation was interrupted is reported apart: it waits until the provider's lists have had time to show it.
"""

import argparse
import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from time import time  # noqa: TID251 - real processes live in real time

import httpx

from service.domain.timing import ANSWER_SECONDS, LEASE_SECONDS, LOST_SECONDS
from tests.load.load_users import LoadUsers
from tests.load.processes import LoadServices, ServerProcess, database, running_services
from tests.load.watcher import Watcher

_PAUSE_SECONDS = (1.0, 4.0)
_FROZEN_SECONDS = 1.5 * LEASE_SECONDS
_SLOW_SECONDS = 0.7
_ROUGHLY_SECONDS = 1.0  # a busy machine, and how often the watcher looks
_BESIDE_SECONDS = 0.3
_MORE_ROUNDS = 10


@dataclass(frozen=True)
class Plan:
    """One run."""

    rounds: int
    database: str
    workers: int
    people: int = 6
    seed: int = 1
    limit_seconds: float = 10.0


@dataclass
class Standstills:
    """Seconds, by how the worker went; `faults` is empty where every job went on in time."""

    jobs: dict[str, list[float]] = field(default_factory=dict)
    creations: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            *(f"jobs of a worker that was {how}: {_figures(seconds)}" for how, seconds in sorted(self.jobs.items())),
            f"interrupted creations of a company or site: {_figures(self.creations)}",
            *self.faults,
        ]


def run(plan: Plan) -> Standstills:
    """All rounds. Raises AssertionError where a process does not come back."""
    with database(plan.database) as url, running_services(url, plan.workers, 1.0) as services:
        return asyncio.run(_run(plan, services))


async def _run(plan: Plan, services: LoadServices) -> Standstills:
    rng = random.Random(plan.seed)  # noqa: S311 - no secret
    await services.start()
    _slow_down(services.sandbox.url)
    companies = [f"company-{number}" for number in range(plan.rounds)]
    load_users = LoadUsers([worker.url for worker in services.workers], services.sandbox.url, rng, companies)
    pressing = asyncio.create_task(load_users.press(plan.people))
    with Watcher.of(services.url) as watcher:
        watching = asyncio.create_task(watcher.watch())
        await _rounds(plan, services, rng, watcher)
        await watcher.settled(2 * LOST_SECONDS)
        more = 0
        # In a short run the workers that were ended may have held no job at that moment.
        while not _judged(plan, watcher).jobs and more < _MORE_ROUNDS:
            await _rounds(replace(plan, rounds=1), services, rng, watcher)
            await watcher.settled(2 * LOST_SECONDS)
            more += 1
        watching.cancel()
    load_users.stopping = True
    await pressing
    return _judged(plan, watcher)


async def _rounds(plan: Plan, services: LoadServices, rng: random.Random, watcher: Watcher) -> None:
    for _ in range(plan.rounds):
        await asyncio.sleep(rng.uniform(*_PAUSE_SECONDS))
        services.require_alive()
        victim = rng.choice(services.workers)
        hows = ["killed", "stopped"] if plan.workers == 1 else ["killed", "stopped", "frozen"]
        await _end(victim, rng.choice(hows), watcher)


async def _end(victim: ServerProcess, how: str, watcher: Watcher) -> None:
    if how == "killed":
        victim.kill()
        watcher.mark(how)
        victim.start()
    elif how == "stopped":
        watcher.mark(how)
        await asyncio.to_thread(victim.end, signal.SIGTERM, 15.0)
        victim.start()
    else:
        victim.signal(signal.SIGSTOP)
        watcher.mark(how)
        await asyncio.sleep(_FROZEN_SECONDS)
        victim.signal(signal.SIGCONT)
    await victim.ready()


def _slow_down(sandbox: str) -> None:
    body = {"seconds": _SLOW_SECONDS, "times": 1_000_000}
    httpx.put(f"{sandbox}/_control/troubles/slow", json=body, trust_env=False).raise_for_status()


def _judged(plan: Plan, watcher: Watcher) -> Standstills:
    found = Standstills()
    for job in watcher.jobs:
        # Beside the dead worker's jobs there were those of the living: they ended before their leases did.
        living = plan.workers > 1 and job.how != "stopped" and job.gone_at < job.lease_until - _BESIDE_SECONDS
        if living:
            continue
        seconds = job.gone_at - job.marked_at
        found.jobs.setdefault(job.how, []).append(seconds)
        if seconds > plan.limit_seconds + _ROUGHLY_SECONDS:
            found.faults.append(f"{job.kind} {job.ref} stood still for {seconds:.1f} s")
    found.creations = [one for one in watcher.creations() if one > ANSWER_SECONDS]
    return found


def _figures(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    return f"{len(seconds)}, median {median(seconds):.1f} s, longest {max(seconds):.1f} s"


def main() -> int:
    options = _options()
    began = time()
    found = run(Plan(options.rounds, options.database, options.workers, options.people, options.seed))
    title = f"{options.rounds} rounds on {options.database} with {options.workers} workers, {time() - began:.0f} s"
    sys.stdout.write("\n".join([title, *found.lines()]) + "\n")
    return 1 if found.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.standstill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
