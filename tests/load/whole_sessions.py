"""What a whole session costs: created, its link made, its page started, connected at the sandbox, finished, recorded.

`python -m tests.load.whole_sessions --seconds 30`. One process of the service, the sandbox as the provider on the other
core. The sandbox's part of the work (its pages are filled in form by form) limits how many sessions there are a second;
what one costs the service does not depend on that.
"""

import argparse
import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.load.load_users import KEY, LoadUsers
from tests.load.processes import LoadServices, ServerProcess, database, running_services

_PEOPLE = 8
_COMPANIES = 40


@dataclass(frozen=True)
class Used:
    """What a process has used since its start."""

    cpu_seconds: float
    written_bytes: int

    @classmethod
    def by(cls, process: ServerProcess) -> "Used":
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        io = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
        return cls((int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), int(io["write_bytes"]))


async def measure(services: LoadServices, seconds: float, say: Callable[[str], object]) -> None:
    """Press for so many seconds, after the companies are known, and report."""
    await services.start()
    (worker,) = services.workers
    companies = [f"company-{number}" for number in range(_COMPANIES)]
    users = LoadUsers([worker.url], services.sandbox.url, random.Random(1), companies)  # noqa: S311 - the same users in every run
    pressing = asyncio.create_task(users.press(_PEOPLE))
    await users.all_kinds()
    await asyncio.sleep(seconds / 3)
    before, done = (Used.by(worker), Used.by(services.sandbox)), _connected(users)
    calls = await _number_of_calls(worker.url)
    await asyncio.sleep(seconds)
    after, connected = (Used.by(worker), Used.by(services.sandbox)), _connected(users) - done
    calls = await _number_of_calls(worker.url) - calls
    kinds = await _latest_calls(services.sandbox.url)
    users.stopping = True
    await asyncio.gather(pressing, return_exceptions=True)
    own, theirs = (new.cpu_seconds - old.cpu_seconds for new, old in zip(after, before, strict=True))
    written = after[0].written_bytes - before[0].written_bytes
    shares = f"service {own / seconds:.0%} of a core, sandbox {theirs / seconds:.0%}"
    say(f"{connected / seconds:.1f} sessions a second; {shares}")
    say(f"each takes the service {own / connected * 1000:.1f} ms of CPU, {written / connected / 1024:.0f} KiB written")
    say(f"{calls / connected:.2f} provider calls for each:")
    for call, number in kinds.most_common():
        say(f"  {calls / connected * number / kinds.total():5.2f} {call}")


def _connected(users: LoadUsers) -> int:
    return sum(one.connected for one in users.planned_sessions)


async def _number_of_calls(worker: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"{worker}/metrics", headers={"Authorization": f"Bearer {KEY}"})).raise_for_status().text
    lines = [line for line in text.splitlines() if line.startswith("magiclink_provider_calls_total")]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


async def _latest_calls(sandbox: str) -> Counter[str]:
    """The provider calls among the requests that the sandbox still knows, by method and what is asked for."""
    async with httpx.AsyncClient(trust_env=False) as http:
        entries: list[dict[str, Any]] = (await http.get(f"{sandbox}/_control/requests")).json()["requests"]
    return Counter(f"{entry['method']} {_kind(entry['path'])}" for entry in entries if entry["path"].startswith("/v2"))


def _kind(path: str) -> str:
    return "/".join(part if part.isalpha() else "…" for part in path.split("/")[2:])


def main() -> None:
    """Read the options and measure."""
    options = argparse.ArgumentParser(prog="python -m tests.load.whole_sessions", description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = options.parse_args()
    with database(given.database) as url, running_services(url, 1, 1) as services:
        asyncio.run(measure(services, given.seconds, print))


if __name__ == "__main__":
    main()
