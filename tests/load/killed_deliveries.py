"""Deliveries by a process that is killed at one step: before or after a transaction, within it, or around a POST.

The process is forked from a server that has imported everything, so that it lives for a fraction of a second.
"""

import asyncio
import os
import signal
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread
from time import time  # noqa: TID251 - real processes live in real time
from typing import Any, Self

import httpcore

from service.app import Environment, build_services
from service.outbound import WebhookNetwork
from service.store import engine_for
from service.store.engine import T, Transaction, Unit
from tests.load.deliveries import settings_of
from tests.simulation.engines import CrashingEngine

_PATIENCE_SECONDS = 60.0


class Steps:
    """Counts the steps of this process and kills it at one of them, as `kill -9` does; 0 is none."""

    def __init__(self, kill_at: int) -> None:
        self.passed = 0
        self._kill_at = kill_at

    async def reach(self, moment: str) -> None:
        if self.must_end(moment):
            self.kill()

    def must_end(self, _moment: str) -> bool:
        self.passed += 1
        return self.passed == self._kill_at

    def require_alive(self) -> None:
        """It is, or it would not ask."""

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class KilledEngine(CrashingEngine):
    """A real engine, whose process is killed with everything written and nothing committed."""

    def __init__(self, url: str, clock: Any, steps: Steps) -> None:
        super().__init__(engine_for(url, clock), steps)
        self._steps = steps

    async def _lose(self, unit: Unit[T]) -> None:
        def killed(tx: Transaction) -> None:
            unit(tx)
            self._steps.kill()

        await self._engine.write(killed)


class KilledBackend(httpcore.AnyIOBackend):
    """Real connections, whose process is killed before it connects, and before and after it reads the answer."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    async def connect_tcp(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        await self._steps.reach("before a delivery")
        return _KilledStream(await super().connect_tcp(*args, **named), self._steps)


class _KilledStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        await self._steps.reach("before the answer")
        answer = await self._inner.read(max_bytes, timeout)
        await self._steps.reach("after the answer")
        return answer

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def deliver(url: str, *, kill_at: int = 0, later_seconds: float = 0.0) -> int | None:
    """Deliver what is due in a process of its own; the number of its steps, None where it was killed at one."""
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_run, args=(there, url, kill_at, later_seconds))
    process.start()
    there.close()
    process.join(_PATIENCE_SECONDS)
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0, process.exitcode
    return int(here.recv())


def _run(pipe: Connection, url: str, kill_at: int, later_seconds: float) -> None:
    steps = Steps(kill_at)

    async def main() -> None:
        environment = Environment(
            clock=lambda: time() + later_seconds,
            engine=lambda url, clock: KilledEngine(url, clock, steps),
            webhooks=WebhookNetwork(backend=KilledBackend(steps)),
        )
        services = build_services(settings_of(url), environment)
        await services.store.open()
        await services.hosts.worker.run_until_idle()
        await services.hosts.sender.close()
        await services.http.aclose()
        await services.store.close()

    asyncio.run(main())
    pipe.send(steps.passed)


class LocalReceiver:
    """A receiver on a real port: answers 503 to the first attempt of each of some events, 204 to all else."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.posts: list[tuple[str, int]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(receiver.take(self.headers["webhook-id"]))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Tests read `posts`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def take(self, event_id: str) -> int:
        status = 503 if event_id in self.failing else 204
        self.failing.discard(event_id)
        self.posts.append((event_id, status))
        return status

    def taken(self, among: Iterable[str]) -> list[str]:
        """Which of these events it took, each at its first time."""
        wanted = set(among)
        return list(dict.fromkeys(one for one, status in self.posts if status == 204 and one in wanted))

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.load.killed_deliveries"])
