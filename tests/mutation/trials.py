"""Runs a module's own tests against each of its mutants, each in a process of its own.

A process is forked, forgets what it had imported of ours, is given the mutant instead of the module, and imports the
tests again: what these compute while they are imported comes from the mutant too. The tree is never written to.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from time import perf_counter
from types import CodeType

import pytest

from tests.mutation.changes import Mutant, mutants

ROOT = Path(__file__).parents[2]
# pytest's own exit codes. The last two: the tests, or their conftest.py, could not even be imported.
_PASSED, _FAILED, _BROKEN, _BROKEN_CONFTEST = 0, 1, 2, 4
_QUIETLY = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")


class CannotTry(Exception):
    """The tests do not pass, or do not run, before anything was changed."""


@dataclass(frozen=True)
class Trial:
    """What came of all mutants of one module."""

    tried: frozenset[Mutant]
    survivors: frozenset[Mutant]


class _Instead(importlib.abc.MetaPathFinder):
    """Finds one module, with another source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Changed(fullname, str(self._path), self._source)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Changed(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, _fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


class Tests:
    """The files of `tests/` that answer for `service/{module}.py`."""

    __test__ = False

    def __init__(self, module: str, patterns: Sequence[str]) -> None:
        self._name = f"service.{module.replace('/', '.')}"
        self._path = ROOT / "service" / f"{module}.py"
        found = {path for each in patterns for path in ROOT.glob(f"tests/{each}.py")}
        self._files = [str(path) for path in sorted(found, key=_slow_last)]
        self._limit_seconds = 300

    def try_mutants(self, function: str | None, processes: int) -> Trial:
        """Every mutant, or those of one function. Raises CannotTry."""
        source = self._path.read_text()
        self._calibrate()
        made = mutants(source)
        wanted = {mutant: text for mutant, text in made.items() if function in {None, mutant.function}}
        alive = {mutant for mutant, code in self._outcomes(wanted, processes) if code == _PASSED}
        return Trial(frozenset(wanted), frozenset(alive))

    def _calibrate(self) -> None:
        began = perf_counter()
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            code = pytest.main([*_QUIETLY, *self._files])  # here, so that what others wrote is imported only once
        if code != _PASSED:
            raise CannotTry(f"the tests of {self._name} end with {code} although nothing was changed")
        self._limit_seconds = 10 + round(10 * (perf_counter() - began))

    def _outcomes(self, sources: Mapping[Mutant, str], processes: int) -> Iterator[tuple[Mutant, int]]:
        running: dict[int, Mutant] = {}
        for mutant, source in sources.items():
            if len(running) >= processes:
                yield _ended(running)
            running[self._start(source)] = mutant
        while running:
            yield _ended(running)

    def _start(self, source: str) -> int:
        process = os.fork()
        if process == 0:
            os._exit(self._judge(source))
        return process

    def _judge(self, source: str) -> int:
        signal.alarm(self._limit_seconds)  # nobody handles it: a mutant that never ends is ended, and so killed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        for name in [each for each in sys.modules if each.partition(".")[0] in {"service", "tests"}]:
            del sys.modules[name]
        sys.meta_path.insert(0, _Instead(self._name, self._path, source))
        try:
            return int(pytest.main([*_QUIETLY, *self._files]))
        except BaseException:  # noqa: BLE001 - whatever it was, this process must end here
            return _BROKEN


def _slow_last(path: Path) -> tuple[bool, str]:
    """Most mutants are noticed by the plain examples, long before any is drawn at random."""
    return "hypothesis" in path.read_text(), path.name


def _ended(running: dict[int, Mutant]) -> tuple[Mutant, int]:
    process, status = os.wait()
    mutant, code = running.pop(process), os.waitstatus_to_exitcode(status)
    if code not in {_PASSED, _FAILED, _BROKEN, _BROKEN_CONFTEST, -signal.SIGALRM}:
        raise CannotTry(f"the tests end with {code} for {mutant}")
    return mutant, code
