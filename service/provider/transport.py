"""One call to the provider: where it goes, how long it may take, when it is repeated, and what its failure means.

What the answers say is read beside the verbs, in client.py and handoffs.py.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from service.domain.model import JsonObject
from service.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
)
from service.provider.refusals import http_date, refusal_text, retry_after_seconds
from service.settings import PathGeneration

_ODD_ESCAPE = re.compile(rb"\\u(0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LARGEST_ANSWER_BYTES = 20 * 1024 * 1024
_MOST_ATTEMPTS = 5
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Where the provider is and who we are there. The key travels to the origin of `base_url` and nowhere else."""

    base_url: str
    pages_url: str
    api_key: str = field(repr=False)
    paths: PathGeneration = "company"


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long and how many at once: for one attempt, for one call with its repeats, and for one list."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)
    attempt_seconds: float = 10.0
    call_seconds: float = 25.0
    list_seconds: float = 60.0
    concurrency: int = 10
    observe: Callable[[str, float], None] = lambda _outcome, _seconds: None
    """Told of every call: "ok" or the name of the failure, and the seconds it took with its repeats."""


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask. With a `reference_path`, `path` is of the company generation. `creates`: twice would be two."""

    method: str
    path: str
    reference_path: str | None = None
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: JsonObject | None = None
    creates: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `provider_at` is its Date, None where the provider did not say."""

    body: Any
    provider_at: float | None


