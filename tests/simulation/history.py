"""One history: a seed decides who is there, what they do and what goes wrong; afterwards everything is checked."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from service.domain.model import Clock
from service.store.engine import Engine
from tests.simulation.checks import Tally, check_log, check_provider, check_sessions, read_books
from tests.simulation.people import People
from tests.simulation.perils import Crash, Perils, dice
from tests.simulation.plan import Plan
from tests.simulation.provider import ProviderSide
from tests.simulation.town import Town
from tests.simulation.utility import Utility
from tests.simulation.verdicts import Verdicts
from tests.simulation.weather import Weather

Deed = Callable[[], Awaitable[str | None]]
# After the last deed: long enough for every grace, lease, retry and for the look of each of three days.
_SOON = (1, 65, 130, 130, 40)
_LATER = (900, 8200, 86400, 86400, 130)


class Database(Protocol):
    """See databases.py."""

    def begin(self) -> AbstractAsyncContextManager[Callable[[Clock], Engine]]: ...

    async def close(self) -> None: ...


@dataclass
class Life:
    """What a history is made from: `name` is its seed, or that of a story."""

    name: str
    plan: Plan
    rng: random.Random
    perils: Perils


@dataclass
class Outcome:
    """What one history came to: `faults` is empty where every promise was kept."""

    name: str
    faults: list[str]
    trace: list[str]
    tally: Tally
    perils: Perils = field(repr=False)


class Ears(logging.Handler):
    """Hears what the service calls an error: a fault of ours that it survived is a fault all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.town: Town | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.town is not None:
            cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.town.fault(f"logged as an error: {record.getMessage()}{cause}")


class Historian:
    """Runs histories one after the other, over one database and one provider."""

    def __init__(self, database: Database) -> None:
        self._runner = asyncio.Runner()
        self._database = database
        self._house = ProviderSide()
        self._ears = Ears()
        logging.getLogger("service").addHandler(self._ears)

    def run(self, seed: int) -> Outcome:
        """What the seed decides."""
        rng = dice(seed)
        plan = Plan.of(rng)
        return self._runner.run(
            self._begin(Life(str(seed), plan, rng, Perils(dice(f"perils of {seed}"), plan.crash_rate)))
        )

    def tell(self, story: str, crash_at: int | None = None) -> Outcome:
        """One of the stories, in which a process ends at the moment that is named."""
        perils = Perils(dice(story), at=crash_at)
        return self._runner.run(self._begin(Life(story, Plan.told(story), dice(story), perils)))

    def close(self) -> None:
        self._runner.run(self._database.close())
        self._runner.close()

    async def _begin(self, life: Life) -> Outcome:
        asyncio.get_running_loop().set_exception_handler(_quiet)
        async with self._database.begin() as open_engine:
            return await self._run(life, open_engine)

    async def _run(self, life: Life, open_engine: Callable[[Clock], Engine]) -> Outcome:
        town = self._ears.town = Town(life.plan, self._house, life.rng, life.perils)
        town.note("history", f"{life.name}: {life.plan}")
        await town.open(open_engine)
        try:
            if life.plan.before:
                Utility(town).be_there_before()
            await _live(town)
            await _heal(town)
            tally = await _judge(town)
        finally:
            await town.close()
            self._ears.town = None
        return Outcome(life.name, town.faults, town.trace, tally, life.perils)


def _deeds(town: Town) -> list[tuple[int, Deed]]:
    people, utility, weather = People(town), Utility(town), Weather(town)
    found: list[tuple[int, Deed]] = [
        *((10, people.create), (12, people.start), (10, people.look), (2, people.beat), (6, people.finish)),
        *((2, people.leave), (2, people.renew), (2, people.revoke), (5, people.reconnect), (2, people.claim)),
        *((16, utility.use_link), (3, utility.correct)),
        *((12, weather.wait), (18, weather.work), (6, weather.deliver), (3, weather.listen), (1, weather.die)),
    ]
    if town.plan.outsiders:
        found += [(3, utility.dashboard), (3, utility.invite_elsewhere), (1, utility.check), (1, utility.remove)]
    if town.plan.troubles:
        found += [(5, weather.trouble), (1, weather.cut)]
    if town.plan.jumps:
        found += [(3, weather.jump)]
    return found


async def _live(town: Town) -> None:
    deeds = _deeds(town)
    if town.plan.script:
        await _follow(town, {deed.__name__: deed for _, deed in deeds})
        return
    weights = [weight for weight, _ in deeds]
    done = 0
    for _ in range(4 * town.plan.steps):
        several = town.rng.choices((1, 2, 3), (7, 2, 1))[0]
        chosen = town.rng.choices(deeds, weights, k=several)
        done += sum(await asyncio.gather(*(_do(town, deed) for _, deed in chosen)))
        if not any(process.alive for process in town.processes) or town.rng.random() < 0.7:
            await town.restart()
        if done >= town.plan.steps:
            return


async def _follow(town: Town, deeds: Mapping[str, Deed]) -> None:
    for name in town.plan.script:
        await _do(town, deeds[name])
        await town.restart()


async def _do(town: Town, deed: Deed) -> bool:
    try:
        came = await deed()
    except Crash:
        came = "hears nothing more"
    if came is not None:
        town.note(deed.__name__, came)
    return came is not None


async def _heal(town: Town) -> None:
    """Nothing fails any more; only time passes, and the service does what it finds to do."""
    town.perils.calm()
    town.house.is_down = False
    for trouble in list(town.world.troubles):
        if trouble.name != "clock_skew":
            town.world.troubles.remove(trouble.name, None)
    for made in town.truth.made:
        town.world.connections.reveal(made)
    await town.restart()
    town.note("town", "heals")
    await _pass(town, _SOON)
    check_provider(town, await read_books(town.engine))
    await _pass(town, _LATER)


async def _pass(town: Town, pauses: tuple[float, ...]) -> None:
    for seconds in pauses:
        town.clocks.advance(seconds)
        await town.processes[0].work(50)


async def _judge(town: Town) -> Tally:
    books = await read_books(town.engine)
    while await town.listen(100):
        pass
    check_log(town, books)
    check_sessions(town, books)
    return Verdicts(town, books).check()


def _quiet(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A task that ended with its process has nothing more to say."""
    if not isinstance(context.get("exception"), Crash):
        logging.getLogger("service").error("%s", context.get("message"), exc_info=context.get("exception"))  # type: ignore[arg-type]
