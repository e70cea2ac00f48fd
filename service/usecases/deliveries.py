"""Sends the due deliveries of one endpoint: those of a session in order, those of several sessions at the same time.

An attempt is made, and then its answer is written. If the process dies in between, another one repeats the delivery
with the same id: nothing is lost, and a receiver recognises the repetition.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.domain import deliveries as rules
from service.domain import endpoints
from service.domain.deliveries import Attempt, AttemptError, Delivery, DeliveryKind, DeliveryResult, Meaning
from service.domain.endpoints import DisabledReason, Endpoint, EndpointChange, EndpointHealth, EndpointSecret
from service.domain.events import endpoint_disabled, endpoint_failing
from service.domain.model import Clock
from service.errors import LeaseLost, NotFound
from service.outbound import WebhookSender, signed_headers
from service.store import Store
from service.store.deliveries import DueDeliveries, EndpointLease
from service.urls import is_beneath

_log = logging.getLogger(__name__)

SERVICE = "magiclink"  # who changed an endpoint, where no API key did
# Deliveries to one endpoint that are under way at once: of events; and tests, replays and sessions' own addresses.
_AT_ONCE, _ASIDE_AT_ONCE = 16, 8
# Deliveries that are under way, or whose answers are not written yet. So many may be repeated after a crash.
_UNWRITTEN = 64
_BATCH = 128
_AGAIN_SECONDS = 0.5
# The pause after a read that found nothing new. Without it each answer would cause a read.
_EMPTY_SECONDS = 0.1
# How long an answer waits for others to be written in the same transaction. Other deliveries go on meanwhile.
_GATHER_SECONDS = 0.01

Count = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class DeliveryTools:
    """What every turn needs beside the store; `roll` gives a number from 0 to 1, `count` notes each attempt."""

    sender: WebhookSender
    clock: Clock
    roll: Callable[[], float]
    count: Count = lambda _outcome, _seconds: None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Deliveries:
    """The two jobs of a delivery worker: a turn at an endpoint, and the review of one that fails."""

    def __init__(self, store: Store, tools: DeliveryTools) -> None:
        self._store = store
        self._tools = tools

    async def run(self, lease: EndpointLease) -> bool:
        """Send what is due until nothing is, or until the lease is lost; return whether anything was sent."""
        turn = _Turn(self._store, self._tools, lease)
        try:
            await turn.run()
        except LeaseLost:
            _log.info("another process, or a change, took the endpoint over: %s", lease.endpoint_id)
        return turn.sent

    async def review_failing(self) -> bool:
        """Warn of endpoints that fail for long, disable those that did for five days; return whether any was due."""
        due = await self._store.endpoints.to_review(10)
        for endpoint_id in due:
            try:
                changed = await self._store.endpoints.change(endpoint_id, self._review)
            except NotFound:
                continue  # deleted meanwhile
            if changed.disabled_reason is DisabledReason.FAILING:
                _log.warning("a webhook endpoint was disabled after five days of failures: %s", endpoint_id)
        return bool(due)

    def _review(self, endpoint: Endpoint) -> EndpointChange | None:
        now = self._tools.clock()
        percent = endpoints.reached_percent(endpoint.health, now)
        since = endpoint.health.failing_since
        if not percent or since is None or endpoint.disabled_reason is not None:
            return None
        if percent == 100:
            return disabling(endpoint, DisabledReason.FAILING)
        reviewed = endpoints.reviewed(endpoint, now)
        return EndpointChange(reviewed, f"failing {percent}", SERVICE, events=(endpoint_failing(endpoint.id, percent),))


def disabling(endpoint: Endpoint, reason: DisabledReason) -> EndpointChange:
    """The change by which the service disables an endpoint, with the event for the log and the other endpoints."""
    disabled = endpoints.disabled(endpoint, reason)
    event = endpoint_disabled(endpoint.id, reason.value)
    return EndpointChange(disabled, f"disabled {reason.value}", SERVICE, events=(event,))


class _Turn:
    """One turn at one endpoint. Its lease makes it the only sender, so it can keep health and order in memory."""

    def __init__(self, store: Store, tools: DeliveryTools, lease: EndpointLease) -> None:
        self._store = store
        self._tools = tools
        self._lease = lease
        self._endpoint: Endpoint | None = None
        self._secrets: Sequence[EndpointSecret] = ()
        self._health = EndpointHealth()
        self._queues = {aside: _LaneQueue() for aside in (False, True)}
        self._running: set[asyncio.Task[None]] = set()
        self._results: list[DeliveryResult] = []
        self._waiting: set[str] = set()
        self._writing = asyncio.Lock()
        self._over = False
        self.sent = False

    async def run(self) -> None:
        try:
            while True:
                await self._fill()
                if not self._running:
                    return
                # With a timeout: deliveries that become due meanwhile must not wait for a slow receiver.
                done, _ = await asyncio.wait(self._running, timeout=_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                self._running -= done
                # Read the exception of each task: asyncio reports those that are never retrieved.
                failed = [error for task in done if (error := task.exception()) is not None]
                if failed:
                    raise failed[0]
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _fill(self) -> None:
        for aside, queue in self._queues.items():
            if not self._over and not queue.ready and queue.may_have_more() and self._room(queue, aside=aside) > 0:
                await self._read(queue, aside=aside)
            self._start_ready(queue, aside=aside)

    def _start_ready(self, queue: "_LaneQueue", *, aside: bool) -> None:
        while queue.ready and not self._over and self._room(queue, aside=aside) > 0:
            self._start(queue, queue.take())

    def _room(self, queue: "_LaneQueue", *, aside: bool) -> int:
        """How many more deliveries may be under way; to an endpoint that fails, one at a time."""
        if aside or self._health.failing_since is None:
            at_once = _ASIDE_AT_ONCE if aside else _AT_ONCE
            return min(at_once - queue.under_way, _UNWRITTEN - queue.busy)
        return 1 - queue.busy if self._tools.clock() >= self._health.probe_at else 0

    async def _read(self, queue: "_LaneQueue", *, aside: bool) -> None:
        queue.begin_read()
        due = await self._store.deliveries.due(self._lease, _BATCH + len(queue.known), aside=aside)
        self._adopt(due)
        if due.held:
            await self._store.deliveries.hold(self._lease, due.held)
        queue.add(due.deliveries, held=bool(due.held))

    def _adopt(self, due: DueDeliveries) -> None:
        if self._endpoint is None:
            self._health = due.endpoint.health
        self._endpoint, self._secrets = due.endpoint, due.secrets

    def _start(self, queue: "_LaneQueue", delivery: Delivery) -> None:
        self.sent = True
        self._running.add(asyncio.create_task(self._deliver(queue, delivery), name=f"deliver:{delivery.id}"))

    async def _deliver(self, queue: "_LaneQueue", delivery: Delivery) -> None:
        attempt = await self._attempt(delivery)
        result = rules.attempted(delivery, attempt, self._tools.roll())
        self._tools.count(_outcome(result), attempt.milliseconds / 1000)
        if not delivery.is_aside:
            self._judge(attempt, result)
        if result.delivery.blocks:
            self._waiting |= queue.drop_lane(delivery)
        queue.under_way -= 1
        if result.meaning is Meaning.GONE and not delivery.is_aside and not self._over:
            await self._end(result)
        else:
            self._start_ready(queue, aside=delivery.is_aside)  # while this answer is written
            await self._record(result)
        queue.done(delivery, blocked=result.delivery.blocks)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        at, endpoint, event = self._tools.clock(), self._endpoint, delivery.event
        if event is None:
            return Attempt(at, None, 0, AttemptError.NO_EVENT)
        if endpoint is None or (delivery.url is not None and not is_beneath(delivery.url, endpoint.url)):
            return Attempt(at, None, 0, AttemptError.MOVED)
        if not self._secrets:
            _log.error("the secrets of a webhook endpoint cannot be read; rotate them: %s", endpoint.id)
            return Attempt(at, None, 0, AttemptError.UNREADABLE)
        body = json.dumps(rules.delivery_body(event), separators=(",", ":")).encode()
        # The event of a replay may be old. It is signed with the present secret only, not with a replaced one.
        secrets = self._secrets[:1] if delivery.kind is DeliveryKind.REPLAY else self._secrets
        headers = signed_headers(secrets, event.id, int(at), body)
        answer = await self._tools.sender.post(delivery.url or endpoint.url, headers, body)
        return Attempt(at, answer.status, answer.milliseconds, answer.error, answer.start)

    def _judge(self, attempt: Attempt, result: DeliveryResult) -> None:
        now, before = self._tools.clock(), self._health
        if result.meaning is Meaning.DELIVERED:
            self._health = endpoints.after_success(before, now)
        elif attempt.error is not AttemptError.NO_EVENT:
            self._health = endpoints.after_failure(before, now, self._tools.roll())
        if news := endpoints.news_for_the_log(before, self._health):
            _log.warning("webhook endpoint %s (%s) %s", self._lease.endpoint_id, attempt.error or attempt.status, news)

    async def _record(self, result: DeliveryResult) -> None:
        """Write the result, in one transaction with those of other deliveries that end at about the same time."""
        self._results.append(result)
        async with self._writing:
            if not self._results:
                return  # another task has written it
            await self._tools.sleep(_GATHER_SECONDS)
            results, self._results = self._results, []
            waiting, self._waiting = self._waiting, set()
            await self._store.deliveries.record(self._lease, results, self._health, waiting)

    async def _end(self, result: DeliveryResult) -> None:
        """The endpoint answered 410: nothing more is sent to it. What is under way is still written."""
        self._over = True
        if self._endpoint is None:
            return
        async with self._writing:
            gone = disabling(endpoints.with_health(self._endpoint, self._health), DisabledReason.GONE)
            await self._store.deliveries.disable(self._lease, result, gone)
        _log.warning("a webhook endpoint answered 410 and is disabled: %s", self._lease.endpoint_id)


class _LaneQueue:
    """Deliveries that were read and not yet sent: of each lane one is under way, the others follow in order."""

    def __init__(self) -> None:
        self.under_way = 0
        self.known: set[str] = set()  # also those under way: their rows are still due until their answers are written
        self.ready: deque[str] = deque()  # lanes with something to send and nothing under way
        self._lanes: dict[str, deque[Delivery]] = {}
        self._busy_lanes: set[str] = set()
        self._empty_until = 0.0  # by the loop's clock
        # What ended, and which lanes were blocked, since the last read began: its rows may still show them as due.
        self._ended: set[str] = set()
        self._blocked: set[str] = set()

    @property
    def busy(self) -> int:
        return len(self._busy_lanes)

    def may_have_more(self) -> bool:
        """Whether to read again: the last read found something, or enough time has passed since."""
        return asyncio.get_running_loop().time() >= self._empty_until

    def begin_read(self) -> None:
        self._ended.clear()
        self._blocked.clear()

    def add(self, deliveries: Sequence[Delivery], *, held: bool) -> None:
        """Take what was read. With `held`, the read also found deliveries that must wait, so more may follow them."""
        seen = self.known | self._ended
        new = [one for one in deliveries if one.id not in seen and one.lane not in self._blocked]
        if not new and not held:
            self._empty_until = asyncio.get_running_loop().time() + _EMPTY_SECONDS
        for one in new:
            self.known.add(one.id)
            lane = self._lanes.setdefault(one.lane, deque())
            lane.append(one)
            if len(lane) == 1 and one.lane not in self._busy_lanes:
                self.ready.append(one.lane)

    def take(self) -> Delivery:
        lane = self.ready.popleft()
        self.under_way += 1
        self._busy_lanes.add(lane)
        return self._lanes[lane].popleft()

    def drop_lane(self, failed: Delivery) -> set[str]:
        """Forget what follows in the lane of a failed delivery; return the ids, which wait from now on."""
        following = {one.id for one in self._lanes.pop(failed.lane, ())}
        self.known -= following
        return following

    def done(self, delivery: Delivery, *, blocked: bool) -> None:
        """Note that the answer is written. Deliveries that were read of a blocked lane are left to the database."""
        self.known.discard(delivery.id)
        self._ended.add(delivery.id)
        if blocked:
            self._blocked.add(delivery.lane)
            self.drop_lane(delivery)
        self._busy_lanes.discard(delivery.lane)
        if self._lanes.get(delivery.lane):
            self.ready.append(delivery.lane)
        else:
            self._lanes.pop(delivery.lane, None)


def _outcome(result: DeliveryResult) -> str:
    return "retried" if result.delivery.next_at is not None else result.delivery.status.value
