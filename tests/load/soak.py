"""`make soak-load`: mixed load with the sandbox's troubles on for an hour, then more than the service can answer.

While users connect and the provider misbehaves, memory, file handles, tasks and those tables that should be bounded are
sampled; the last third of the samples must be no larger than the first, apart from what a first hour adds. Then many
more clients than the service can answer create sessions at once: what it does not refuse must be stored, a refusal must
be a 503 with Retry-After, and its speed must be back within five seconds.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median
from time import perf_counter, time  # noqa: TID251 - real processes live in real time

import httpx

from tests.load.load_users import OUTCOMES, LoadUsers
from tests.load.local_receiver import FailingSometimes, LocalReceiver
from tests.load.observed import ask
from tests.load.overload import Overload
from tests.load.processes import LoadServices, database
from tests.load.watcher import Watcher

# Those of the provider's API and webhooks; the others change what users meet on the provider's pages.
TROUBLES = (
    *("slow", "provider_5xx", "rate_limited", "drop_connection", "invalid_json", "untidy"),
    *("invitation_activity_lag", "never_webhook", "webhook_first", "webhook_thrice", "webhook_late"),
    *("webhook_shuffled", "webhook_bad_signature"),
)
# The sandbox tells of 200 documents a second at most. An account for fuel has 24; so many users with such a pause make
# four accounts a second.
_TYPES = ("FUEL",)
_PAUSE_SECONDS = 1.5
_COMPANIES_AT_ONCE = 40
_SAMPLES = 60
_TROUBLE_SECONDS = 5.0
_LATE_SECONDS = 60.0
_FAILING_SHARE = 0.1
# What a sample may grow by between the first and the last third: caches fill, and load is not even.
_MOST_GROWTH = {"megabytes": (1.15, 10), "handles": (1.2, 30), "tasks": (1.5, 50), "threads": (1.0, 4)}
_TABLE_GROWTH = (1.5, 50)


@dataclass(frozen=True)
class SoakSample:
    """The service at one moment: of the process, then rows that must not pile up."""

    megabytes: float
    handles: float
    tasks: float
    threads: float
    late_jobs: float
    intents: float
    unread_webhooks: float
    late_deliveries: float
    unsequenced_events: float


@dataclass
class Soak:
    """One run; `faults` is empty where everything stayed bounded."""

    services: LoadServices
    report: Path
    samples: list[SoakSample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def run(self, users: LoadUsers, seconds: float, people: int, rng: random.Random) -> None:
        """Load and troubles for so long, then the time in which what is left is done."""
        pressing = asyncio.create_task(users.press(people))
        troubling = asyncio.create_task(self._make_troubles(rng))
        for number in range(_SAMPLES):
            # A poll lists all accounts of a company: with the same companies for an hour, each would cost more.
            users.companies = [f"company-{number}-{each}" for each in range(_COMPANIES_AT_ONCE)]
            await asyncio.sleep(seconds / _SAMPLES)
            if pressing.done():
                pressing.result()  # no user stops early: an error of theirs is the finding
            self.services.require_alive()
            self.samples.append(await asyncio.to_thread(self._sample))
        troubling.cancel()
        users.stopping = True
        await asyncio.gather(troubling, pressing, return_exceptions=True)

    async def _make_troubles(self, rng: random.Random) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            while True:
                url = f"{self.services.sandbox.url}/_control/troubles/{rng.choice(TROUBLES)}"
                (await http.put(url, json={"times": rng.randint(1, 5)})).raise_for_status()
                await asyncio.sleep(_TROUBLE_SECONDS)

    def _sample(self) -> SoakSample:
        (worker,) = self.services.workers
        told, process = ask(worker.pid, self.report), Path(f"/proc/{worker.pid}")
        pages = int((process / "statm").read_text().split()[1])
        late = time() - _LATE_SECONDS
        with Watcher.of(self.services.url) as watcher:
            rows = [int(watcher.rows(sql.format(late=late))[0][0]) for sql in _BOUNDED]
        return SoakSample(
            pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576,
            sum(1 for _ in (process / "fd").iterdir()),
            told["tasks"],
            told["threads"],
            *rows,
        )

    def judge(self) -> list[str]:
        """A line for each figure; the first sixth, in which caches fill, does not count."""
        counted = self.samples[len(self.samples) // 6 :]
        third = max(1, len(counted) // 3)
        lines = []
        for one in fields(SoakSample):
            figures = [float(getattr(sample, one.name)) for sample in counted]
            first, last = median(figures[:third]), median(figures[-third:])
            factor, more = _MOST_GROWTH.get(one.name, _TABLE_GROWTH)
            if last > first * factor + more:
                self.faults.append(f"{one.name} grew from {first:.0f} to {last:.0f}")
            name = one.name.replace("_", " ")
            lines.append(f"{name}: {first:.0f} at first, {last:.0f} at last, {max(figures):.0f} at most")
        return lines


# In the order of the fields of a sample. A job may wait for its time; one that is due and not leased is late.
_BOUNDED = (
    "SELECT COUNT(*) FROM work WHERE lease IS NULL AND due_at < {late}",
    "SELECT COUNT(*) FROM intents",
    "SELECT COUNT(*) FROM inbox WHERE done_at IS NULL AND received_at < {late}",
    "SELECT COUNT(*) FROM deliveries WHERE status = 'pending' AND next_at < {late}",
    "SELECT COUNT(*) FROM events WHERE seq IS NULL AND at < {late}",
)


@dataclass(frozen=True)
class Plan:
    """One run."""

    database: str
    seconds: float
    people: int
    clients: int
    seed: int = 1


async def run(plan: Plan, url: str, receiver: LocalReceiver, folder: Path) -> tuple[list[str], list[str]]:
    """What was found, and the faults."""
    services = LoadServices(url, 1, 1)
    report = folder / "observed.json"
    (worker,) = services.workers
    services.workers = [worker.observed(report, {"MAGICLINK_CONNECTIONS_PER_ADDRESS": str(2 * plan.clients)})]
    soak, rng = Soak(services, report), random.Random(plan.seed)  # noqa: S311 - no secret
    try:
        await services.start()
        await services.add_endpoint(receiver.url)
        users = LoadUsers([services.workers[0].url], services.sandbox.url, rng, outcomes=OUTCOMES)
        users.types, users.pause_seconds = _TYPES, _PAUSE_SECONDS
        await soak.run(users, plan.seconds, plan.people, rng)
        done = sum(one.connected for one in users.planned_sessions)
        overload = Overload(services.workers[0].url, plan.clients)
        lines = [f"{done} accounts connected, {len(receiver.posts)} deliveries", *soak.judge(), *await overload.run()]
        with Watcher.of(url) as watcher:
            lost = overload.lost({str(row[0]) for row in watcher.rows("SELECT id FROM sessions")})
        return lines, [*soak.faults, *overload.faults, *lost]
    finally:
        for process in services.processes:
            process.close()


def main() -> int:
    """Read the options, run, and report."""
    options = argparse.ArgumentParser(prog="make soak-load", description=__doc__)
    options.add_argument("--seconds", type=float, default=3600.0, help="of the mixed load (default 3600)")
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--people", type=int, default=8)
    options.add_argument("--clients", type=int, default=1000, help="at once in the overload (default 1000)")
    given = options.parse_args()
    plan, began = Plan(given.database, given.seconds, given.people, given.clients), perf_counter()
    failing = FailingSometimes(random.Random(plan.seed), _FAILING_SHARE)  # noqa: S311 - no secret
    with (
        database(plan.database) as url,
        LocalReceiver(failing) as receiver,
        tempfile.TemporaryDirectory() as folder,
    ):
        lines, faults = asyncio.run(run(plan, url, receiver, Path(folder)))
    lines = [*lines, *faults, f"{perf_counter() - began:.0f} s, {len(faults)} faults, load {os.getloadavg()[0]:.1f}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
