"""Histories of one connection over weeks: it breaks and is mended, polls see it late, and reminders are told or not."""

import json
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from service.domain.changes import Job, JobKind
from service.domain.reminders import DAY_SECONDS
from service.domain.statuses import ConnectionState, needs_attention, state_of
from service.domain.timing import REMINDER_DAYS
from service.store.jobs import enqueue
from tests.simulation.checks import Row, StoredRows
from tests.simulation.crashes import Crash
from tests.simulation.plan import Plan
from tests.simulation.provider_actions import ProviderActions
from tests.simulation.simulation import Simulation
from tests.simulation.troubles import Troubles
from tests.simulation.user_actions import UserActions

_BAD = ("PASSWORD_INCORRECT", "NO_ACCOUNTS_FOUND", "MFA_TOKEN_EXPIRED", "INCORRECT_PASSWORD")
_BETWEEN = ("PENDING", "WEBSITE_DOWN", "UNDER_INVESTIGATION")
_WORKING = "CONNECTED"
_HOUR = 3600.0
_STEP_SECONDS = 6 * _HOUR  # the service does what is due at least so often
_SILENT_SECONDS = 60.0
_PASSES = 6
_RETRY_SECONDS = 11.0  # longer than a lease
# A job that failed in all passes of a step runs with the next step or the one after.
_LATE_SECONDS = 3 * _STEP_SECONDS
# A poll a day sees a status; what becomes due then is done with the next step.
_SEEN_SECONDS = DAY_SECONDS + _LATE_SECONDS
_ASKED, _REMINDED = "connection.needs_attention", "connection.reminder"


def plan_of(rng: random.Random) -> Plan:
    """One user, one connection; processes end at random moments in half of the histories."""
    plan = Plan.scripted("invitation")
    return replace(plan, crash_rate=rng.choice((0.0, 0.0, 0.002, 0.01)), steps=rng.randrange(6, 25))


async def live(simulation: Simulation) -> None:
    """Connect an account; then statuses change and time passes."""
    history = _Changes(simulation)
    await history.connect()
    for _ in range(simulation.plan.steps):
        await history.change()
        await history.wait()
    simulation.ground_truth.lived_until = simulation.clocks.at


@dataclass
class _Changes:
    """What happens to the connection; `ground_truth.statuses` has what is true from when on."""

    simulation: Simulation

    async def connect(self) -> None:
        users, troubles = UserActions(self.simulation), Troubles(self.simulation)
        # By its own calls and not through a page: a page that is present would be polled for.
        while not self.simulation.ground_truth.made:
            await users.create()
            await self._work()
            await users.start()
            await users.poll_page()
            await self._use_link()
            await self.simulation.restart()
        await troubles.deliver()
        await self._work()

    async def _use_link(self) -> None:
        await ProviderActions(self.simulation).use_link()
        for made in self.simulation.ground_truth.made:
            self._set(made, _WORKING)

    async def change(self) -> None:
        """The provider finds a status, and says so by a webhook, or does not."""
        rng = self.simulation.rng
        for connection_id in self.simulation.ground_truth.made:
            self._set(connection_id, rng.choice((*_BAD, *_BAD, *_BETWEEN, _WORKING, _WORKING, _WORKING)))
        outbox = self.simulation.world.outbox
        if rng.random() < 0.5:
            await Troubles(self.simulation).deliver()
        for message in list(outbox):
            outbox.settle(message, None)

    def _set(self, connection_id: str, status: str) -> None:
        self.simulation.world.connections.set_status(connection_id, status)
        told = self.simulation.ground_truth.statuses.setdefault(connection_id, [])
        told.append((self.simulation.clocks.at, status))
        self.simulation.note("provider", f"{connection_id[:8]} is {status}")

    async def wait(self) -> None:
        """Minutes, hours, days or weeks, of which the service uses every few hours."""
        rng = self.simulation.rng
        left = rng.choice(
            (30.0, 900.0, _HOUR, 8 * _HOUR, DAY_SECONDS, 2 * DAY_SECONDS, 4 * DAY_SECONDS, 12 * DAY_SECONDS)
        )
        left *= rng.uniform(0.7, 1.3)
        while left > 0:
            step = min(left, rng.uniform(_HOUR, _STEP_SECONDS))
            self.simulation.clocks.advance(step)
            left -= step
            if rng.random() < 0.1:
                await self._repeat_jobs()
            await self._work()

    async def _repeat_jobs(self) -> None:
        """As if a process had ended after it reminded and before its job was done."""
        jobs = [Job(JobKind.REMIND, connection_id) for connection_id in self.simulation.ground_truth.made]
        with suppress(Crash):
            await self.simulation.engine.write(lambda tx: enqueue(tx, *jobs))
        await self.simulation.restart()

    async def _work(self) -> None:
        for _ in range(_PASSES):
            await self.simulation.any_process().work(20)
            if not all(process.alive for process in self.simulation.processes):
                await self.simulation.restart()
            elif not await self._is_due_soon():
                return
            # What a process was doing when it ended, or its lease did, is tried again within seconds.
            self.simulation.clocks.advance(_RETRY_SECONDS)

    async def _is_due_soon(self) -> bool:
        soon = self.simulation.clocks.database() + _RETRY_SECONDS
        with suppress(Crash):
            sql = "SELECT 1 AS due FROM work WHERE due_at <= :soon"
            return await self.simulation.engine.read(lambda tx: tx.one(sql, soon=soon)) is not None
        return False


