"""Real processes for the load tests: the sandbox and the workers on real ports, as they are started and ended.

Their time goes faster than ours (`speed`), so that a lease ends within seconds; with a speed of 1 they are `magiclink
serve` and `magiclink sandbox` themselves.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter, time  # noqa: TID251 - real processes live in real time

import httpx

from service.store import engine_for
from tests.load.audit import Provided, undecided
from tests.load.load_users import KEY, ORIGIN
from tests.load.local_receiver import LOOPBACK
from tests.simulation.checks import StoredRows, read_rows
from tests.support.ports import free_port
from tests.support.postgres import running_postgres

ROOT = Path(__file__).parents[2]
SECRET = "whsec_a2lsbGluZy1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"
_START_SECONDS = 60.0
_SETTLE_SECONDS = 400.0  # of the workers' time: a lease, a lost call, an invitation that may still name something


class ServerProcess:
    """A process on a port of its own; ended and started again on the same one."""

    def __init__(self, command: list[str], port: int, environ: Mapping[str, str]) -> None:
        self._port = port
        self._said = TemporaryFile()  # noqa: SIM115 - closed with the process
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", *command, "--port", str(port)]
        self._environ = os.environ | dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def observed(self, report: Path, more: Mapping[str, str]) -> "ServerProcess":
        """The same `magiclink serve` with more settings, writing to `report` what happens inside of it."""
        return ServerProcess(["tests.load.observed", str(report)], self._port, self._environ | dict(more))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environ, stdout=subprocess.DEVNULL, stderr=self._said
        )

    async def ready(self) -> None:
        began = perf_counter()
        async with httpx.AsyncClient(trust_env=False, timeout=1) as http:
            while not await _answers(http, f"{self.url}/readyz"):
                self.require_alive()
                assert perf_counter() - began < _START_SECONDS, f"{self._command} does not become ready"
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals, patience_seconds: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(patience_seconds)

    def signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(which)

    def require_alive(self) -> None:
        """Raise AssertionError, with its last words, where it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"{self._command} ended by itself: {self.said()[-4000:]}")

    def said(self) -> str:
        """What it wrote to its standard error so far."""
        size = os.fstat(self._said.fileno()).st_size
        return os.pread(self._said.fileno(), size, 0).decode()  # the place to write at is the process's too

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._said.close()


class LoadServices:
    """The sandbox and so many workers on one database."""

    def __init__(self, url: str, workers: int, speed: float, sandbox: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.speed = speed
        self.since = time()
        ports = [free_port() for _ in range(workers + 1)]
        speed_up = ["--speed", str(speed), "--since", str(self.since)]
        ours = ["service", "serve"] if speed == 1 else ["tests.load.fast_clock", "service", *speed_up]
        theirs = ["service", "sandbox"] if speed == 1 else ["tests.load.fast_clock", "sandbox", *speed_up]
        self.sandbox = ServerProcess(theirs, ports[0], _sandbox_settings(ports[0], ports[1]) | dict(sandbox or {}))
        settings = _settings(url, ports[1], ports[0])
        self.workers = [ServerProcess(ours, port, settings) for port in ports[1:]]

    @property
    def processes(self) -> list[ServerProcess]:
        return [self.sandbox, *self.workers]

    def now(self) -> float:
        """The time in these processes."""
        return self.since + (time() - self.since) * self.speed

    async def start(self) -> None:
        for process in self.processes:
            process.start()
            await process.ready()

    async def add_endpoint(self, address: str) -> None:
        """Every event is delivered to this address from now on."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            url, headers = f"{self.workers[0].url}/v1/webhook-endpoints", {"authorization": f"Bearer {KEY}"}
            (await http.post(url, json={"url": address}, headers=headers)).raise_for_status()

    def require_alive(self) -> None:
        for process in self.processes:
            process.require_alive()

    async def settled(self) -> tuple[Provided, StoredRows]:
        """Wait until nothing is left to do, or until it has become no less for as long as the longest wait takes."""
        least, ends_at = float("inf"), perf_counter()
        engine = engine_for(self.url, time)
        await engine.open()
        try:
            while True:
                rows, provided = await read_rows(engine), Provided.read(self.sandbox.url)
                left = undecided(provided, rows)
                if left < least:
                    least, ends_at = left, perf_counter() + _SETTLE_SECONDS / self.speed + 10
                if not left or perf_counter() > ends_at:
                    return provided, rows
                await asyncio.sleep(0.5)
        finally:
            await engine.close()

    async def stored(self) -> StoredRows:
        """Read all rows as they are now."""
        engine = engine_for(self.url, time)
        await engine.open()
        try:
            return await read_rows(engine)
        finally:
            await engine.close()


@contextmanager
def running_services(
    url: str, workers: int, speed: float, sandbox: Mapping[str, str] | None = None
) -> Iterator[LoadServices]:
    """Processes that have all ended when the block ends; the caller starts them. `sandbox` are further settings."""
    services = LoadServices(url, workers, speed, sandbox)
    try:
        yield services
    finally:
        for process in services.processes:
            process.close()


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of an empty one."""
    if kind == "postgresql":
        with running_postgres() as server, server.database() as url:
            yield url
        return
    with TemporaryDirectory(prefix="magiclink-load-") as folder:
        yield f"sqlite:///{folder}/magiclink.db"


def _settings(url: str, port: int, sandbox_port: int) -> dict[str, str]:
    return {
        "MAGICLINK_SECRET_KEYS": "the-only-key-of-these-workers-0123456789",
        "MAGICLINK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAGICLINK_DATABASE_URL": url,
        "MAGICLINK_PROVIDER_URL": f"http://127.0.0.1:{sandbox_port}/v2.2",
        "MAGICLINK_PROVIDER_PAGES_URL": f"http://127.0.0.1:{sandbox_port}",
        "MAGICLINK_PROVIDER_API_KEY": "sandbox-key",
        "MAGICLINK_PROVIDER_WEBHOOK_SECRETS": SECRET,
        "MAGICLINK_ALLOWED_ORIGINS": ORIGIN,
        "MAGICLINK_API_KEY": KEY,
        "MAGICLINK_METRICS_KEY": KEY,
        "MAGICLINK_WEBHOOK_NETWORKS": LOOPBACK,
    }


def _sandbox_settings(port: int, worker_port: int) -> dict[str, str]:
    return {
        "SANDBOX_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{worker_port}/webhooks/nectar",
        "SANDBOX_WEBHOOK_SECRET": SECRET,
        "SANDBOX_DATA_DELAY": "30",
    }


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False
