"""The guide's components in Lit, Vue, Svelte and Next.js, built from a lock file and walked through in Chromium.

`make frameworks` runs it. Each host app is the guide's code, with the service's address in the place of the guide's.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api, BrowserServices, running_services
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.documents import examples
from tests.support.ports import free_port

SOURCES = Path(__file__).parents[1] / "node" / "frameworks"
PROGRAMS = SOURCES / "node_modules" / ".bin"
COMPONENTS = {
    "Lit": "lit/connect-utility.js",
    "Vue": "vue/ConnectUtility.vue",
    "Svelte": "svelte/ConnectUtility.svelte",
    "Next.js": "next/app/connect-utility.jsx",
}
VITE = ("--config", SOURCES / "vite.config.js")
OURS = "https://link.example.com"
LINES_MOST = 12
START_SECONDS, BUILD_SECONDS = 60.0, 400.0
WHITE = "rgb(255, 255, 255)"


@dataclass(frozen=True)
class Framework:
    """A framework's name in the guide, and the ports of its host app as it is built and as it is developed."""

    name: str
    port: int
    dev_port: int
    folder: Path

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dev_origin(self) -> str:
        return f"http://127.0.0.1:{self.dev_port}"

    @property
    def is_rendered_by_the_server(self) -> bool:
        return self.name == "Next.js"


@pytest.fixture(scope="module", params=COMPONENTS)
def framework(request: pytest.FixtureRequest) -> Framework:
    name: str = request.param
    return Framework(name, free_port(), free_port(), SOURCES / "built" / COMPONENTS[name].partition("/")[0])


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, framework: Framework) -> Iterator[BrowserServices]:
    """A service that the host app's origin may frame."""
    folder = tmp_path_factory.mktemp("frameworks") / "data"
    with running_services(
        folder, ("--data-delay", "0.5", "--allow-origin", framework.origin, "--allow-origin", framework.dev_origin)
    ) as services:
        yield services


def _lay_out(framework: Framework, service: str) -> None:
    """Put the host app together: its own files, the guide's component, and the service's address."""
    (component,) = examples("integrate.md", framework.name)
    assert len(component.strip().splitlines()) <= LINES_MOST
    shutil.rmtree(framework.folder, ignore_errors=True)
    shutil.copytree(SOURCES / framework.folder.name, framework.folder)
    (SOURCES / "built" / COMPONENTS[framework.name]).write_text(component.replace(OURS, service))
    if not framework.is_rendered_by_the_server:
        (framework.folder / "index.html").write_text((SOURCES / "index.html").read_text().replace(OURS, service))


async def _run(*command: str | Path, cwd: Path) -> None:
    environ = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(BUILD_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-4_000:]


@asynccontextmanager
async def _serving(*command: str | Path, cwd: Path, url: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
            while not await _answers(http, url):
                assert process.returncode is None, f"{command} ended"
                await asyncio.sleep(0.1)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
async def built(framework: Framework, services: BrowserServices) -> AsyncIterator[Framework]:
    """The host app, built as its framework builds it for production, and served."""
    assert PROGRAMS.is_dir(), "run `scripts/node-packages frameworks` first"
    _lay_out(framework, services.service)
    port = str(framework.port)
    if framework.is_rendered_by_the_server:
        await _run(PROGRAMS / "next", "build", cwd=framework.folder)
        serve: tuple[str | Path, ...] = (PROGRAMS / "next", "start", "--hostname", "127.0.0.1", "--port", port)
    else:
        await _run(PROGRAMS / "vite", "build", framework.folder, *VITE, cwd=SOURCES)
        serve = (
            PROGRAMS / "vite",
            "preview",
            framework.folder,
            *VITE,
            "--host",
            "127.0.0.1",
            "--strictPort",
            "--port",
            port,
        )
    cwd = framework.folder if framework.is_rendered_by_the_server else SOURCES
    async with _serving(*serve, cwd=cwd, url=framework.origin):
        yield framework


async def _at_the_host(user: BrowserUser, framework: Framework, query: str = "") -> None:
    await user.page.goto(f"{framework.origin}/{query}")
    await user.page.wait_for_function("Boolean(window.mount)")


async def test_the_guides_component_is_mounted_unmounted_and_mounted_again(
    new_user: NewUser, api: Api, built: Framework
) -> None:
    ada = await new_user()
    session = await api.create("ada", built.folder.name, origin=built.origin)
    await _at_the_host(ada, built)
    for _ in range(2):
        await ada.page.evaluate("(url) => mount(url)", session["embedUrl"])
        await ada.embedded.opens()
        await expect(ada.page.locator("iframe")).to_have_count(1)
        await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", WHITE)
        await ada.page.evaluate("unmount()")
        await expect(ada.page.locator("iframe")).to_have_count(0)
    await ada.page.evaluate("(url) => mount(url)", session["embedUrl"])
    await ada.embedded.opens()
    await ada.embedded.provider.connect()
    await ada.embedded.shows("Your account is connected.")
    assert await ada.page.evaluate("window.done") == ["connected"]
    assert (await api.only_connection(session["id"]))["evidence"]["crossDevice"] is False


async def test_a_dialog_opens_and_closes(new_user: NewUser, api: Api, built: Framework) -> None:
    ada = await new_user()
    first, second = [await api.create("ada", f"{built.folder.name}-{n}", origin=built.origin) for n in range(2)]
    await _at_the_host(ada, built)
    await ada.page.evaluate("(url) => mount(url)", first["embedUrl"])
    await ada.embedded.opens()
    await ada.page.evaluate("unmount()")
    await ada.page.evaluate("(url) => { window.flow = MagicLink.open({ url }); }", second["embedUrl"])
    await ada.embedded.opens()
    await expect(ada.page.get_by_role("dialog")).to_be_visible()
    await ada.page.evaluate("flow.close()")
    await expect(ada.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("framework", ["Next.js"], indirect=True, scope="module")
async def test_what_the_server_renders_is_hydrated_without_a_warning(
    new_user: NewUser, api: Api, built: Framework
) -> None:
    """Only the development server warns of an attribute that differs; it renders in StrictMode."""
    session = await api.create("ada", "hydrated", origin=built.dev_origin)
    query = f"?url={session['embedUrl']}"
    dev = (PROGRAMS / "next", "dev", "--hostname", "127.0.0.1", "--port", str(built.dev_port))
    ada = await new_user()  # a warning in its console fails the test
    async with _serving(*dev, cwd=built.folder, url=f"{built.dev_origin}/{query}"):
        async with httpx.AsyncClient(trust_env=False) as http:
            html = (await http.get(f"{built.dev_origin}/{query}")).text
        assert f'<magic-link url="{session["embedUrl"]}"' in html
        await ada.page.goto(f"{built.dev_origin}/{query}")
        await ada.embedded.opens()
        await expect(ada.page.locator("iframe")).to_have_count(1)
        await ada.page.goto("about:blank")
