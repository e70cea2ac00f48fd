"""Runs the loops of a process, and stops them together when it ends."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from service.domain.timing import LEASE_RENEWAL_SECONDS, RELEASE_SECONDS, SHUTDOWN_SECONDS
from service.errors import Unavailable

_log = logging.getLogger(__name__)


class Loop(Protocol):
    """A loop that leases rows: it runs until it is stopped."""

    async def run(self) -> None:
        """Run until `stop`."""

    def stop_leasing(self) -> None:
        """Lease nothing more; what runs goes on."""

    async def stop(self, seconds: float) -> None:
        """Stop leasing, wait for running work, then release the leases of what has not ended.

        `seconds` count from `stop_leasing`, so a second call gives no time of its own.
        """


@asynccontextmanager
async def running(loops: Sequence[Loop], *, start: bool) -> AsyncIterator[None]:
    """Run the loops during the block, if they are to start, and stop them at its end."""
    tasks = [asyncio.create_task(one.run()) for one in loops if start]
    try:
        yield
    finally:
        for one in loops:
            one.stop_leasing()
        await asyncio.gather(*(one.stop(SHUTDOWN_SECONDS) for one in loops))
        if tasks:
            await _end(tasks)
            # Once more: a lease that was under way at the first stop may have brought work since.
            await asyncio.gather(*(one.stop(SHUTDOWN_SECONDS) for one in loops))


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until the loops have ended, and end those that wait for a database which does not answer."""
    done, late = await asyncio.wait(tasks, timeout=RELEASE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()  # raises what ended it


async def renew_forever(
    renew: Callable[[], Awaitable[object]], sleep: Callable[[float], Awaitable[None]], leases: str
) -> None:
    """Call `renew` every few seconds until cancelled; `leases` are what it renews, for the log.

    It ends only when it is cancelled: without renewals all work that takes longer than its lease would be lost.
    """
    is_away = False
    while True:
        await sleep(LEASE_RENEWAL_SECONDS)
        try:
            await renew()
            is_away = False
        except Unavailable:
            if not is_away:  # once for each outage
                _log.warning("the database is unavailable; %s are not renewed", leases)
            is_away = True
        except Exception:  # noqa: BLE001 - see above; the error is logged
            _log.exception("renewing %s failed", leases)
