"""The service as a process that also writes what happens inside of it, for load tests that must know.

`python -m tests.load.observed FILE [--statements] serve --port P` is `magiclink serve --port P`. At SIGUSR1 it writes
to FILE the pauses for the garbage collector, its tasks and, with `--statements`, the statements that SQLite ran so far.
"""

import asyncio
import gc
import json
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep, thread_time
from typing import Any

from service.commands.main import main as magiclink

_ANSWER_SECONDS = 20.0


@dataclass
class Observed:
    """What is known so far; `write` is a signal's handler."""

    file: Path
    pauses: list[tuple[float, float]] = field(default_factory=list)  # seconds, and those of the processor
    statements: Counter[str] = field(default_factory=Counter)
    _began: tuple[float, float] = (0.0, 0.0)

    def on_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter(), thread_time()
        else:
            self.pauses.append((perf_counter() - self._began[0], thread_time() - self._began[1]))

    def on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect/handle" and isinstance(arguments[0], sqlite3.Connection):
            arguments[0].set_trace_callback(self._on_statement)

    def _on_statement(self, sql: str) -> None:
        self.statements[sql.lstrip("-* \n").split(None, 1)[0].upper()] += 1

    def write(self, *_signal: object) -> None:
        """A reader that finds the file finds all of it."""
        told = {
            "pauses": self.pauses,
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "statements": dict(self.statements),
        }
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(told))
        part.replace(self.file)


def ask(pid: int, file: Path) -> dict[str, Any]:
    """What the process with this FILE knows of itself. Raises AssertionError where it does not answer."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    ends_at = perf_counter() + _ANSWER_SECONDS
    while not file.exists():
        assert perf_counter() < ends_at, "the process does not answer"
        sleep(0.05)
    told: dict[str, Any] = json.loads(file.read_text())
    return told


def run(arguments: Sequence[str]) -> None:
    """Observe, and run the command."""
    observed = Observed(Path(arguments[0]))
    gc.callbacks.append(observed.on_collection)
    rest = list(arguments[1:])
    if rest[0] == "--statements":
        rest.pop(0)
        sys.addaudithook(observed.on_audit)
    signal.signal(signal.SIGUSR1, observed.write)
    magiclink(rest)


if __name__ == "__main__":
    run(sys.argv[1:])
