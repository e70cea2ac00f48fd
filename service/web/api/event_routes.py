"""The route by which a host reads all events, and waits for the next one."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.events import Event
from service.domain.model import Tenant
from service.errors import RateLimited
from service.pubsub import PubSub, Signal
from service.telemetry.load import RequestLoad
from service.usecases.sessions import Sessions
from service.web.api.query import PAGING, event_page, limit_of, number, position_of, query_of
from service.web.disconnects import disconnected

_WAIT_MOST = 30
_WAITING_OF_A_TENANT = 200
_RETRY_SECONDS = 5  # for a call beyond them: one of them ends within 30 s
# Every event of any tenant wakes every call that waits: this bounds how often each of them reads the log.
_AGAIN_SECONDS = 0.2
_Read = Callable[[], Awaitable[Sequence[Event]]]


class EventRoutes:
    """GET /v1/events.

    A call that waits is no request in progress, neither for their limit nor as load, since it does nothing meanwhile.
    A limit of its own for each tenant bounds what such calls hold and read.
    """

    def __init__(self, sessions: Sessions, pubsub: PubSub, load: RequestLoad) -> None:
        self._load = load
        self._sessions = sessions
        self._pubsub = pubsub
        self._waiting = Counter[Tenant]()

    async def events(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/events: in order, at least once; waits for the tenant's next event if asked to."""
        query = query_of(request, PAGING | {"wait"})
        seconds = number("wait", query.get("wait", "0"), 0, _WAIT_MOST)
        seq, limit = position_of(request), limit_of(request)
        async with self._pubsub.subscribe() as signal:
            events = await self._sessions.events(tenant, seq, limit + 1)
            if not events and seconds:
                with self._waits(tenant), _woken_by_leaving(request, signal) as leaving:
                    read = partial(self._sessions.events, tenant, seq, limit + 1)
                    events = await self._next_events(signal, seconds, read, leaving)
        return JSONResponse(event_page(events, limit, str(seq)))

    @contextmanager
    def _waits(self, tenant: Tenant) -> Iterator[None]:
        """Count the call as one that waits. Raises RateLimited where too many of the tenant's do."""
        if self._waiting[tenant] >= _WAITING_OF_A_TENANT:
            raise RateLimited(_RETRY_SECONDS, f"{_WAITING_OF_A_TENANT} calls already wait for events; end some of them")
        self._waiting[tenant] += 1
        try:
            with self._load.uncounted():
                yield
        finally:
            self._waiting[tenant] -= 1
            if not self._waiting[tenant]:
                del self._waiting[tenant]

    async def _next_events(
        self, signal: Signal, seconds: float, read: _Read, leaving: "asyncio.Task[None]"
    ) -> Sequence[Event]:
        """Return the next events; none after `seconds`, once the caller has left, or when the process is to stop."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while await signal.wait(max(0.0, until - clock())):
            if leaving.done():
                break
            events = await read()
            if events or self._pubsub.closing.is_set():
                return events
            await asyncio.sleep(min(_AGAIN_SECONDS, max(0.0, until - clock())))
        return ()


@contextmanager
def _woken_by_leaving(request: Request, signal: Signal) -> Iterator["asyncio.Task[None]"]:
    """Set the signal when the caller disconnects: who asks again and again would hold a place for each call."""
    leaving = asyncio.create_task(disconnected(request.receive))
    leaving.add_done_callback(lambda _: signal.set())
    try:
        yield leaving
    finally:
        leaving.cancel()
