"""`make bench-sessions`: whole sessions a second on one process, and what each costs.

A session is created, its link is made at a provider that answers at once, its page is opened and started and waits for
the link on its live stream, its user connects and finishes, the connection is recorded, and `session.connected` is
delivered to one endpoint. This process is the host, the users, the provider and the receiver, on another core.
Companies and sites are known before the measure. On SQLite a second, shorter run counts statements, and where strace
may be used the waits for the disk: both slow the service down.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter

import psycopg
import uvloop

from tests.load.measured import put_into
from tests.load.observed import ask
from tests.load.servers import AS_JSON, BODY, WEBHOOK_SECRET, Server, open_ours
from tests.load.stream_clients import Caller, open_views
from tests.load.stub_provider import PREFIX, StubProvider, StubReceiver, signed
from tests.support.ports import free_port
from tests.support.postgres import running_postgres

# A company is polled 60 times at once and 240 times an hour: enough companies that no session waits for that.
_SESSIONS_OF_A_COMPANY = 10
_WAIT_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0
_PAGE = {"Content-Type": "application/json", "Accept": "application/json"}
WHY = {
    "POST /invitation/company/…": "the session's own link, which alone names the connection that it makes",
    "GET /connection/…/details": "the webhook names no company",
    "GET /company/…/connection": "a poll: what connections there are",
    "GET /invitation/company/…": "a poll: which invitation made which",
    "GET /company/…/connection/…/document": "whether the new connection has documents",
    "GET /invitation/…": "an invitation's log: whether a shown link was used",
    "GET /company": "a company that is not known yet is searched for before it is created",
    "GET /company/…": "a site that is not known yet is searched for",
    "POST /company": "a new company",
    "POST /company/…/site": "a new site",
}
Say = Callable[[str], object]


@dataclass
class WholeSessions:
    """The users; `done` is when each session's end was delivered, `took` how long it had taken."""

    service: Server
    provider: StubProvider
    receiver: StubReceiver
    companies: int
    done: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    stopping: bool = False
    _numbers: "count[int]" = field(default_factory=count)

    async def press(self, users: int) -> None:
        """So many users at once, one session after the other, until `stopping`."""
        await asyncio.gather(*(self._live() for _ in range(users)))

    async def know_companies(self) -> None:
        """A session of each company, without a page, so that all are known at the provider."""
        caller = Caller(self.service.port)
        made = [await caller.post("/v1/sessions", self._body(one), AS_JSON) for one in range(self.companies)]
        for one in made:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (await caller.get(f"/v1/sessions/{one['id']}", AS_JSON))["link"]["status"] != "ready":  # noqa: ASYNC110
                    await asyncio.sleep(_WAIT_SECONDS)

    async def _live(self) -> None:
        caller = Caller(self.service.port)
        while not self.stopping:
            began = perf_counter()
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._session(caller, next(self._numbers))
            self.done.append(perf_counter())
            self.took.append(self.done[-1] - began)

    async def _session(self, caller: Caller, number: int) -> None:
        made = await caller.post("/v1/sessions", self._body(number % self.companies), AS_JSON)
        token = made["embedUrl"].rpartition("/")[2]
        await caller.get(f"/embed/{token}", {"Sec-Fetch-Dest": "iframe"}, is_json=False)
        started = await caller.post(f"/embed/{token}/start", {"takeOver": False}, _PAGE)
        key = {"X-Page-Key": started["pageKey"]} | _PAGE
        async with open_views(self.service.port, f"/live/{token}", started["pageKey"]) as views:
            view = started["view"]
            while view["link"]["url"] is None:
                view = await anext(views)
            _, webhook = self.provider.connect(view["link"]["url"])
            await caller.post("/webhooks/nectar", webhook, signed(WEBHOOK_SECRET, webhook))
            await caller.post(f"/embed/{token}/finished", {}, key)
            while "session.connected" not in self.receiver.delivered[made["id"]]:  # noqa: ASYNC110 - the receiver sets it
                await asyncio.sleep(_WAIT_SECONDS)

    def _body(self, company: int) -> dict[str, object]:
        return {**BODY, "company": {"externalId": f"company-{company}", "name": f"Company {company}"}, "link": "auto"}


