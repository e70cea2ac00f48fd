"""The examples of docs/integrate.md for the redirect's return, each run as a host app against service and sandbox."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from playwright._impl._driver import compute_driver_executable

from tests.support.documents import examples
from tests.support.host_frameworks import FRAMEWORKS
from tests.support.services import API_KEY, RunningServices
from tests.support.users import WRONG, User

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "node"
START_SECONDS = 30
REFUSED = (400, "We could not confirm this result.")
THANKS = (200, "Thank you.")
NOTHING = (200, "Nothing is connected yet.")


class ReturnPage:
    """The page at `returnUrl` of a host app."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def get(self, user_id: str, query: str) -> tuple[int, str]:
        """What a signed-in user gets there."""
        async with httpx.AsyncClient(base_url=self._address) as browser:
            answer = await browser.get(f"/utilities/done?{query}", headers={"X-Signed-In": user_id})
        return answer.status_code, answer.text


def _command(framework: str, folder: Path) -> list[str]:
    (code,) = examples("integrate.md", framework)
    if framework in FRAMEWORKS:
        (folder / "example.py").write_text(code)
        return [sys.executable, "-m", "tests.support.host_frameworks", framework, str(folder / "example.py")]
    assert (NODE / "node_modules").is_dir(), "run `make node-packages` first"
    (folder / "example.mjs").write_text(code)
    (folder / "node_modules").symlink_to(NODE / "node_modules")
    return [compute_driver_executable()[0], str(NODE / "express-host.mjs"), str(folder / "example.mjs")]


@asynccontextmanager
async def _service(services: RunningServices) -> AsyncIterator[str]:
    """The running service on a port, since a host app calls it from a process of its own."""
    assert services.transport.app is not None
    server = uvicorn.Server(uvicorn.Config(services.transport.app, lifespan="off", log_level="warning"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving
    listening.close()


@pytest.fixture(params=[*FRAMEWORKS, "Express"])
async def page(request: pytest.FixtureRequest, services: RunningServices, tmp_path: Path) -> AsyncIterator[ReturnPage]:
    async with _service(services) as url:
        environ = os.environ | {"MAGICLINK_URL": url, "MAGICLINK_KEY": API_KEY}
        command = _command(request.param, tmp_path)
        host = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environ)
        assert host.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            address = (await host.stdout.readline()).decode().strip()
        yield ReturnPage(address)
        host.kill()
        await host.communicate()


async def test_only_a_result_of_the_signed_in_user_counts(
    services: RunningServices, ada: User, page: ReturnPage
) -> None:
    done = await ada.browser()
    await done.connect()
    query = urlsplit((await done.finish()).headers["location"]).query
    unsigned = query.partition("&state=")[0]
    assert "status=connected" in unsigned
    assert await page.get("mallory", query) == REFUSED
    assert await page.get("ada", unsigned) == REFUSED
    assert await page.get("ada", f"{unsigned}&state=forged") == REFUSED
    assert await page.get("ada", query) == THANKS
    services.clock.advance(601)
    assert await page.get("ada", query) == REFUSED


async def test_a_recorded_connection_that_does_not_work_is_no_success(
    services: RunningServices, ada: User, page: ReturnPage
) -> None:
    tried = await ada.browser()
    await tried.connect(WRONG)
    await services.deliver_webhooks()
    query = urlsplit((await tried.post("exit")).headers["location"]).query
    assert "connectionState=action_needed" in query
    assert await page.get("ada", query) == NOTHING
