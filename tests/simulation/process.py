"""One process of the service: lives until a moment ends it, and leaves only what it has committed."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette

from service.app import Environment, Services, create_app
from service.domain.model import Clock
from service.provider import CallLimits
from service.settings import Settings
from service.store.engine import Engine
from tests.simulation.asgi import LOST, Answer, ask
from tests.simulation.clocks import Clocks
from tests.simulation.crashes import Crash, Crashes
from tests.simulation.engines import CrashingEngine
from tests.simulation.provider import ProviderSide, ProviderTransport
from tests.simulation.receivers import Receivers

OPEN_ENGINE = Callable[[Clock], Engine]
_MOMENT_SECONDS = 0.02
_STALL_SECONDS = 2.0  # a busy machine wakes a sleeper late


@dataclass(frozen=True)
class Parts:
    """What all processes of a simulation share."""

    settings: Settings
    clocks: Clocks
    crashes: Crashes
    provider: ProviderSide
    receivers: Receivers
    open_engine: OPEN_ENGINE
    new_id: Callable[[str], str]
    rng: random.Random
    note: Callable[[str, str], None]


class Process:
    """`skew_seconds` is how far its machine's clock is from its neighbours'."""

    def __init__(self, name: str, parts: Parts, skew_seconds: float = 0.0) -> None:
        self.name = name
        self.alive = True
        self._parts = parts
        self._skew = skew_seconds
        self._app = self._create()

    @property
    def services(self) -> Services:
        services: Services = self._app.state.services
        return services

    async def open(self) -> None:
        """What the lifespan does, without a background loop: a history says when work is done."""
        await self.services.store.engine.open()
        self.services.store.engine.on_jobs(self.services.worker.wake)

    async def close(self) -> None:
        """Let what runs come to its end, which for one that has died is its next moment. Only between two actions."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        running = [task for task in tasks if not task.get_name().startswith("store-")]
        await asyncio.gather(*running, return_exceptions=True)
        await self.services.store.engine.close()

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request; LOST where the process ended in it."""
        if not self.alive:
            return LOST
        try:
            return await ask(self._app, method, target, headers, body)
        except Crash:
            return LOST

    async def work(self, rounds: int = 1) -> None:
        """Do what is due, and what that makes due, so many times."""
        for _ in range(rounds):
            try:
                busy = await self.services.worker.lease_batch()
            except Crash:
                busy = False
            await self.services.worker.wait_for_running()
            if not busy or not self.alive:
                return

    async def send(self) -> None:
        """Deliver to the host's endpoints what is due."""
        if not self.alive:
            return
        try:
            await self.services.hosts.worker.run_until_idle()
        except Crash:
            return

    async def renew_endpoints(self) -> None:
        """What its background loop does every few seconds."""
        await self.services.hosts.worker.renew_leases()

    async def reach(self, moment: str) -> None:
        """A moment: others may go first, and this process may end."""
        self.require_alive()
        await self._parts.crashes.idle()
        self.require_alive()
        if self._parts.crashes.strikes(moment):
            self.die(moment)
            raise Crash(moment)

    def must_end(self, moment: str) -> bool:
        """Whether it ends now, with something half done that the caller has to undo as a power cut would."""
        if self._parts.crashes.strikes(moment):
            self.die(moment)
        return not self.alive

    def require_alive(self) -> None:
        if not self.alive:
            raise Crash(self.name)

    def die(self, moment: str) -> None:
        self.alive = False
        self._parts.note(self.name, f"DIES {moment}")

    def _create(self) -> Starlette:
        parts = self._parts
        limits = CallLimits(monotonic=parts.clocks.true, sleep=self._sleep, rng=parts.rng)
        environment = Environment(
            clock=lambda: parts.clocks.ours() + self._skew,
            monotonic=parts.clocks.true,
            new_id=parts.new_id,
            new_secret=lambda: parts.new_id("secret"),
            random_bytes=parts.rng.randbytes,
            roll=parts.rng.random,
            sleep=self._doze,
            webhooks=parts.receivers.network(self),
            transport=ProviderTransport(parts.provider, self),
            engine=lambda _url, _clock: CrashingEngine(parts.open_engine(parts.clocks.database), self),
            limits=limits,
            background=False,
        )
        return create_app(parts.settings, environment)

    async def _sleep(self, seconds: float) -> None:
        self._parts.clocks.advance(seconds)
        await self.reach("while waiting to call the provider again")

    async def _doze(self, seconds: float) -> None:
        if seconds < _MOMENT_SECONDS:  # until answers are written together: no lease ends in it
            await self.reach("while gathering answers")
            return
        self._parts.clocks.advance(max(seconds, _STALL_SECONDS))
        await self.reach("while waiting for another process")
