"""`python -m tests.simulation`: as many histories as wanted, or one of them alone."""

import argparse
import os
import sys
from contextlib import closing
from time import perf_counter

from tests.simulation.history import EPISODES, Outcome, Runner
from tests.simulation.plan import SCENARIOS
from tests.simulation.runs import DATABASES, Sums, every_moment, run, run_scenario, runner_at, servers

_SHOWN_AT_MOST = 3


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    options = _options()
    if options.only is not None:
        return _alone(options)
    began = perf_counter()
    total = Sums()
    seeds = range(options.seed, options.seed + options.histories)
    for sums in run(options.database, seeds, options.processes, of_episodes=options.episodes):
        for outcome in sums.failed[: max(0, _SHOWN_AT_MOST - len(total.failed))]:
            say(run_scenario(outcome, options.database))
        total.join(sums)
    seconds = perf_counter() - began
    say(f"\n{total}\n{seconds:.0f} s, {total.histories / seconds:.0f} histories a second")
    for outcome in total.failed:
        say(f"  {outcome.name}: {outcome.faults[0][:160]}")
    return 1 if total.failed else 0


def _alone(options: argparse.Namespace) -> int:
    with servers(options.database, 1) as places, closing(runner_at(places[0])) as runner:
        if options.only in SCENARIOS and options.crash_at is None:
            sums = every_moment(runner, options.only)
            say(
                "\n\n".join([*(run_scenario(one, options.database) for one in sums.failed[:_SHOWN_AT_MOST]), str(sums)])
            )
            return 1 if sums.failed else 0
        outcome = _replayed(runner, options)
    say(run_scenario(outcome, options.database))
    return 1 if outcome.faults else 0


def _replayed(runner: Runner, options: argparse.Namespace) -> Outcome:
    if options.only in SCENARIOS:
        return runner.run_scenario(options.only, options.crash_at)
    kind, _, seed = options.only.rpartition("-")
    return runner.run_episodes(int(seed)) if kind == EPISODES else runner.run(int(seed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="the first of them; each history has the next")
    parser.add_argument("--database", choices=DATABASES, default="memory", help="memory is SQLite without its threads")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", metavar="SEED", help=f"replay one history, or one of {', '.join(SCENARIOS)}")
    parser.add_argument("--episodes", action="store_true", help="one connection over weeks in each, and its reminders")
    parser.add_argument("--crash-at", type=int, metavar="MOMENT", help="of a story: end a process there alone")
    return parser.parse_args()


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of strings must be the same when a seed is replayed.
        os.execve(  # noqa: S606 - ourselves
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
