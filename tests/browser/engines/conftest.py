"""Firefox and WebKit for the walks of this folder: each starts once for each of its modes."""

import functools
import inspect
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest

from tests.support.browser_services import ROOT
from tests.support.engines import chromium, firefox, webkit
from tests.support.engines.chromium import running_chromium
from tests.support.engines.driven_browser import BrowserError, DrivenBrowser
from tests.support.engines.firefox import running_firefox
from tests.support.engines.webkit import running_webkit

STARTS: dict[str, Callable[..., AbstractAsyncContextManager[DrivenBrowser]]] = {
    "firefox": running_firefox,
    "webkit": running_webkit,
    "chromium": running_chromium,
}
COMMANDS = {"firefox": "firefox-esr", "webkit": "WebKitWebDriver", "chromium": os.environ.get("CHROMIUM") or "chromium"}
MODES = {"firefox": tuple(firefox.PRIVACY), "webkit": tuple(webkit.PRIVACY), "chromium": tuple(chromium.PRIVACY)}
# `make engines`: each walk as often as this says, in every mode, in Chromium too, and with a picture of its end. The
# other tests drive Chromium already, so that it is walked through here only where the engines are compared.
RUNS = int(os.environ.get("MAGICLINK_ENGINE_RUNS", "0"))
DRIVEN = os.environ.get("MAGICLINK_ENGINES", "firefox webkit chromium" if RUNS else "firefox webkit").split()
# What a browser says of its own doing, whatever the page is.
_ITS_OWN = (
    "terminated by timeout",
    "Partitioned cookie or storage access",
    "Request to access cookie or storage",
    "has been rejected as third-party",
    "Layout was forced",
    "status of 409 (Conflict)",  # the answer that makes the page ask "open in another window"
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each walk in each engine; those that `every_mode` marks in each privacy mode."""
    mark = metafunc.definition.get_closest_marker("every_mode")
    every = mark is not None and (RUNS > 0 or not mark.kwargs.get("only_soak"))
    modes = [(engine, mode) for engine in DRIVEN for mode in (MODES[engine] if every else ("default",))]
    metafunc.parametrize(("engine", "privacy"), modes, scope="session", ids=[", ".join(mode) for mode in modes])
    metafunc.fixturenames.append("run")
    metafunc.parametrize("run", range(max(1, RUNS)))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """A walk is walked once more where a process of the browser crashed meanwhile.

    On a busy machine Firefox 153 ends the process of a page or of a frame about once in 500 pages ("Content child abort
    due to IPC error"), whatever the page is. What our pages cause is there the second time too.
    """
    walk = pyfuncitem.obj

    @functools.wraps(walk)
    async def walked(browser: DrivenBrowser, **others: object) -> None:
        before = await browser.crashes()
        try:
            await walk(browser=browser, **others)
        except Exception:
            if await browser.crashes() == before:
                raise
            await walk(browser=browser, **others)

    if inspect.iscoroutinefunction(walk) and "browser" in pyfuncitem.fixturenames:
        pyfuncitem.obj = walked


@pytest.fixture(scope="session")
def dark() -> bool:
    """The system's colour scheme."""
    return False


@pytest.fixture(scope="session")
async def started(engine: str, privacy: str, *, dark: bool) -> AsyncIterator[DrivenBrowser]:
    path = shutil.which(COMMANDS[engine])
    if path is None:
        pytest.fail(f"no {COMMANDS[engine]} here; `make test` installs it")
    async with STARTS[engine](path, privacy, dark=dark) as browser:
        yield browser


@pytest.fixture
async def browser(started: DrivenBrowser, request: pytest.FixtureRequest) -> AsyncIterator[DrivenBrowser]:
    """The browser, with the tab that the walks before have used; a complaint in its console fails the walk."""
    await started.console()
    yield started
    if RUNS and request.node.callspec.params["run"] == 0:  # WebKit takes ten seconds for one
        with suppress(BrowserError):  # WebKit paints no page that comes from its back-forward cache
            await started.picture(pictures() / f"{request.node.originalname}-{request.node.callspec.id}.png")
    complaints = [text for text in await started.console() if not any(own in text for own in _ITS_OWN)]
    assert complaints == []


def pictures() -> Path:
    """Where the pictures are kept."""
    folder = ROOT / "artefacts" / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
