"""What the open streams of this process need while nothing happens, done for many of them at once.

A stream is due every 15 seconds: its page's presence is recorded, and it reads the view again if its mark differs. With
10,000 streams, a transaction and a read for each took most of a core, and streams that had opened together delayed the
events of all others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

from service.domain import session_rules
from service.domain.model import Clock, SessionId
from service.domain.tokens import digest
from service.errors import MagiclinkError
from service.store import Store
from service.store.presence import Heartbeat, KeptAlive

# Streams in one transaction at most: about 5 ms of work, after which requests and events have their turn.
_MOST = 100
# How long the first of them waits for others.
_GATHER_SECONDS = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a stream learns; where `is_undecided`, its page's presence needs a decision of its own."""

    mark: int | None = None
    is_undecided: bool = False


_Waiting = tuple[Heartbeat, "asyncio.Future[_Kept]"]


class OpenStreams:
    """Records the presence of pages with open streams in groups; any number of streams may call it at once."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        closing: asyncio.Event | None = None,
    ) -> None:
        """`closing` is set when the process stops: then no stream waits for the database any more."""
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._closing = closing or asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.Task[None] | None = None  # at a stop it may still wait for the database

    async def keep_alive(self, session_id: SessionId, page_key: str | None, *, is_present: bool) -> int | None:
        """Record that the page is present, if it is the bound one; return the session's mark, None where it is unknown.

        As long as the mark is that of the last view, the page may see nothing else.
        """
        heartbeat = Heartbeat(session_id, digest(page_key) if is_present and page_key else None)
        future: asyncio.Future[_Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((heartbeat, future))
        if self._task is None:
            # In a context of its own: what it logs is of no single request.
            self._task = asyncio.create_task(self._run_groups(), name="open streams", context=Context())
        kept = await future
        if kept.is_undecided:
            await self._decide(session_id, page_key)
        return kept.mark

    async def _run_groups(self) -> None:
        closing = asyncio.create_task(self._closing.wait())
        try:
            while self._waiting:
                if len(self._waiting) < _MOST:
                    await self._sleep(_GATHER_SECONDS)
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                self._group = asyncio.create_task(self._run_group(group))
                await asyncio.wait([self._group, closing], return_when=asyncio.FIRST_COMPLETED)
                if closing.done():
                    _release((*group, *self._waiting))
                    self._waiting = []
        finally:
            closing.cancel()
            self._task = None

    async def _run_group(self, group: Sequence[_Waiting]) -> None:
        # A stream that has ended meanwhile is left out: its page is no longer present.
        open_ones = [heartbeat for heartbeat, future in group if not future.done()]
        kept = KeptAlive({}, frozenset())
        try:
            kept = await self._store.sessions.keep_alive(open_ones, self._clock())
        except MagiclinkError as exc:  # each stream reads its view now, and reports the error to its page
            _log.warning("the presence of %d pages is not recorded: %s", len(group), exc.code)
        except Exception:  # noqa: BLE001 - the streams of this group go on, and so do those of the next; it is logged
            _log.exception("the presence of %d pages is not recorded", len(group))
        for heartbeat, future in group:
            if not future.done():  # its stream has ended
                future.set_result(_Kept(kept.marks.get(heartbeat.session_id), heartbeat in kept.undecided))

    async def _decide(self, session_id: SessionId, page_key: str | None) -> None:
        now = self._clock()
        with suppress(MagiclinkError):  # the stream reports to its page what ended it
            await self._store.sessions.change(
                session_id, lambda current: session_rules.record_presence(current, page_key, now)
            )


def _release(waiting: Sequence[_Waiting]) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_result(_Kept())
