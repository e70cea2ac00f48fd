"""One history: a seed decides who is there, what they do and what goes wrong; afterwards everything is checked."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from service.domain.model import Clock
from service.store.engine import Engine
from tests.simulation import episodes
from tests.simulation.checks import Counts, check_log, check_provider, check_sessions, read_rows
from tests.simulation.crashes import Crash, Crashes, dice
from tests.simulation.delivery_checks import check_deliveries
from tests.simulation.outcome_checks import check_outcomes
from tests.simulation.ownership_checks import OwnershipChecks
from tests.simulation.plan import Plan
from tests.simulation.provider import ProviderSide
from tests.simulation.provider_actions import ProviderActions
from tests.simulation.receiver_actions import ReceiverActions
from tests.simulation.simulation import Simulation
from tests.simulation.troubles import Troubles
from tests.simulation.user_actions import UserActions

Action = Callable[[], Awaitable[str | None]]
EPISODES = "episodes"  # begins the names of histories of one connection
# After the last action: long enough for every grace, lease, retry and for the poll of each of three days.
_SOON = (1, 65, 130, 130, 40)
_LATER = (900, 8200, 86400, 86400, 130)
# Checks take three days at most.
_CHECKED = (86400, 86400, 130)


class Database(Protocol):
    """See databases.py."""

    def begin(self) -> AbstractAsyncContextManager[Callable[[Clock], Engine]]: ...

    async def close(self) -> None: ...


@dataclass
class History:
    """What a history is made from: `name` is its seed, or that of a scenario."""

    name: str
    plan: Plan
    rng: random.Random
    crashes: Crashes
    is_of_episodes: bool = False


@dataclass
class Outcome:
    """What one history came to: `faults` is empty where every promise was kept."""

    name: str
    faults: list[str]
    trace: list[str]
    counts: Counts
    crashes: Crashes = field(repr=False)


class LogHandler(logging.Handler):
    """Collects what the service logs as an error: a fault of ours that it survived is a fault all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.simulation: Simulation | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.simulation is not None and not self._is_the_providers_fault(record):
            cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.simulation.fault(f"logged as an error: {record.getMessage()}{cause}")

    def _is_the_providers_fault(self, record: logging.LogRecord) -> bool:
        """Where the provider's lists are untidy, the service must say so."""
        untidy = self.simulation is not None and self.simulation.plan.behaviour.untidy_rate > 0
        return untidy and "cannot be read" in record.getMessage()


class Runner:
    """Runs histories one after the other, over one database and one provider."""

    def __init__(self, database: Database) -> None:
        self._runner = asyncio.Runner()
        self._database = database
        self._provider = ProviderSide()
        self._log_handler = LogHandler()
        logging.getLogger("service").addHandler(self._log_handler)

    def run(self, seed: int) -> Outcome:
        """What the seed decides."""
        rng = dice(seed)
        plan = Plan.of(rng)
        return self._runner.run(
            self._begin(History(str(seed), plan, rng, Crashes(dice(f"perils of {seed}"), plan.crash_rate)))
        )

    def run_episodes(self, seed: int) -> Outcome:
        """One connection that breaks and is mended, over weeks."""
        rng = dice(f"episodes of {seed}")
        plan = episodes.plan_of(rng)
        crashes = Crashes(dice(f"perils of {seed}"), plan.crash_rate)
        return self._runner.run(self._begin(History(f"{EPISODES}-{seed}", plan, rng, crashes, is_of_episodes=True)))

    def run_scenario(self, scenario: str, crash_at: int | None = None) -> Outcome:
        """One of the scenarios, in which a process ends at the moment that is named."""
        crashes = Crashes(dice(scenario), at=crash_at)
        return self._runner.run(self._begin(History(scenario, Plan.scripted(scenario), dice(scenario), crashes)))

    def close(self) -> None:
        self._runner.run(self._database.close())
        self._runner.close()

    async def _begin(self, life: History) -> Outcome:
        asyncio.get_running_loop().set_exception_handler(_quiet)
        async with self._database.begin() as open_engine:
            return await self._run(life, open_engine)

    async def _run(self, life: History, open_engine: Callable[[Clock], Engine]) -> Outcome:
        simulation = self._log_handler.simulation = Simulation(life.plan, self._provider, life.rng, life.crashes)
        simulation.note("history", f"{life.name}: {life.plan}")
        await simulation.open(open_engine)
        try:
            if life.plan.before:
                ProviderActions(simulation).be_there_before()
            await ReceiverActions(simulation).create_endpoints()
            await (episodes.live(simulation) if life.is_of_episodes else _live(simulation))
            await _heal(simulation)
            counts = await _judge(simulation)
        finally:
            await simulation.close()
            self._log_handler.simulation = None
        return Outcome(life.name, simulation.faults, simulation.trace, counts, life.crashes)


