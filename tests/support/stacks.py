"""Where the threads of a worker process stood when it hung or crashed, printed with the test that it was running.

pytest-timeout ends the process of a test that hangs, and what it prints is lost under pytest-xdist; a crash is printed
between the dots of other tests. Here both are in the failure.
"""

import faulthandler
import re
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

# After the limit of an async test (tests/conftest.py), before pytest-timeout's.
_HANGS_AFTER_SECONDS = 150
# The lower half of each stack, which is always the same.
_RUNNER = re.compile(r"site-packages/(pluggy|_pytest|xdist|execnet)/")


class WorkerStacks:
    """In a worker process: its stacks go to a file, at a crash and while a test hangs."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._path = _path(about)
        self._file: IO[bytes] = self._path.open("wb")
        faulthandler.enable(self._file)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        faulthandler.dump_traceback_later(_HANGS_AFTER_SECONDS, file=self._file)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_unconfigure(self) -> None:
        faulthandler.disable()
        self._file.close()
        self._path.unlink()


class CrashReports:
    """In the process that hands out the tests: what a worker process left is added to the report of its crash."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        path = _path(report.node.workerinput)
        with suppress(FileNotFoundError):
            lines = path.read_text(errors="replace").splitlines()
            report.longrepr = "\n".join([report.longrepr, *(line for line in lines if not _RUNNER.search(line))])
            path.unlink()


@pytest.hookimpl(trylast=True)  # after pytest's own, which would have the stacks printed between the dots
def report_stacks(config: pytest.Config) -> None:
    """As `pytest_configure`: have a worker write its stacks, and the process that hands out the tests read them."""
    about = getattr(config, "workerinput", None)
    config.pluginmanager.register(CrashReports() if about is None else WorkerStacks(about))


def _path(about: dict[str, Any]) -> Path:
    return Path(tempfile.gettempdir(), f"stacks-{about['testrunuid']}-{about['workerid']}")
