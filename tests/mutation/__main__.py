"""`make mutants`: the modules that decide, changed in every small way, must fail their own tests each time."""

import argparse
import os
import sys
from collections.abc import Set as AbstractSet
from time import perf_counter

from tests.mutation.changes import Mutant
from tests.mutation.explained import faults, read_explanations
from tests.mutation.trials import Tests, Trial

# Pure, and costly to be wrong in: each module below service/, and the files of tests/ that answer for it.
MODULES = {
    "signing": ("test_signing*",),
    "provider/webhooks": ("provider/test_webhooks*",),
    "domain/attribution": ("domain/test_attribution*", "domain/test_evidence*", "domain/test_recording*"),
    "domain/evidence": ("domain/test_evidence*", "domain/test_recording*"),
    "domain/recording": (
        "domain/test_recording*",
        "domain/test_reconnects*",
        "domain/test_attached*",
        "domain/test_dead_links*",
    ),
    "domain/reconnects": ("domain/test_reconnects*", "domain/test_recording*"),
    "domain/owner_changes": ("domain/test_owner_changes*", "domain/test_recording*"),
    "domain/attached_sessions": ("domain/test_attached*", "domain/test_recording*", "domain/test_reconnects*"),
    "domain/session_status": ("domain/test_session_status*",),
    "domain/dead_links": ("domain/test_dead_links*",),
    "domain/page_starts": ("domain/test_page_starts*", "domain/test_session_rules*"),
    "domain/attention": ("domain/test_attention*", "domain/test_recording*", "domain/test_reconnects*"),
    "domain/reminders": ("domain/test_reminders*",),
    "domain/handoffs": ("domain/test_handoffs*",),
    # Every sentence has its translations: one that is changed has none.
    "domain/status_words": ("domain/test_status_words*", "web/test_languages*"),
}


def main() -> int:
    options = _options()
    explained = read_explanations()
    count = 0
    for module in options.only or MODULES:
        trial = _timed(module, options, explained.keys())
        known = trial.tried & explained.keys()
        found = faults(trial.survivors, known)
        say("".join(f"\n{fault}\n" for fault in found))
        count += len(found)
    say(f"{count} faults")
    return 1 if count else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _timed(module: str, options: argparse.Namespace, explained: AbstractSet[Mutant]) -> Trial:
    began = perf_counter()
    trial = Tests(module, MODULES[module]).try_mutants(options.function, options.processes)
    tried, alive = len(trial.tried), len(trial.survivors)
    say(
        f"service/{module}.py: {tried} mutants, {tried - alive} killed, {alive} survive "
        f"({len(trial.survivors & explained)} explained), {perf_counter() - began:.0f} s"
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
