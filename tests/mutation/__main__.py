"""`make mutants`: the modules that decide, changed in every small way, must fail their own unit tests each time."""

import argparse
import os
import sys
from time import perf_counter

from tests.mutation.explained import faults, read_explanations
from tests.mutation.trials import Tests, Trial

# What is pure, and what it costs to be wrong in: each module, and the files of tests/unit that answer for it.
MODULES = {
    "state": ("test_state*",),
    "inbound": ("test_inbound*",),
    "attribution": ("test_attribution*", "test_history*", "test_recording*"),
    "history": ("test_history*", "test_recording*"),
    "recording": ("test_recording*",),
}


def main() -> int:
    options = _options()
    explained = read_explanations()
    count = 0
    for module in options.only or MODULES:
        known = {one for one in explained if one.module == module and options.function in {None, one.function}}
        trial = _timed(module, options, len(known))
        found = faults(trial.survivors, known)
        say("".join(f"\n{fault}\n" for fault in found))
        count += len(found)
    say(f"{count} faults")
    return 1 if count else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _timed(module: str, options: argparse.Namespace, known: int) -> Trial:
    began = perf_counter()
    trial = Tests(module, MODULES[module]).try_mutants(module, options.function, options.processes)
    alive = len(trial.survivors)
    say(
        f"service/{module}.py: {trial.tried} mutants, {trial.tried - alive} killed, {alive} survive "
        f"({known} explained), {perf_counter() - began:.0f} s"
    )
    return trial


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MODULES, metavar="MODULE", help=f"of {', '.join(MODULES)}")
    parser.add_argument("--function", metavar="NAME", help="the mutants of one function or Class.method alone")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    return parser.parse_args()


if __name__ == "__main__":
    os.environ["CI"] = "1"  # hypothesis then tries the same examples each time
    sys.exit(main())