def check_reminders(simulation: Simulation, stored: StoredRows) -> None:
    """No repeat within an episode, none missed, and silence once it is mended."""
    for connection_id, truth in simulation.ground_truth.statuses.items():
        if connection_id in stored.connections:
            told = [row for row in stored.events if row["connection_id"] == connection_id]
            _Check(simulation, truth, told, simulation.ground_truth.lived_until).run()


@dataclass
class _Check:
    simulation: Simulation
    truth: list[tuple[float, str]]
    told: list[Row]
    until: float  # afterwards a day passes at once: no promise about times holds

    def run(self) -> None:
        self._check_silence()
        for began, told in _episodes(self.told):
            self._check_episode(began, told)
        for first, last in self._bad_times():
            self._check_asked(first, last)

    def _fault(self, what: str) -> None:
        events = [(row["type"], round(row["at"]), json.loads(row["data"]).get("day")) for row in self.told]
        self.simulation.fault(f"{what}; truth: {self.truth}; told: {events}")

    def _check_silence(self) -> None:
        for row in self.told:
            since, status = max((one for one in self.truth if one[0] <= row["at"]), default=(0.0, ""))
            wrong = {_ASKED: status == _WORKING, _REMINDED: not _is_bad(status)}.get(row["type"], False)
            if wrong and row["at"] - since > _SILENT_SECONDS:
                self._fault(f"{row['type']} came {row['at'] - since:.0f} s after it was {status}")

    def _check_episode(self, began: float, told: list[tuple[float, Any]]) -> None:
        """`told`: when and which reminders, and at its end when the episode was seen to be over."""
        days = [day for _, day in told[:-1]]
        ended = min(told[-1][0], self.until)
        if days != sorted(set(days)) or not set(days) <= set(REMINDER_DAYS):
            self._fault(f"reminders of one episode: {days}")
        for at, day in told[:-1]:
            if at < self.until and not 0 <= at - began - day * DAY_SECONDS <= _LATE_SECONDS:
                self._fault(f"the reminder of day {day} came after {(at - began) / DAY_SECONDS:.2f} days")
        mended = min((at for at, status in self.truth if status == _WORKING and began < at), default=ended)
        times = [(day, began + day * DAY_SECONDS) for day in REMINDER_DAYS]
        due = [day for day, at in times if at + _LATE_SECONDS < min(ended, mended) and self._stays_bad(at)]
        if not set(due) <= set(days):
            self._fault(f"of the reminders {due} came {days}")

    def _stays_bad(self, at: float) -> bool:
        """Whether it needs attention for as long as the step that is due then may be late."""
        ends = [at for at, _ in self.truth[1:]] + [self.until]
        spans = zip(self.truth, ends, strict=True)
        return all(_is_bad(status) for (since, status), end in spans if since <= at + _LATE_SECONDS and at < end)

    def _bad_times(self) -> list[tuple[float, float]]:
        """From when until when it was bad without a change to anything else."""
        ends = [at for at, _ in self.truth[1:]] + [self.until]
        return [(at, end) for (at, status), end in zip(self.truth, ends, strict=True) if _is_bad(status)]

    def _check_asked(self, first: float, last: float) -> None:
        """After a day at most an episode has begun, which may be the one before where no poll saw the repair."""
        seen_by = first + _SEEN_SECONDS
        if last > seen_by and not any(
            began <= seen_by and (told[-1][0] > first) for began, told in _episodes(self.told)
        ):
            self._fault(f"the owner was not asked between {first} and {seen_by}")


def _is_bad(status: str) -> bool:
    return needs_attention(state_of(status))


def _episodes(rows: list[Row]) -> list[tuple[float, list[tuple[float, Any]]]]:
    """Each with the reminders in it, and with its end: when the log says that it works, or never."""
    found: list[tuple[float, list[tuple[float, Any]]]] = []
    is_open = False
    for row in rows:
        data = json.loads(row["data"])
        if row["type"] == _ASKED:
            found.append((row["at"], []))
            is_open = True
        elif row["type"] == _REMINDED:
            if not is_open:
                found.append((row["at"], []))  # an episode that was not announced: the check of its days fails
                is_open = True
            found[-1][1].append((row["at"], data["day"]))
        elif is_open and data.get("state") == ConnectionState.WORKING:
            found[-1][1].append((row["at"], None))
            is_open = False
    if is_open:
        found[-1][1].append((float("inf"), None))
    return found
