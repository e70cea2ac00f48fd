"""The background loop of every process: leases jobs that are due and runs their use cases.

A worker renews its leases while its jobs run. The jobs of a worker that died are leased again when its leases end;
running a job twice has the effect of running it once. A worker that was suspended for too long has lost its leases, and
cannot write what it had read before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from service.background.loops import renew_forever
from service.domain.changes import JobKind, LeasedJob
from service.domain.timing import LEASE_SECONDS, RELEASE_SECONDS
from service.errors import MagiclinkError, NotFound, ProviderFailure, ProviderRefused, Unavailable
from service.store import Store
from service.telemetry.load import RequestLoad

_log = logging.getLogger(__name__)

_BATCH = 16  # more than the calls that the provider takes at once: jobs without calls go on while it is slow
# Jobs that no page waits for: fewer than those calls, so that a page's job finds a free slot and a free call.
_BACKGROUND = 8
# While many requests of the API are in progress. Never 0: what their callers were promised is done under any load.
_BACKGROUND_UNDER_LOAD = 1
_IDLE_SECONDS = 1.0  # how long a job that another process enqueued may wait
_LONGEST_PAUSE_SECONDS = 60.0
_FAULT_SECONDS = 60.0
_CLOCK_SECONDS = 30.0  # between two looks at the database's clock
_HELD_SECONDS = 0.05  # until `run_now` asks again for a job that another worker holds
# A long outage would otherwise write a line a minute for each of thousands of jobs: at first, then about each hour.
_ATTEMPTS_BETWEEN_LINES = 60
_RETRY_SECONDS = (1.0, 2.0, 4.0, 4.0, 4.0, 8.0, 15.0, 30.0, 60.0)

Count = Callable[[str, str], None]
Handler = Callable[[LeasedJob], Awaitable[object]]


@dataclass(slots=True)
class _SharedRun:
    """One run of a job that callers of `run_now` wait for: first for its lease, then for its end."""

    task: asyncio.Task[None]
    callers: int = 0


class Worker:
    """A handler takes the job and returns in how many seconds it is due again; anything but a float ends it.

    `renew_others` renews this process's other leases; it is called whenever those of jobs are renewed. While
    `load` is high, jobs that no page waits for run one at a time.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[JobKind, Handler],
        count: Count = lambda _kind, _outcome: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        renew_others: Callable[[], Awaitable[None]] | None = None,
        load: RequestLoad | None = None,
    ) -> None:
        self._store = store
        self._count = count
        self._handlers = handlers
        self._sleep = sleep
        self._renew_others = renew_others
        self.load = load or RequestLoad(lambda: asyncio.get_running_loop().time())
        self._awake = asyncio.Event()
        self._clock_due_at = 0.0  # by the loop's clock
        self._stopped_at: float | None = None  # by the loop's clock
        self._running: set[asyncio.Task[None]] = set()
        self._now: dict[tuple[JobKind, str], _SharedRun] = {}
        self._unwritten: list[tuple[LeasedJob, float | None]] = []
        self._leased: dict[str, LeasedJob] = {}  # by lease
        self._renewing: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Lease soon: a job is due."""
        self._awake.set()

    async def run(self) -> None:
        """Run jobs until `stop`; while the database is unavailable, keep trying."""
        self._renewing = asyncio.create_task(renew_forever(self.renew_leases, self._sleep, "leases"), name="renewals")
        is_away = False
        while self._stopped_at is None:
            self._awake.clear()
            try:
                await self._follow_clock()
                await self._write_unwritten()
                busy = await self.lease_batch()
                wait = 0.0 if busy else min(_IDLE_SECONDS, await self._store.queue.next_in_seconds() or _IDLE_SECONDS)
                is_away = False
            except Unavailable:
                if not is_away:  # once for each outage, and not in each round
                    _log.warning("the database is unavailable; jobs wait")
                is_away, wait = True, _IDLE_SECONDS
            except Exception:  # noqa: BLE001 - without this loop nothing is recorded any more; the error is logged
                _log.exception("the worker's loop failed")
                wait = _IDLE_SECONDS
            if wait:
                await self._wait(wait)

    async def _follow_clock(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._clock_due_at:
            return
        self._clock_due_at = now + _CLOCK_SECONDS
        set_back = await self._store.queue.follow_clock()
        if set_back:
            _log.warning("the database's clock was set back by %d s; jobs are due earlier by as much", set_back)

    async def lease_batch(self) -> bool:
        """Lease and start what is due, up to the batch; False where nothing was. Waits while the batch is full."""
        while len(self._running) >= _BATCH:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        if self._stopped_at is not None:
            return False
        free, background = _BATCH - len(self._running), max(0, self._share() - self._in_background())
        leased = await self._store.queue.lease(free, LEASE_SECONDS, background)
        for job in leased:
            self._start(job)
        return bool(leased)

    async def renew_leases(self) -> None:
        """Renew the lease of every running job, in one statement. A job that lost its lease can write nothing more."""
        if self._renew_others is not None:
            await self._renew_others()
        held = frozenset(self._leased)
        if not held:
            return
        for lease in held - await self._store.queue.renew(held, LEASE_SECONDS):
            job = self._leased.pop(lease, None)
            if job is not None:  # otherwise it has ended meanwhile
                _log.warning("the lease of a running job was lost: %s %s", job.kind, job.ref)

    async def run_now(self, kind: JobKind, ref: str, seconds: float) -> None:
        """Run a job at once, whether due or not, and wait for it at most `seconds`; it goes on afterwards.

        All calls for the same job at the same time, in all processes, wait for one run of it: the job's lease decides
        which process runs it. While another holds the lease, the calls take no place of this worker's jobs.
        """
        run = self._now.get((kind, ref))
        if run is None:
            task = asyncio.create_task(self._run_now(kind, ref), name=f"now:{kind}:{ref}")
            run = self._now[kind, ref] = _SharedRun(task)
        run.callers += 1
        try:
            await asyncio.wait([run.task], timeout=seconds)
        finally:
            run.callers -= 1

    async def _run_now(self, kind: JobKind, ref: str) -> None:
        try:
            job = await self._lease_now(kind, ref)
            if job is not None:
                await self._start(job)
        except Unavailable:
            _log.warning("the database is unavailable; %s %s did not run at once", kind, ref)
        finally:
            # Before this task ends: a call that comes later must not wait for a run that is over.
            self._now.pop((kind, ref), None)

    async def _lease_now(self, kind: JobKind, ref: str) -> LeasedJob | None:
        """Ask for the job's lease until it is given; None once no caller waits, or this worker leases no more."""
        while (job := await self._store.queue.lease_now(kind, ref, LEASE_SECONDS)) is None:
            await self._sleep(_HELD_SECONDS)
            if not self._now[kind, ref].callers or self._stopped_at is not None:
                return None
        return job

    def _start(self, job: LeasedJob) -> asyncio.Task[None]:
        self._leased[job.lease] = job
        task = asyncio.create_task(self.run_job(job), name=f"{job.kind}:{job.ref}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def run_until_idle(self) -> None:
        """Run everything that is due now, and what that makes due."""
        while await self.lease_batch():
            await self.wait_for_running()

    async def wait_for_running(self) -> None:
        """Wait for the jobs that are running, and for calls of `run_now` that have no lease yet."""
        while under_way := self._under_way():
            await asyncio.wait(under_way)

    def stop_leasing(self) -> None:
        """Lease no more jobs; those that are running go on."""
        if self._stopped_at is None:
            self._stopped_at = asyncio.get_running_loop().time()
        self.wake()

    async def stop(self, seconds: float) -> None:
        """Stop leasing, wait `seconds` for running jobs, counted from `stop_leasing`, and release the other leases."""
        self.stop_leasing()
        if under_way := self._under_way():
            since_then = asyncio.get_running_loop().time() - (self._stopped_at or 0.0)
            _, late = await asyncio.wait(under_way, timeout=max(0.0, seconds - since_then))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._renewing is not None:  # running jobs needed it until here
            self._renewing.cancel()
        await self._release()

    def _under_way(self) -> set[asyncio.Task[None]]:
        # A call of `run_now` that asks for its lease may be given it, and then has a job that runs.
        return self._running | {run.task for run in self._now.values() if not run.task.done()}

    async def _release(self) -> None:
        jobs, self._leased = list(self._leased.values()), {}
        try:
            if jobs:
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._store.queue.release(jobs)
        except (Unavailable, TimeoutError):
            _log.warning("the database is unavailable; %d jobs wait for their leases to end", len(jobs))

    async def run_job(self, job: LeasedJob) -> None:
        """Run one leased job and write when it is due again."""
        self._leased[job.lease] = job
        await self._run_job(job)
        if not job.waited_for and self._in_background() >= self._share():
            self.wake()  # others may be due that were held back
        self._leased.pop(job.lease, None)

    def _share(self) -> int:
        return _BACKGROUND_UNDER_LOAD if self.load.holds_back_background_work() else _BACKGROUND

    def _in_background(self) -> int:
        return sum(not job.waited_for for job in self._leased.values())

    async def _run_job(self, job: LeasedJob) -> None:
        try:
            again = await self._handlers[job.kind](job)
            await self._store.queue.complete(job, again if isinstance(again, float) else None)
            self._count(job.kind, "done")
        except (NotFound, ProviderRefused) as exc:
            _log.warning("job dropped: %s %s: %s %s", job.kind, job.ref, exc.code, exc.detail)
            await self._end(job, None)
        except MagiclinkError as exc:
            if job.attempts % _ATTEMPTS_BETWEEN_LINES == 0:
                _log.warning("job put off: %s %s: %s %s", job.kind, job.ref, exc.code, exc.detail)
            await self._end(job, max(retry_seconds(job.attempts), _asked_seconds(exc)))
        except Exception:  # noqa: BLE001 - an error in one job must not end the loop; it is logged
            _log.exception("job failed: %s %s", job.kind, job.ref)
            await self._end(job, _FAULT_SECONDS)

    async def _end(self, job: LeasedJob, again: float | None) -> None:
        self._count(job.kind, "dropped" if again is None else "put_off")
        try:
            await self._write(job, again)
        except Unavailable:
            _log.warning("the database is unavailable; the end of %s %s is written later", job.kind, job.ref)
            self._unwritten.append((job, again))
        except Exception:  # noqa: BLE001 - if it were raised here, the lease would be renewed for ever; it is logged
            _log.exception("the end of %s %s cannot be written; it runs again when its lease ends", job.kind, job.ref)

    async def _write_unwritten(self) -> None:
        """Write what the database did not take before; without effect on a job that another worker leased meanwhile."""
        # Taken from the list first: the end of another job may be added to it while this one is written.
        while self._unwritten:
            job, again = self._unwritten.pop()
            try:
                await self._write(job, again)
            except Unavailable:
                self._unwritten.append((job, again))
                raise

    async def _write(self, job: LeasedJob, again: float | None) -> None:
        await (self._store.queue.complete(job) if again is None else self._store.queue.retry(job, again))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return


def _asked_seconds(exc: MagiclinkError) -> float:
    """How long the provider asked to wait before the next call, 0 if it did not; at most the longest pause."""
    asked = exc.after_seconds if isinstance(exc, ProviderFailure) else None
    return min(asked or 0.0, _LONGEST_PAUSE_SECONDS)


def retry_seconds(attempts: int) -> float:
    """Return the pause before the next attempt, a minute at most.

    It is short at first, so that a page continues soon after the provider recovers.
    """
    return _RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS) - 1)]