@dataclass(frozen=True)
class Used:
    """What the process has used, the provider was asked and the receiver got since their starts."""

    cpu_seconds: float
    written_bytes: int
    calls: Counter[str]
    posts: int

    @classmethod
    def of(cls, sessions: WholeSessions) -> "Used":
        pid = sessions.service.pid
        io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        calls = sessions.provider.calls.copy()
        return cls(sessions.service.cpu_seconds, int(io["write_bytes"]), calls, sessions.receiver.posts)


@dataclass(frozen=True)
class Plan:
    """One run."""

    database: str
    seconds: float
    users: int
    rate: float  # expected, for the number of companies


async def measure(plan: Plan, folder: Path, url: str) -> list[tuple[str, str]]:
    """Speed and costs, as rows of a table; then what the database did, on SQLite in a second run."""
    sessions = await _opened(plan, folder, url, ["service", "serve"])
    try:
        before = _of_server(url)
        rows = _speed(plan, sessions, *await _pressed(sessions, plan.users, plan.seconds))
        number = len(sessions.done)
    finally:
        sessions.service.close()
    if before is not None and (after := _of_server(url)) is not None:
        commits, written = ((new - old) / number for new, old in zip(after, before, strict=True))
        rows[-1:-1] = [("commits of PostgreSQL", f"{commits:.1f}"), ("KiB of its log", f"{written / 1024:.0f}")]
        return rows
    report = folder / "observed.json"
    counted = await _opened(plan, folder, url, ["tests.load.observed", str(report), "--statements"])
    try:
        rows[-1:-1] = await _counted(counted, plan, report)
    finally:
        counted.service.close()
    return rows


def _of_server(url: str) -> tuple[float, float] | None:
    """Transactions and bytes of log of a PostgreSQL so far."""
    if not url.startswith("postgresql"):
        return None
    sql = "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') FROM pg_stat_database WHERE datname = "
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(f"{sql} current_database()").fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


