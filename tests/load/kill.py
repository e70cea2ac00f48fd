"""`make kill`: workers killed at random moments under load and started again; afterwards nothing is lost or doubled.

Users end in every way: connected at once, after a check, or not at all. A host's receiver gets each event, refuses some
at their first attempt, and must have got all of them in the order of each session.

The sandbox and the workers are processes of their own on real ports. Their time goes faster than ours (`--speed`), so
that a lease ends within seconds; with `--speed 1` the workers are `magiclink serve` itself, and the settling at the end
takes the minutes that it takes in earnest.
"""

import argparse
import asyncio
import random
import sys
from dataclasses import dataclass
from time import perf_counter

from tests.load.audit import Findings, audit
from tests.load.delivery_audit import delivery_faults
from tests.load.load_users import OUTCOMES, LoadUsers
from tests.load.local_receiver import FailingSometimes, LocalReceiver
from tests.load.processes import LoadServices, database, running_services

_PAUSE_SECONDS = (0.1, 1.5)
_FAILING_SHARE = 0.1  # of the events, at their first attempt


@dataclass(frozen=True)
class Plan:
    """One run."""

    rounds: int
    database: str
    workers: int
    people: int = 6
    speed: float = 30.0
    seed: int = 1


def run(plan: Plan) -> Findings:
    """All rounds and the audit. Raises AssertionError where a process does not come back."""
    failing = FailingSometimes(random.Random(plan.seed), _FAILING_SHARE)  # noqa: S311 - no secret
    with (
        database(plan.database) as url,
        LocalReceiver(failing) as receiver,
        running_services(url, plan.workers, plan.speed) as services,
    ):
        return asyncio.run(_run(plan, services, receiver))


async def _run(plan: Plan, services: LoadServices, receiver: LocalReceiver) -> Findings:
    rng = random.Random(plan.seed)  # noqa: S311 - no secret
    await services.start()
    await services.add_endpoint(receiver.url)
    load_users = LoadUsers([worker.url for worker in services.workers], services.sandbox.url, rng, outcomes=OUTCOMES)
    pressing = asyncio.create_task(load_users.press(plan.people))
    await _kill(plan, services, rng, pressing)
    await load_users.all_kinds()
    load_users.stopping = True
    await pressing
    provided, rows = await services.settled()
    findings = audit(provided, rows, load_users.planned_sessions)
    posts = list(receiver.posts)
    findings.faults += delivery_faults(posts, rows, (await services.stored()).events)
    findings.delivered, findings.repeated = _sums(receiver)
    return findings


def _sums(receiver: LocalReceiver) -> tuple[int, int]:
    """How many events were taken, and how many POSTs came again for an event that was taken before."""
    taken = [post.event_id for post in receiver.posts if post.is_taken]
    return len(set(taken)), len(taken) - len(set(taken))


async def _kill(plan: Plan, services: LoadServices, rng: random.Random, pressing: asyncio.Task[None]) -> None:
    for _ in range(plan.rounds):
        await asyncio.sleep(rng.uniform(*_PAUSE_SECONDS))
        if pressing.done():
            pressing.result()  # no user stops early: an error of theirs is the finding
        services.require_alive()
        victim = rng.choice(services.workers)
        victim.kill()
        victim.start()
        if plan.workers == 1 or rng.random() < 0.5:  # otherwise another one may follow while it is still starting
            await victim.ready()
    for process in services.processes:
        await process.ready()


def main() -> int:
    options = _options()
    plan = Plan(options.rounds, options.database, options.workers, options.people, options.speed, options.seed)
    began = perf_counter()
    findings = run(plan)
    reported = [
        f"{plan.rounds} rounds on {plan.database} with {plan.workers} workers: {findings}",
        *findings.faults,
        f"{perf_counter() - began:.0f} s, {len(findings.faults)} faults",
    ]
    sys.stdout.write("\n".join(reported) + "\n")
    return 1 if findings.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
