"""The service as a process that also writes what happens inside of it, for load tests that must know.

`python -m tests.load.observed FILE [--statements] --port P` is `magiclink serve --port P`. At SIGUSR1 it writes
to FILE the pauses for the garbage collector, its tasks and, with `--statements`, the statements that SQLite ran so far.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep, thread_time
from typing import Any

from service.app import Environment
from service.commands.serve import serve
from service.domain.model import Clock
from service.store import engine_for
from service.store.engine import Engine
from service.store.sqlite import SqliteEngine

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

    def open_engine(self, url: str, clock: Clock) -> Engine:
        """An engine whose statements are counted, where it is SQLite's."""
        if not url.startswith("sqlite:///"):
            return engine_for(url, clock)
        return _TracedSqlite(url.removeprefix("sqlite:///"), clock, self._on_statement)

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


class _TracedSqlite(SqliteEngine):
    def __init__(self, path: str, clock: Clock, on_statement: Callable[[str], None]) -> None:
        self._on_statement = on_statement
        super().__init__(path, clock)

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.set_trace_callback(self._on_statement)
        return connection


def main() -> None:
    """Read the options, observe, and serve until a signal."""
    options = argparse.ArgumentParser(prog="python -m tests.load.observed", description=__doc__)
    options.add_argument("file", type=Path)
    options.add_argument("--statements", action="store_true")
    options.add_argument("--port", type=int, required=True)
    given = options.parse_args()
    observed = Observed(given.file)
    gc.callbacks.append(observed.on_collection)
    signal.signal(signal.SIGUSR1, observed.write)
    environment = Environment(engine=observed.open_engine) if given.statements else None
    serve(os.environ, None, given.port, sys.stdout.write, environment)


if __name__ == "__main__":
    main()