async def _opened(plan: Plan, folder: Path, url: str, module: list[str]) -> WholeSessions:
    provider, receiver = StubProvider("https://pages.stub.example"), StubReceiver()
    provider_port, receiver_port = await provider.serve(), await receiver.serve()
    settings = {
        "MAGICLINK_DATABASE_URL": url if url.startswith("postgresql") else f"{url}-{free_port()}",
        "MAGICLINK_PROVIDER_URL": f"http://127.0.0.1:{provider_port}{PREFIX}",
        "MAGICLINK_PROVIDER_PAGES_URL": "https://pages.stub.example",
        "MAGICLINK_WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    service = await asyncio.to_thread(open_ours, folder, settings, module=module)
    endpoint = {"url": f"http://127.0.0.1:{receiver_port}/hooks"}
    await Caller(service.port).post("/v1/webhook-endpoints", endpoint, AS_JSON)
    companies = max(20, int(plan.rate * plan.seconds * 1.5 / _SESSIONS_OF_A_COMPANY))
    sessions = WholeSessions(service, provider, receiver, companies)
    await sessions.know_companies()
    return sessions


async def _pressed(sessions: WholeSessions, users: int, seconds: float) -> tuple[Used, Used, int]:
    """What was used before and after, and how many sessions were done between."""
    pressing = asyncio.create_task(sessions.press(users))
    await asyncio.sleep(seconds / 5)
    before, done = Used.of(sessions), len(sessions.done)
    await asyncio.sleep(seconds)
    after, number = Used.of(sessions), len(sessions.done) - done
    sessions.stopping = True
    await pressing
    return before, after, max(1, number)


def _speed(plan: Plan, sessions: WholeSessions, before: Used, after: Used, number: int) -> list[tuple[str, str]]:
    cpu = after.cpu_seconds - before.cpu_seconds
    calls = after.calls - before.calls
    took = sorted(sessions.took)
    per = [(f"provider: `{call}`: {WHY.get(call, '')}", f"{n / number:.2f}") for call, n in calls.most_common()]
    return [
        (f"whole sessions a second, {plan.users} users at once (goal: 150)", f"{number / plan.seconds:.1f}"),
        ("seconds from the create to the delivery, median", f"{took[len(took) // 2]:.2f}"),
        ("the service's share of a core", f"{cpu / plan.seconds:.0%}"),
        ("CPU of the service for each, ms", f"{1000 * cpu / number:.1f}"),
        ("KiB written by the service", f"{(after.written_bytes - before.written_bytes) / number / 1024:.0f}"),
        ("deliveries", f"{(after.posts - before.posts) / number:.1f}"),
        ("provider calls", f"{calls.total() / number:.2f}"),
        *per,
        ("load average", f"{os.getloadavg()[0]:.1f}"),
    ]


async def _counted(sessions: WholeSessions, plan: Plan, report: Path) -> list[tuple[str, str]]:
    """Statements and, where it is allowed, the calls that wait for the disk."""
    before = Counter[str]((await asyncio.to_thread(ask, sessions.service.pid, report))["statements"])
    with _traced(sessions.service.pid, report.parent) as summary:
        seconds = max(3.0, plan.seconds / 3)
        _, _, number = await _pressed(sessions, plan.users, seconds)
    number = len(sessions.done)  # all that was counted, also outside of the measured time
    after = Counter[str]((await asyncio.to_thread(ask, sessions.service.pid, report))["statements"])
    told = after - before
    rows = [(f"statements: {kind}", f"{told[kind] / number:.1f}") for kind, _ in told.most_common(6)]
    synced = sum(int(n) for n in re.findall(r"(\d+)\s+(?:\d+\s+)?f(?:data)?sync\b", summary()))
    if synced:
        rows.append(("calls of fsync and fdatasync", f"{synced / number:.2f}"))
    return [("statements of SQLite", f"{told.total() / number:.1f}"), *rows] if told else rows


@contextmanager
def _traced(pid: int, folder: Path) -> Iterator[Callable[[], str]]:
    """Count the process's waits for the disk while the block lasts; nothing where strace is not there."""
    said = folder / "strace"
    program = shutil.which("strace")
    if program is None:
        yield lambda: ""
        return
    command = [program, "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(said), "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracing:
        yield lambda: said.read_text() if said.exists() else ""
        tracing.terminate()


def main() -> None:
    """Read the options, measure, and write the table."""
    options = argparse.ArgumentParser(prog="make bench-sessions", description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--users", type=int, default=48, help="sessions that go on at once (default 48)")
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options.add_argument("--rate", type=float, default=200.0, help="sessions a second to have companies for")
    options.add_argument("--markdown", type=Path, help="put the table into this page too")
    given = options.parse_args()
    plan, say = Plan(given.database, given.seconds, given.users, given.rate), print
    with tempfile.TemporaryDirectory() as folder:
        rows = _run(plan, Path(folder))
    for name, figure in rows:
        say(f"{figure:>9}  {name}")
    if given.markdown:
        table = [f"| one session on {plan.database} | |", "| --- | --: |", *(f"| {name} | {n} |" for name, n in rows)]
        put_into(given.markdown, f"make bench-sessions, {plan.database}", "\n".join(table))


def _run(plan: Plan, folder: Path) -> list[tuple[str, str]]:
    if plan.database == "sqlite":
        return uvloop.run(measure(plan, folder, f"sqlite:///{folder}/sessions.db"))
    with running_postgres("-c fsync=on") as server, server.migrated_database() as url:
        return uvloop.run(measure(plan, folder, url))


if __name__ == "__main__":
    main()
