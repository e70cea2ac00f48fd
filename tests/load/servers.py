"""The servers that load tests measure: processes of their own on free ports, and groups of them on one database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, sleep

import httpx

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
_READY_ANSWERS = 4
_LAST_REQUESTS_SECONDS = 0.3  # those that were under way when the measure ended
KEY = "bench-key-0123456789"
ORIGIN = "https://app.example.com"
BODY = {
    "userId": "user-42",
    "company": {"externalId": "acme", "name": "Acme Ltd"},
    "sites": [{"externalId": "hq", "name": "Headquarters"}],
    "origin": ORIGIN,
    "returnUrl": f"{ORIGIN}/utilities/done",
    "metadata": {"plan": "pro"},
}
WEBHOOK_SECRET = "whsec_YmVuY2htYXJrLWtleS0wMTIzNDU2Nzg5YWJjZGVm"
AS_JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}


class Server:
    """A process of its own on a free port; stopped whenever another is measured."""

    def __init__(self, command: list[str], environ: Mapping[str, str], port: int, ready: str) -> None:
        began = perf_counter()
        self.port = port
        own, nothing = os.environ | dict(environ), subprocess.DEVNULL
        self._process = subprocess.Popen(command, cwd=ROOT, env=own, stdout=nothing, stderr=nothing)
        self.url = f"http://127.0.0.1:{port}"
        self._ready = self.url + ready
        while not _answers(self._ready):
            assert self._process.poll() is None, f"{command} has ended"
            sleep(0.01)
        self.started_seconds = perf_counter() - began

    @property
    def pid(self) -> int:
        return self._process.pid

    def sleep(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wait_until_ready(self) -> None:
        """Answer for a while: PostgreSQL has cut off the transactions in which a process was stopped."""
        answered = 0
        while answered < _READY_ANSWERS:
            answered = answered + 1 if _answers(self._ready) else 0
            sleep(0.05)

    @contextmanager
    def awake(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.sleep()

    @property
    def megabytes(self) -> float:
        """Resident now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576

    @property
    def cpu_seconds(self) -> float:
        """What it has used since its start, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=30).is_success
    except httpx.TransportError:
        return False


def open_ours(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    module: Sequence[str] = ("service", "serve"),
    port: int | None = None,
) -> Server:
    """As it is deployed, logging included (to nowhere)."""
    port = port or free_port()
    environ = {
        "MAGICLINK_SECRET_KEYS": "k" * 32,
        "MAGICLINK_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAGICLINK_DATABASE_URL": f"sqlite:///{folder / f'{port}.db'}",
        "MAGICLINK_PROVIDER_URL": "http://127.0.0.1:9/v2.2",
        "MAGICLINK_PROVIDER_API_KEY": "nobody-listens",
        "MAGICLINK_ALLOWED_ORIGINS": ORIGIN,
        "MAGICLINK_API_KEY": KEY,
        "MAGICLINK_PROVIDER_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        **(settings or {}),
    }
    return Server([sys.executable, "-m", *module, "--port", str(port)], environ, port, "/readyz")


class ServerGroup:
    """Servers that answer alike and share one database; all are awake, or none."""

    def __init__(self, name: str, servers: Sequence[Server]) -> None:
        self.name = name
        self.servers = tuple(servers)

    def sleep(self) -> None:
        for server in self.servers:
            server.sleep()

    @contextmanager
    def awake(self) -> Iterator[None]:
        with ExitStack() as stack:
            for server in self.servers:
                stack.enter_context(server.awake())
            for server in self.servers:
                server.wait_until_ready()
            yield
            sleep(_LAST_REQUESTS_SECONDS)

    @property
    def cpu_seconds(self) -> float:
        """Of all processes since their starts."""
        return sum(server.cpu_seconds for server in self.servers)

    @property
    def megabytes(self) -> float:
        """Of the largest process."""
        return max(server.megabytes for server in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.close()
