"""Deliveries by a process that is killed at one step: before or after a transaction, within it, or around a POST.

The process is forked from a server that has imported everything, so that it lives for a fraction of a second.
"""

import asyncio
import os
import signal
from multiprocessing import get_context
from typing import Any

import httpcore

from service.app import Environment, build_services
from service.outbound import WebhookNetwork
from service.store import engine_for
from service.store.engine import T, Transaction, Unit
from tests.load.deliveries import settings_of
from tests.simulation.engines import CrashingEngine

_PATIENCE_SECONDS = 60.0


class Steps:
    """Counts the steps of this process and kills it at one of them, as `kill -9` does."""

    def __init__(self, kill_at: int) -> None:
        self._passed = 0
        self._kill_at = kill_at

    async def reach(self, moment: str) -> None:
        if self.must_end(moment):
            self.kill()

    def must_end(self, _moment: str) -> bool:
        self._passed += 1
        return self._passed == self._kill_at

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


def is_killed_at(step: int, url: str) -> bool:
    """Deliver what is due in a process of its own; whether it was killed at this step, or ended before it."""
    process = _CONTEXT.Process(target=_run, args=(url, step))
    process.start()
    process.join(_PATIENCE_SECONDS)
    assert process.exitcode in {0, -signal.SIGKILL}, process.exitcode
    return process.exitcode != 0


def _run(url: str, kill_at: int) -> None:
    steps = Steps(kill_at)

    async def main() -> None:
        environment = Environment(
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


_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.load.killed_deliveries"])
