"""A simulation: the provider, the service's processes over one database, what really happened, and a trace."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from service.settings import Settings
from service.store.engine import Engine
from tests.simulation.asgi import Answer
from tests.simulation.clocks import Clocks
from tests.simulation.crashes import Crashes, dice
from tests.simulation.ground_truth import GroundTruth
from tests.simulation.plan import Plan
from tests.simulation.process import OPEN_ENGINE, Parts, Process
from tests.simulation.provider import PROVIDER_URL, SECRET, ProviderSide
from tests.simulation.receivers import Receivers

SERVICE_URL = "https://link.example.com"
HOST_URL = "https://app.example.com"
API_KEY = "host-key"
HOST = {"authorization": f"Bearer {API_KEY}", "content-type": "application/json"}


class Simulation:
    """Everything that an action may use."""

    def __init__(self, plan: Plan, provider: ProviderSide, rng: random.Random, crashes: Crashes) -> None:
        self.plan = plan
        self.provider = provider
        self.rng = rng
        self.crashes = crashes
        self.clocks = Clocks(plan.ours_off, plan.database_off)
        self.ground_truth = GroundTruth()
        self.trace: list[str] = []
        self.faults: list[str] = []
        self.processes: list[Process] = []
        self.received: list[str] = []
        self.receivers = Receivers(self.clocks, dice(rng.random()))
        self._cursor = "0"
        self._reading = asyncio.Lock()
        self._serials: Counter[str] = Counter()
        provider.begin(self.clocks, plan.behaviour, rng.getrandbits(32))

    @property
    def world(self) -> Any:
        return self.provider.world

    @property
    def engine(self) -> Engine:
        """The database as the first process sees it."""
        return self.processes[0].services.store.engine

    async def open(self, open_engine: OPEN_ENGINE) -> None:
        self._parts = Parts(
            _settings(redirects=self.plan.behaviour.redirects),
            self.clocks,
            self.crashes,
            self.provider,
            self.receivers,
            open_engine,
            self.new_id,
            dice(self.rng.random()),
            self.note,
        )
        self.processes = [self._process(number) for number in range(self.plan.processes)]
        for process in self.processes:
            await process.open()

    async def restart(self) -> None:
        """Start again every process that has ended."""
        dead = [number for number, process in enumerate(self.processes) if not process.alive]
        for number in dead:
            await self.processes[number].close()
            self.processes[number] = self._process(number)
            await self.processes[number].open()
            self.note(self.processes[number].name, "starts anew")

    async def close(self) -> None:
        for process in self.processes:
            await process.close()

    def any_process(self) -> Process:
        return self.rng.choice([process for process in self.processes if process.alive] or self.processes)

    async def host(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The host's backend asks, whichever process answers."""
        raw = b"" if body is None else json.dumps(body).encode()
        return self._checked(await self.any_process().ask(method, path, HOST | headers, raw), f"{method} {path}")

    async def page(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        """A browser asks."""
        own = {"accept": "application/json", "content-type": "application/json", "origin": SERVICE_URL}
        raw = b"" if body is None else json.dumps(body).encode()
        return self._checked(await self.any_process().ask(method, path, own | dict(headers), raw), f"{method} {path}")

    async def webhook(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The provider sends; answers the status, 0 where the process ended before it could."""
        named = {name: value for name, value in headers.items() if name.startswith(("svix-", "content-type"))}
        return self._checked(await self.any_process().ask("POST", "/webhooks/nectar", named, body), "a webhook").status

    async def listen(self, limit: int = 7) -> int:
        """The host reads on in the log; answers how many events were new to it."""
        async with self._reading:
            return await self._read_on(limit)

    async def _read_on(self, limit: int) -> int:
        answer = await self.host("GET", f"/v1/events?after={self._cursor}&limit={limit}")
        if not answer.ok:
            return 0
        found = answer.json()
        self.received += [event["id"] for event in found["data"]]
        self._cursor = found["next"] or self._cursor
        return len(found["data"])

    def note(self, who: str, what: str) -> None:
        self.trace.append(f"{self.clocks.at - 1_800_000_000:12.3f}  {who:<10} {what}")

    def fault(self, what: str) -> None:
        self.faults.append(what)
        self.note("FAULT", what)

    def new_id(self, prefix: str) -> str:
        self._serials[prefix] += 1
        # The part after "_" is of one kind of thing too: ids of deliveries are made of two of them.
        return f"{prefix}_{prefix[0]}{self._serials[prefix]:07d}"

    def _checked(self, answer: Answer, call: str) -> Answer:
        if answer.status == 500:
            self.fault(f"{call} was answered 500: {answer.body[:200]!r}")
        return answer

    def _process(self, number: int) -> Process:
        return Process("ABC"[number], self._parts, self.plan.skews[number])


def _settings(*, redirects: bool) -> Settings:
    return Settings(
        secret_keys=("the-only-key-of-this-simulation-0123456789",),
        public_url=SERVICE_URL,
        provider_api_key="sandbox-key",
        provider_url=f"{PROVIDER_URL}/v2.2",
        provider_pages_url=PROVIDER_URL,
        provider_webhook_secrets=(SECRET,),
        allowed_origins=(HOST_URL,),
        api_key=API_KEY,
        provider_redirects=redirects,
    )