def _actions(simulation: Simulation) -> list[tuple[int, Action]]:
    users, provider, troubles = UserActions(simulation), ProviderActions(simulation), Troubles(simulation)
    found: list[tuple[int, Action]] = [
        *((10, users.create), (12, users.start), (10, users.poll_page), (2, users.heartbeat), (6, users.finish)),
        (6, users.another),
        *((2, users.leave), (2, users.renew), (2, users.revoke), (5, users.reconnect), (2, users.claim)),
        *((16, provider.use_link), (3, provider.correct)),
        *((12, troubles.wait), (18, troubles.work), (6, troubles.deliver), (3, troubles.listen), (1, troubles.die)),
    ]
    if simulation.plan.outsiders:
        found += [
            (3, provider.dashboard),
            (3, provider.invite_elsewhere),
            (1, provider.check),
            (1, provider.remove),
        ]
    if simulation.plan.checks:
        found += [(6, provider.end_checks), (3, provider.check)]
    if simulation.plan.troubles:
        found += [(5, troubles.trouble), (1, troubles.cut)]
    if simulation.plan.receivers:
        found += _of_receivers(ReceiverActions(simulation))
    if simulation.plan.jumps:
        found += [(3, troubles.jump)]
    return found


def _of_receivers(receivers: ReceiverActions) -> list[tuple[int, Action]]:
    return [
        *((18, receivers.send), (4, receivers.impair), (5, receivers.mend)),
        *((3, receivers.enable), (1, receivers.replay)),
    ]


async def _live(simulation: Simulation) -> None:
    actions = _actions(simulation)
    if simulation.plan.script:
        await _follow(simulation, {action.__name__: action for _, action in actions})
        return
    weights = [weight for weight, _ in actions]
    done = 0
    for _ in range(4 * simulation.plan.steps):
        several = simulation.rng.choices((1, 2, 3), (7, 2, 1))[0]
        chosen = simulation.rng.choices(actions, weights, k=several)
        done += sum(await asyncio.gather(*(_do(simulation, action) for _, action in chosen)))
        if not any(process.alive for process in simulation.processes) or simulation.rng.random() < 0.7:
            await simulation.restart()
        if done >= simulation.plan.steps:
            return


async def _follow(simulation: Simulation, actions: Mapping[str, Action]) -> None:
    for name in simulation.plan.script:
        await _do(simulation, actions[name])
        await simulation.restart()


async def _do(simulation: Simulation, action: Action) -> bool:
    try:
        came = await action()
    except Crash:
        came = "hears nothing more"
    if came is not None:
        simulation.note(action.__name__, came)
    return came is not None


async def _heal(simulation: Simulation) -> None:
    """Nothing fails any more; only time passes, and the service does what it finds to do."""
    simulation.crashes.calm()
    simulation.provider.is_down = False
    simulation.provider.behaviour = replace(simulation.provider.behaviour, untidy_rate=0.0)
    for trouble in list(simulation.world.troubles):
        if trouble.name != "clock_skew":
            simulation.world.troubles.remove(trouble.name, None)
    for made in simulation.ground_truth.made:
        simulation.world.connections.reveal(made)
    await simulation.restart()
    await ReceiverActions(simulation).enable_all()
    simulation.note("simulation", "all troubles end")
    await _pass(simulation, _SOON)
    check_provider(simulation, await read_rows(simulation.engine))
    await _pass(simulation, _LATER + (_CHECKED if simulation.plan.checks else ()))


async def _pass(simulation: Simulation, pauses: tuple[float, ...]) -> None:
    provider = ProviderActions(simulation)
    for seconds in pauses:
        simulation.clocks.advance(seconds)
        if (ended := await provider.end_checks()) is not None:
            simulation.note("end_checks", ended)
        await simulation.processes[0].work(50)
        await simulation.processes[0].send()


async def _judge(simulation: Simulation) -> Counts:
    stored = await read_rows(simulation.engine)
    while await simulation.listen(100):
        pass
    check_log(simulation, stored)
    check_sessions(simulation, stored)
    check_outcomes(simulation, stored)
    check_deliveries(simulation, stored)
    episodes.check_reminders(simulation, stored)
    return OwnershipChecks(simulation, stored).check()


def _quiet(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A task that ended with its process has nothing more to say."""
    if not isinstance(context.get("exception"), Crash):
        logging.getLogger("service").error("%s", context.get("message"), exc_info=context.get("exception"))  # type: ignore[arg-type]
