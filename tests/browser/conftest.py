"""One `magiclink dev` and one browser for all; each user has a browser context, and a console error fails the test."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Playwright, async_playwright, expect

from tests.support.browser_services import ROOT, Api, BrowserServices, running_services
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.chromium import ARGUMENTS, whole_arguments
from tests.support.screenshots import Screenshots

SECONDS = 1_000
expect.set_options(timeout=20 * SECONDS)  # a busy machine is not a failure


_NO_FAULTS = (
    "Failed to load resource",  # said by the browser of a refusal's status, which many tests ask for
    "MagicLink: the page is slow to load",  # a busy machine, as above; test_load_failures has its limits
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class _OtherHost(BaseHTTPRequestHandler):
    """A host of two lines: frames what its address asks for; at `/element` by our script, at `/content` as it says.

    After `/content/` come further headers of the answer, as quoted JSON.
    """

    def do_GET(self) -> None:
        path, _, framed = self.path.partition("?")
        content = f"<iframe title='Connect a utility account' width=900 height=700 src='{framed}'></iframe>"
        if path == "/element":
            script = f"{framed.partition('/embed/')[0]}/embed.js"
            content = f"<script src='{script}'></script><magic-link url='{framed}'></magic-link>"
        if path.startswith("/content"):
            content = unquote(framed)
        headers = json.loads(unquote(path.removeprefix("/content/"))) if path.startswith("/content/") else {}
        body = f"<!doctype html><title>Host</title>{content}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


def _other_host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _OtherHost) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def other_host() -> Iterator[str]:
    """A third host's origin, which the service allows."""
    yield from _other_host()


@pytest.fixture(scope="session")
def outer_host() -> Iterator[str]:
    """A page that stands around a host's, on an origin that the service allows."""
    yield from _other_host()


@pytest.fixture(scope="session")
def stranger() -> Iterator[str]:
    """The same host on an origin that nobody allowed."""
    yield from _other_host()


@pytest.fixture(scope="session")
def services_without_bills(
    tmp_path_factory: pytest.TempPathFactory, other_host: str, outer_host: str
) -> Iterator[BrowserServices]:
    """Bills cost more than all the rest of most tests, since some two hundred webhooks tell of each account's."""
    options = ("--data-delay", "86400", "--allow-origin", other_host, "--allow-origin", outer_host)
    with running_services(tmp_path_factory.mktemp("services") / "data", options) as services:
        yield services


@pytest.fixture(scope="session")
def services_with_bills(tmp_path_factory: pytest.TempPathFactory, other_host: str) -> Iterator[BrowserServices]:
    folder = tmp_path_factory.mktemp("services_with_bills") / "data"
    with running_services(folder, ("--data-delay", "0.5", "--allow-origin", other_host)) as services:
        yield services


@pytest.fixture(scope="module")
def services(request: pytest.FixtureRequest) -> BrowserServices:
    """The `magiclink dev` of all tests; for files that are marked `with_bills` another, where bills come at once."""
    with_bills = request.node.get_closest_marker("with_bills") is not None
    found: BrowserServices = request.getfixturevalue("services_with_bills" if with_bills else "services_without_bills")
    return found


@pytest.fixture(scope="session")
def returning_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserServices]:
    """Another `magiclink dev`, whose provider sends users back, which its documentation does not promise.

    Nobody has been here before the first picture is taken.
    """
    folder = tmp_path_factory.mktemp("returning_services") / "data"
    environ = {"MAGICLINK_PROVIDER_REDIRECTS": "on", "SANDBOX_REDIRECTS": "1"}
    with running_services(folder, ("--data-delay", "1.5"), **environ) as services:
        yield services


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=15) as client:
        yield client


@pytest.fixture
def api(services: BrowserServices, http: httpx.AsyncClient) -> Api:
    return Api(services, http)


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest.fixture(scope="session")
async def headless_shell(playwright: Playwright, headless_shell_path: str) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=headless_shell_path, args=ARGUMENTS)
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
async def whole_chromium(playwright: Playwright, chromium_path: str) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=chromium_path, args=whole_arguments())
    yield browser
    await browser.close()


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser:
    """Chromium without its windows, which needs half the time for each flow; the whole one where a test is marked so.

    Only the whole one blocks third-party storage, as Debian sets it up.
    """
    whole = request.node.get_closest_marker("whole_chromium") is not None
    found: Browser = request.getfixturevalue("whole_chromium" if whole else "headless_shell")
    return found


@pytest.fixture
def screenshots() -> Screenshots:
    """`make pictures` keeps them; to take one costs as much as to check the page."""
    return Screenshots(ROOT / "artefacts" / "screens" if "MAGICLINK_PICTURES" in os.environ else None)


@pytest.fixture
async def new_user(browser: Browser, services: BrowserServices) -> AsyncIterator[NewUser]:
    """Makes people; what their browsers complained about in the end fails the test."""
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_NO_FAULTS):
            complaints.append(message.text)

    async def make(
        on: BrowserServices = services, *, width: int = 1280, watched: bool = True, **options: Any
    ) -> BrowserUser:
        # Drawing what moves takes a tenth of a flow's processor time. The walks in other engines see it move.
        still = {"reduced_motion": "reduce"} | options
        context = await browser.new_context(viewport={"width": width, "height": 900}, **still)
        contexts.append(context)
        context.set_default_timeout(20 * SECONDS)
        if watched:
            context.on("console", listen)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
        return BrowserUser(await context.new_page(), on)

    yield make
    for context in contexts:
        for page in context.pages:
            # A handler that still works on a request would fail with its page, and in the test that runs next.
            await page.unroute_all(behavior="ignoreErrors")
        await context.close()
    assert complaints == []