class Transport:
    """Calls with one policy. Raises only ProviderFailure, `lost` where a creation may have happened all the same."""

    def __init__(self, http: httpx.AsyncClient, account: ProviderAccount, limits: CallLimits) -> None:
        self._http = http
        self._account = account
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.concurrency)
        self._generation = account.paths
        self._last_date: tuple[float, float] | None = None

    def provider_now(self) -> float | None:
        """The provider's time now, as it last told it; None before any answer had a Date."""
        if self._last_date is None:
            return None
        provider_at, then = self._last_date
        return provider_at + self._limits.monotonic() - then

    def call_deadline(self) -> float:
        """By when, on the monotonic clock, a call that is noted now must be over, and must have been sent before."""
        return self._limits.monotonic() + self._limits.call_seconds

    def list_deadline(self) -> float:
        """By when, on the monotonic clock, a list that is begun now must have been read."""
        return self._limits.monotonic() + self._limits.list_seconds

    async def send(self, call: Call, deadline: float = float("inf")) -> Answer:
        """Takes at most `call_seconds`, and not beyond `deadline` of the monotonic clock."""
        began = self._limits.monotonic()
        try:
            answer = await self._send(call, deadline)
        except ProviderFailure as exc:
            self._limits.observe(type(exc).__name__, self._limits.monotonic() - began)
            raise
        self._limits.observe("ok", self._limits.monotonic() - began)
        return answer

    async def _send(self, call: Call, deadline: float) -> Answer:
        now = self._limits.monotonic()
        if deadline < now:
            raise _never_begun()
        until = min(deadline, now + self._limits.call_seconds)
        path, other = self._paths(call)
        try:
            return await self._repeat(call, path, until)
        except ProviderNotFound as missing:
            if other is None:
                raise
            return await self._send_on_other_path(call, other, until, missing)

    def _paths(self, call: Call) -> tuple[str, str | None]:
        if call.reference_path is None:
            return call.path, None
        if self._generation == "company":
            return call.path, call.reference_path
        return call.reference_path, call.path

    async def _send_on_other_path(self, call: Call, path: str, until: float, missing: ProviderNotFound) -> Answer:
        """A 404 means an unknown id as well as an unknown path, so the other generation must prove itself."""
        try:
            answer = await self._repeat(call, path, until)
        except ProviderNotFound:
            raise missing from None
        self._generation = "reference" if path == call.reference_path else "company"
        return answer

    async def _repeat(self, call: Call, path: str, until: float) -> Answer:
        def is_enough(state: RetryCallState) -> bool:
            return state.attempt_number >= _MOST_ATTEMPTS or self._limits.monotonic() + state.upcoming_sleep >= until

        again = retry_if_exception_type(_Again)
        retrying = AsyncRetrying(sleep=self._limits.sleep, wait=self._wait, stop=is_enough, retry=again, reraise=True)
        try:
            return await retrying(self._attempt, call, path, until)
        except _Again as last:
            raise last.failure from last.__cause__

    def _wait(self, state: RetryCallState) -> float:
        backoff = self._limits.rng.uniform(0.5, 1.0) * 0.5 * 2.0 ** (state.attempt_number - 1)
        raised = state.outcome.exception() if state.outcome else None
        return backoff + (raised.after_seconds if isinstance(raised, _Again) else 0.0)

    async def _attempt(self, call: Call, path: str, until: float) -> Answer:
        async with self._turn(until):
            seconds = min(self._limits.attempt_seconds, until - self._limits.monotonic())
            if seconds <= 0:  # this process stood still: whoever came upon the note may have called in our place
                raise _never_begun()
            try:
                # httpx limits each read, not their sum: an answer that drips in would never end.
                async with asyncio.timeout(seconds):
                    status, headers, content = await self._exchange(call, path, seconds)
            except _NEVER_SENT as exc:
                raise _failed(call, ProviderUnreachable("The provider cannot be reached"), received=False) from exc
            except (TimeoutError, httpx.TimeoutException) as exc:
                raise _failed(call, ProviderTimeout()) from exc
            except (httpx.HTTPError, httpx.StreamError, AttributeError) as exc:
                # AttributeError is anyio's word for a peer that was gone before the connection had been looked at.
                raise _failed(call, ProviderBroken()) from exc
        return self._judge(call, status, headers, content)

    @asynccontextmanager
    async def _turn(self, until: float) -> AsyncIterator[None]:
        # Reference: cookbooks/getting-started: at most ten requests at once.
        try:
            async with asyncio.timeout(until - self._limits.monotonic()):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise ProviderBusy("Too many calls to the provider are waiting; retry later") from exc
        try:
            yield
        finally:
            self._turns.release()

    async def _exchange(self, call: Call, path: str, seconds: float) -> tuple[int, httpx.Headers, bytes]:
        content = bytearray()
        async with self._http.stream(
            call.method,
            self._account.base_url + path,
            params=dict(call.query) or None,
            json=call.body,
            headers={"X-API-Key": self._account.api_key, "Accept": "application/json"},
            timeout=seconds,
            follow_redirects=False,
        ) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise httpx.DecodingError("too large", request=response.request)
        return response.status_code, response.headers, bytes(content)

    def _judge(self, call: Call, status: int, headers: httpx.Headers, content: bytes) -> Answer:
        provider_at = self._read_date(headers.get("date", ""))
        if 200 <= status < 300:
            return Answer(_json(call, content), provider_at)
        if status in {401, 403}:
            raise ProviderUnauthorized("The provider does not accept our API key for this; the operator must check it")
        if status in {404, 405}:
            raise ProviderNotFound("The provider does not know this id")
        if 400 <= status < 500 and status not in {408, 429}:
            raise ProviderRefused(refusal_text(content, self._account.api_key))
        after_seconds = retry_after_seconds(headers, provider_at)
        turned_away = status == 429 or (status == 503 and after_seconds is not None)
        failure = ProviderBusy("The provider is busy; retry later") if status == 429 else ProviderBroken()
        failure.after_seconds = after_seconds
        raise _failed(call, failure, received=not turned_away, after_seconds=after_seconds)

    def _read_date(self, date: str) -> float | None:
        provider_at = http_date(date)
        if provider_at is not None:
            self._last_date = provider_at, self._limits.monotonic()
        return provider_at


class _Again(Exception):
    """A failure after which the same call may be made once more."""

    def __init__(self, failure: ProviderFailure, after_seconds: float) -> None:
        self.failure = failure
        self.after_seconds = after_seconds
        super().__init__(str(failure))


def _never_begun() -> ProviderTimeout:
    failure = ProviderTimeout()
    failure.lost = False
    return failure


def _failed(
    call: Call, failure: ProviderFailure, *, received: bool = True, after_seconds: float | None = None
) -> ProviderFailure | _Again:
    """A creation that the provider may have received is never repeated: its lists must tell whether it happened."""
    failure.lost = call.creates and received
    return failure if failure.lost else _Again(failure, after_seconds or 0.0)


def _json(call: Call, content: bytes) -> Any:
    if not content.strip():
        return None
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
        return _storable(found) if _ODD_ESCAPE.search(content) else found
    except (ValueError, RecursionError) as exc:
        raise _failed(call, ProviderBroken("The provider answered something that is not JSON; retry later")) from exc


def _storable(value: Any) -> Any:
    """Without what no database and no answer of ours can hold: people type names, and one must spoil no list."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def segment(identifier: str) -> str:
    """An id as part of a path; one that could mean another path is an id that the provider does not know."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", identifier):
        raise ProviderNotFound("The provider does not know this id")
    return identifier
