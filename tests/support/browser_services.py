"""`magiclink dev` as a process of its own, its three addresses, and the two APIs that the tests read."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ("https://nectarclimate.com", "nectar-sandbox-username", "nectar-sandbox-password")
READY_SECONDS = 30
END_SECONDS = 30
Json = dict[str, Any]


@dataclass(frozen=True)
class BrowserServices:
    """A running `magiclink dev`, and the cookies of who has signed in to its demo host app."""

    demo: str
    service: str
    sandbox: str
    folder: Path
    signed_in: dict[str, list[Any]] = field(default_factory=dict, compare=False)

    def let_expire(self, session_id: str) -> None:
        """As if the session's hour were over: no clock of the running process can be moved from here."""
        with closing(sqlite3.connect(self.folder / "magiclink.db", timeout=10)) as database, database:
            database.execute("UPDATE sessions SET expires_at = ?, issued_at = ? WHERE id = ?", (2.0, 1.0, session_id))

    async def until_no_page_is_open(self, session_id: str) -> None:
        """A page's last word reaches the service a moment after the page is gone, and no answer of the API says so."""
        async with asyncio.timeout(END_SECONDS):
            while self._page_of(session_id) is not None:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)

    def _page_of(self, session_id: str) -> str | None:
        with closing(sqlite3.connect(self.folder / "magiclink.db", timeout=10)) as database:
            (page,) = database.execute("SELECT page_hash FROM sessions WHERE id = ?", (session_id,)).fetchone()
        return None if page is None else str(page)


@contextmanager
def running_services(folder: Path, options: Sequence[str] = (), **environ: str) -> Iterator[BrowserServices]:
    """Stops as Ctrl-C does, so that what it measured is written down; what it said is shown when a test fails."""
    command = [sys.executable, "-m", "service", "dev", "--data-dir", str(folder), *options]
    command += [word for name in ("--port", "--sandbox-port", "--host-port") for word in (name, "0")]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAGICLINK_", "SANDBOX_"))}
    said = folder.with_suffix(".log")
    with (
        said.open("w") as log,
        subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=inherited | environ | {"PYTHONUNBUFFERED": "1"}
        ) as process,
    ):
        try:
            demo, service, sandbox = _wait_for_addresses(process, said)
            yield BrowserServices(demo, service, sandbox, folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(END_SECONDS)
            sys.stderr.write(said.read_text()[-20_000:])
    assert process.returncode == 0, said.read_text()[-5_000:]


def _wait_for_addresses(process: subprocess.Popen[bytes], said: Path) -> list[str]:
    for _ in range(READY_SECONDS * 20):
        text = said.read_text()
        if "Ctrl-C" in text:
            return re.findall(r"(http://\S+)", text)[:3]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"magiclink dev did not start:\n{said.read_text()}")


class Api:
    """The service as a host's backend sees it, and the sandbox as the service sees it."""

    def __init__(self, services: BrowserServices, http: httpx.AsyncClient) -> None:
        self.services = services
        self._http = http

    async def service(self, method: str, path: str, body: Json | None = None) -> Json:
        url, headers = f"{self.services.service}{path}", {"Authorization": "Bearer dev-key"}
        answer: Json = await self._call(method, url, headers, body)
        return answer

    async def sandbox(self, method: str, path: str, body: Json | None = None) -> Any:
        return await self._call(method, f"{self.services.sandbox}/v2.2{path}", {"X-API-Key": "sandbox-key"}, body)

    async def trouble(self, method: str, name: str, company_id: str, **more: Any) -> None:
        url = f"{self.services.sandbox}/_control/troubles/{name}"
        await self._call(method, url, {}, {"companyId": company_id} | more)

    async def create(self, user: str, company: str, **more: Any) -> Json:
        """A session whose link is ready; the demo host app may frame it unless another `origin` is given."""
        sites = [{"externalId": name.lower(), "name": name} for name in ("Headquarters", "Warehouse")]
        body = {
            "userId": user,
            "userLabel": f"{user.title()} Byron",
            "company": {"externalId": company, "name": f"{company.title()} Ltd"},
            "sites": sites,
            "origin": self.services.demo,
            "prepare": "now",
        }
        return await self.service("POST", "/v1/sessions", body | more)

    async def session(self, session_id: str) -> Json:
        return await self.service("GET", f"/v1/sessions/{session_id}")

    async def becomes(self, session_id: str, status: str) -> None:
        """What a page says while it goes reaches the service a moment later."""
        async with asyncio.timeout(END_SECONDS):
            while (await self.session(session_id))["status"] != status:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)

    async def revoke(self, session_id: str) -> None:
        await self.service("POST", f"/v1/sessions/{session_id}/revoke")

    async def claim_for_bob(self, session: Json) -> None:
        """The host settles that this session's only connection is Bob's."""
        connection = await self.only_connection(session["id"])
        his = await self.create("bob", session["company"]["externalId"], link="magic_link")
        await self.service("POST", f"/v1/connections/{connection['id']}/claim", {"sessionId": his["id"]})

    async def only_connection(self, session_id: str) -> Json:
        """What was recorded for a session, of which there must be exactly one."""
        (found,) = (await self.session(session_id))["connections"]
        return await self.service("GET", f"/v1/connections/{found['id']}")

    async def _call(self, method: str, url: str, headers: dict[str, str], body: Json | None) -> Any:
        answer = await self._http.request(method, url, headers=headers, json={} if body is None else body)
        assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}
