"""Runs the loops of a process, and stops them together when it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol


class Loop(Protocol):
    """A loop that leases rows: it runs until it is stopped."""

    async def run(self) -> None:
        """Run until `stop`."""

    def stop_leasing(self) -> None:
        """Lease nothing more; what runs goes on."""

    async def stop(self, seconds: float) -> None:
        """Stop leasing, wait that long for running work, then release the leases of what has not ended."""


@asynccontextmanager
async def running(loops: Sequence[Loop], drain_seconds: float, *, start: bool) -> AsyncIterator[None]:
    """Run the loops during the block, if they are to start, and stop them at its end."""
    tasks = [asyncio.create_task(one.run()) for one in loops if start]
    try:
        yield
    finally:
        for one in loops:
            one.stop_leasing()
        await asyncio.gather(*(one.stop(drain_seconds) for one in loops))
        if tasks:
            await asyncio.gather(*tasks)
            # For what was being leased at that moment.
            await asyncio.gather(*(one.stop(drain_seconds) for one in loops))
