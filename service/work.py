"""The background loop of every process: claims what is due by our own rows and runs it.

A dead worker's work is picked up when its lease ends; doing a thing twice does it once. A call to the provider has a
deadline under half the lease, so that a worker that woke up late finds its lease gone and changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from service.errors import MagiclinkError, NotFound, ProviderFailure, ProviderRefused, Unavailable
from service.ledger import WorkKind
from service.store import Store
from service.store.worklist import Claimed

_log = logging.getLogger(__name__)

LEASE_SECONDS = 90.0
_BATCH = 16  # more than the provider takes at once, so that what does not ask it goes on while it is slow
_IDLE_SECONDS = 1.0  # how long another process's asking may go unheard
_ASKED_MOST_SECONDS = 60.0
_RETRY_SECONDS = (1.0, 2.0, 4.0, 4.0, 4.0, 8.0, 15.0, 30.0, 60.0)

Count = Callable[[str, str], None]
Handler = Callable[[Any], Awaitable[object]]


class Worker:
    """A handler takes the row's name and answers in how many seconds it is due again; anything else means done."""

    def __init__(
        self, store: Store, handlers: Mapping[WorkKind, Handler], count: Count = lambda _kind, _how: None
    ) -> None:
        self._store = store
        self._count = count
        self._handlers = handlers
        self._kicked = asyncio.Event()
        self._retired_at: float | None = None  # by the loop's clock
        self._running: set[asyncio.Task[None]] = set()
        self._unwritten: list[tuple[Claimed, float | None]] = []

    def kick(self) -> None:
        """Something is due now."""
        self._kicked.set()

    async def run(self) -> None:
        """Work until `stop`; a database that is away is asked again, forever."""
        while self._retired_at is None:
            self._kicked.clear()
            try:
                await self._write_down()
                busy = await self.step()
                wait = 0.0 if busy else min(_IDLE_SECONDS, await self._store.work.next_in_seconds() or _IDLE_SECONDS)
            except Unavailable:
                _log.warning("the database does not answer; work waits")
                wait = _IDLE_SECONDS
            except Exception:  # noqa: BLE001 - without this loop nothing is recorded any more; it is logged whole
                _log.exception("the work loop stumbled")
                wait = _IDLE_SECONDS
            if wait:
                await self._rest(wait)

    async def step(self) -> bool:
        """Claim and start what is due, up to the batch; True if there was anything. Waits while the batch is full."""
        while len(self._running) >= _BATCH:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        if self._retired_at is not None:
            return False
        claimed = await self._store.work.claim(_BATCH - len(self._running), LEASE_SECONDS)
        for work in claimed:
            task = asyncio.create_task(self.do(work), name=f"{work.kind}:{work.ref}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return bool(claimed)

    async def drain(self) -> None:
        """Do everything that is due now, and what that makes due."""
        while await self.step():
            await self.settle()

    async def settle(self) -> None:
        """Wait for what is running."""
        while self._running:
            await asyncio.wait(self._running)

    def retire(self) -> None:
        """Claim no more; what is running goes on."""
        if self._retired_at is None:
            self._retired_at = asyncio.get_running_loop().time()
        self.kick()

    async def stop(self, seconds: float) -> None:
        """Retire, wait for what is running, so long from then on, and leave the rest to the leases."""
        self.retire()
        if self._running:
            since_then = asyncio.get_running_loop().time() - (self._retired_at or 0.0)
            _, late = await asyncio.wait(self._running, timeout=max(0.0, seconds - since_then))
            for task in late:
                task.cancel()

    async def do(self, work: Claimed) -> None:
        """Run one piece of work and say when it is due again."""
        try:
            again = await self._handlers[work.kind](work.ref)
            await self._store.work.done(work, again if isinstance(again, float) else None)
            self._count(work.kind, "done")
        except (NotFound, ProviderRefused) as exc:
            _log.warning("work dropped: %s %s: %s", work.kind, work.ref, exc.code)
            await self._finish(work, None)
        except MagiclinkError as exc:
            _log.warning("work put off: %s %s: %s %s", work.kind, work.ref, exc.code, exc.detail)
            await self._finish(work, max(retry_seconds(work.attempts), _asked_seconds(exc)))
        except Exception:  # noqa: BLE001 - a fault of ours must not stop the loop; it is logged whole
            _log.exception("work failed: %s %s", work.kind, work.ref)
            await self._finish(work, 60.0)

    async def _finish(self, work: Claimed, again: float | None) -> None:
        self._count(work.kind, "dropped" if again is None else "put_off")
        try:
            await self._write(work, again)
        except Unavailable:
            _log.warning("the database does not answer; %s %s is written down later", work.kind, work.ref)
            self._unwritten.append((work, again))

    async def _write_down(self) -> None:
        """What the database did not take before; by then its lease may have ended, and then it is another's."""
        while self._unwritten:
            await self._write(*self._unwritten[-1])
            self._unwritten.pop()

    async def _write(self, work: Claimed, again: float | None) -> None:
        await (self._store.work.done(work) if again is None else self._store.work.failed(work, again))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._kicked.wait()
        except TimeoutError:
            return


def _asked_seconds(exc: MagiclinkError) -> float:
    """How long the provider asked to be left alone, if it did; for no longer than it may go without being asked."""
    asked = exc.after_seconds if isinstance(exc, ProviderFailure) else None
    return min(asked or 0.0, _ASKED_MOST_SECONDS)


def retry_seconds(attempts: int) -> float:
    """Short at first, so that a page goes on within seconds of the provider's recovery; a minute at most."""
    return _RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS) - 1)]
