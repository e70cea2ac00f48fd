"""What every test may ask for, and the rule that nothing is skipped unseen."""

import asyncio
import functools
import inspect
import logging
import os
import shutil
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.clock import Clock
from tests.support.postgres import Postgres, delete_rows, migrate_database, running_postgres
from tests.support.stacks import report_stacks

# A busy machine is not a failure. In CI the examples stay the same; a developer's run tries others each time.
settings.register_profile("magiclink", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("magiclink")


# Sooner than pytest-timeout, which ends the worker process: a test that waits in vain fails, and says where it waited.
_LONGEST_SECONDS = 140


pytest_configure = report_stacks


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `soak` repeats what another test shows, and runs where that name is asked for: in `make soak`."""
    if "soak" in str(config.getoption("markexpr")):
        return
    left = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return

    @functools.wraps(test)
    async def bounded(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(_LONGEST_SECONDS):
            await test(*args, **kwargs)

    pyfuncitem.obj = bounded


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def reports_as_before() -> Iterator[None]:
    """Commands settle what the process writes and where; the next test's process is this one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = threading.excepthook, sys.unraisablehook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    threading.excepthook, sys.unraisablehook = hooks


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for each worker process, started by the first test that asks."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of this test's own: new, without any table, and dropped afterwards."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def shared_postgres_url(postgres: Postgres) -> Iterator[str]:
    """One migrated database for each worker process, since making one takes longer than most tests."""
    with postgres.migrated_database() as url:
        yield url


@pytest.fixture
def migrated_postgres_url(shared_postgres_url: str) -> str:
    """Our tables without a row."""
    delete_rows(shared_postgres_url)
    return shared_postgres_url


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied: our tables without a row, for tests that start from them."""
    path = tmp_path_factory.mktemp("migrated") / "magiclink.db"
    asyncio.run(migrate_database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def chromium_path() -> str:
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("no Chromium here; `make test` installs one, and CHROMIUM names another")
    return found


@pytest.fixture(scope="session")
def headless_shell_path(request: pytest.FixtureRequest) -> str:
    """Chromium without windows where the machine has it, otherwise Chromium, which is only slower."""
    return shutil.which("chromium-headless-shell") or str(request.getfixturevalue("chromium_path"))


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A skipped test proves nothing, so it fails, unless a developer says otherwise for the moment."""
    if report.skipped and not hasattr(report, "wasxfail") and "MAGICLINK_TESTS_MAY_SKIP" not in os.environ:
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
