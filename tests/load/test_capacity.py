"""`magiclink serve` with few file handles, against more clients than it has handles for."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.load.processes import ROOT
from tests.support.raw_http import GET, RawServer

HANDLES = 200
CLIENTS = 400
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
START_SECONDS = 30


class ServedProcess:
    """The process, its port, and what it logs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self.port = port
        self._log = log

    def said(self) -> str:
        return self._log.read_text()

    async def ready(self) -> None:
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
            while not await self._answers(http):
                assert self._process.poll() is None, self.said()
                await asyncio.sleep(0.05)

    async def _answers(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def served(tmp_path: Path, migrated_sqlite_file: Path) -> Iterator[ServedProcess]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    environ = {
        "MAGICLINK_SECRET_KEYS": "the-only-key-of-this-process-0123456789",
        "MAGICLINK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAGICLINK_PROVIDER_API_KEY": "sandbox-key",
        "MAGICLINK_DATABASE_URL": f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'magiclink.db')}",
        "PATH": "/usr/bin:/bin",
    }
    log = tmp_path / "log"
    command = f"ulimit -n {HANDLES}; exec {sys.executable} -m service serve --port {port}"
    with (
        log.open("wb") as sink,
        subprocess.Popen(["/bin/sh", "-c", command], cwd=ROOT, env=environ, stderr=sink) as process,
    ):
        try:
            yield ServedProcess(process, port, log)
        finally:
            process.terminate()
            process.wait()


async def connect_all(server: RawServer, sent: bytes) -> None:
    """Open more connections than there are handles; the kernel may end some before the service sees them."""
    for _ in range(CLIENTS):
        try:
            await server.connect(sent)
        except OSError:
            continue


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HT", b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", GET]
)
async def test_more_clients_than_file_handles_do_not_keep_others_out(served: ServedProcess, sent: bytes) -> None:
    await served.ready()
    server = RawServer("127.0.0.1", served.port)
    await connect_all(server, sent)
    for _ in range(20):
        assert (await server.ask(HEALTH)).startswith(b"HTTP/1.1 200")
        assert (await server.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).startswith(
            b"HTTP/1.1 200"
        )
    assert served.said().count("File handles run out") >= 1
    assert "Traceback" not in served.said()
    server.close()
