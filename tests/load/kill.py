"""`make kill`: workers killed at random moments under load and started again; afterwards nothing is lost or doubled.

The sandbox and the workers are processes of their own on real ports. Their time goes faster than ours (`--speed`), so
that a lease ends within seconds; with `--speed 1` the workers are `magiclink serve` itself, and the settling at the end
takes the minutes that it takes in earnest.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter, time  # noqa: TID251 - real processes live in real time

import httpx

from service.store import engine_for
from tests.load.audit import Findings, Provided, audit, undecided
from tests.load.crowd import KEY, ORIGIN, Crowd
from tests.postgres import running_postgres
from tests.simulation.checks import Books, read_books

ROOT = Path(__file__).parents[2]
SECRET = "whsec_a2lsbGluZy1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"
_START_SECONDS = 60.0
_PAUSE_SECONDS = (0.1, 1.5)
_SETTLE_SECONDS = 400.0  # of the workers' time: a lease, a lost call, an invitation that may still name something


@dataclass(frozen=True)
class Plan:
    """One run."""

    rounds: int
    database: str
    workers: int
    people: int = 6
    speed: float = 30.0
    seed: int = 1


class House:
    """A process on a port of its own; killed and started again on the same one."""

    def __init__(self, command: list[str], port: int, environ: Mapping[str, str]) -> None:
        self._said = TemporaryFile()  # noqa: SIM115 - closed with the process
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", *command, "--port", str(port)]
        self._environ = os.environ | dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

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
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def require_alive(self) -> None:
        """Raise AssertionError, with its last words, where it ended by itself."""
        if self._process is None or self._process.poll() is None:
            return
        self._said.seek(0)
        raise AssertionError(f"{self._command} ended by itself: {self._said.read()[-4000:].decode()}")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._said.close()


def run(plan: Plan) -> Findings:
    """All rounds and the audit. Raises AssertionError where a process does not come back."""
    with _database(plan.database) as url, ExitStack() as stack:
        sandbox, workers = _houses(plan, url)
        for house in (sandbox, *workers):
            stack.callback(house.close)
        return asyncio.run(_run(plan, url, sandbox, workers))


async def _run(plan: Plan, url: str, sandbox: House, workers: list[House]) -> Findings:
    rng = random.Random(plan.seed)  # noqa: S311 - no secret
    for house in (sandbox, *workers):
        house.start()
        await house.ready()
    crowd = Crowd([worker.url for worker in workers], sandbox.url, rng)
    pressing = asyncio.create_task(crowd.press(plan.people))
    await _kill(plan, sandbox, workers, rng, pressing)
    crowd.stopping = True
    await pressing
    provided, books = await _settled(plan, url, sandbox)
    return audit(provided, books, crowd.wishes)


async def _kill(
    plan: Plan, sandbox: House, workers: list[House], rng: random.Random, pressing: asyncio.Task[None]
) -> None:
    for _ in range(plan.rounds):
        await asyncio.sleep(rng.uniform(*_PAUSE_SECONDS))
        if pressing.done():
            pressing.result()  # nobody goes home early: what they met is the finding
        for house in (sandbox, *workers):
            house.require_alive()
        victim = rng.choice(workers)
        victim.kill()
        victim.start()
        if plan.workers == 1 or rng.random() < 0.5:  # otherwise another one may follow while it is still starting
            await victim.ready()
    for house in (sandbox, *workers):
        await house.ready()


async def _settled(plan: Plan, url: str, sandbox: House) -> tuple[Provided, Books]:
    """Wait until nothing is left to do, or for as long as that may take."""
    ends_at = perf_counter() + _SETTLE_SECONDS / plan.speed + 10
    engine = engine_for(url, time)
    await engine.open()
    try:
        while True:
            books, provided = await read_books(engine), Provided.read(sandbox.url)
            if not undecided(provided, books) or perf_counter() > ends_at:
                return provided, books
            await asyncio.sleep(0.5)
    finally:
        await engine.close()


def _houses(plan: Plan, url: str) -> tuple[House, list[House]]:
    ports = [_free_port() for _ in range(plan.workers + 1)]
    hurry = ["--speed", str(plan.speed), "--since", str(time())]
    in_earnest = plan.speed == 1
    ours = ["service", "serve"] if in_earnest else ["tests.load.hurried", "service", *hurry]
    theirs = ["service", "sandbox"] if in_earnest else ["tests.load.hurried", "sandbox", *hurry]
    sandbox = House(theirs, ports[0], _sandbox_settings(ports[0], ports[1]))
    settings = _settings(url, ports[1], ports[0])
    return sandbox, [House(ours, port, settings) for port in ports[1:]]


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


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with running_postgres() as server, server.database() as url:
            yield url
        return
    with TemporaryDirectory(prefix="magiclink-kill-") as folder:
        yield f"sqlite:///{folder}/magiclink.db"


def main() -> int:
    options = _options()
    plan = Plan(options.rounds, options.database, options.workers, options.people, options.speed, options.seed)
    began = perf_counter()
    findings = run(plan)
    told = [
        f"{plan.rounds} rounds on {plan.database} with {plan.workers} workers: {findings}",
        *findings.faults,
        f"{perf_counter() - began:.0f} s, {len(findings.faults)} faults",
    ]
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if findings.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
