"""One call to the provider: its path, its deadline, its retries, and what each failure means.

Other modules of this package read the bodies of answers.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

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
from service.provider.account import AccountState, CallLimits, ProviderAccount, ProviderMethodRefused, UnreadableItem
from service.provider.json_text import parse_json
from service.provider.outages import ProviderOutages
from service.provider.outcomes import OK, outcome_of
from service.provider.refusals import http_date, refusal_text, retry_after_seconds
from service.settings import PathGeneration

LARGEST_ANSWER_BYTES = 20 * 1024 * 1024
_MOST_ATTEMPTS = 5
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


@dataclass(frozen=True, slots=True)
class Call:
    """A call; `reference_path` is its path in the API reference. `creates`: a second send creates a second object."""

    method: str
    path: str
    reference_path: str | None = None
    query: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    body: JsonObject | None = None
    creates: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The parsed JSON of an answer, None for an empty body, of `size` bytes; `provider_at` is its Date or None."""

    body: Any
    provider_at: float | None
    size: int = 0


class Transport:
    """Sends calls. Raises only ProviderFailure, with `lost` where a creating call may have succeeded."""

    def __init__(self, http: httpx.AsyncClient, account: ProviderAccount, limits: CallLimits) -> None:
        self._http = http
        self._account = account
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._state = AccountState(account)
        self._outages = ProviderOutages(limits.monotonic, limits.report)
        self._last_date: tuple[float, float] | None = None  # a Date header, and when it came (monotonic clock)

    def use_paths(self, generation: PathGeneration) -> None:
        """Try this generation of paths first, because the provider has served it before. A configured one stays."""
        if self._state.is_auto:
            self._state.generation = generation

    def provider_now(self) -> float | None:
        """Return the provider's time now, from its last Date header; None before any answer had one."""
        if self._last_date is None:
            return None
        provider_at, received_at = self._last_date
        return provider_at + self._limits.monotonic() - received_at

    def call_deadline(self) -> float:
        """Return when, by the monotonic clock, a creating call whose intent is written now must be over."""
        return self._limits.monotonic() + self._limits.call_seconds

    def list_deadline(self) -> float:
        """Return when, by the monotonic clock, a list that is begun now must have been read."""
        return self._limits.monotonic() + self._limits.list_seconds

    def report_unreadable(self, item: UnreadableItem) -> None:
        """Report an item of a list that could not be read whole."""
        self._limits.unreadable(item)

    async def send(self, call: Call, deadline: float = float("inf")) -> Answer:
        """Send a call, with retries, for at most `call_seconds` and not beyond `deadline` (monotonic clock)."""
        began_at = self._limits.monotonic()
        try:
            answer = await self._send(call, deadline)
        except ProviderFailure as exc:
            self._limits.observe(outcome_of(exc), self._limits.monotonic() - began_at)
            self._outages.fails(exc, f"{call.method} {call.path}")
            raise
        self._outages.works()
        self._limits.observe(OK, self._limits.monotonic() - began_at)
        return answer

    async def _send(self, call: Call, deadline: float) -> Answer:
        now = self._limits.monotonic()
        if deadline < now:
            raise _not_sent()
        deadline = min(deadline, now + self._limits.call_seconds)
        path, other = self._state.paths(call.path, call.reference_path)
        try:
            return await self._send_with_each_key(call, path, deadline)
        except ProviderNotFound as not_found:
            if other is None:
                raise
            return await self._send_on_other_path(call, other, deadline, not_found)

    async def _send_on_other_path(self, call: Call, path: str, deadline: float, not_found: ProviderNotFound) -> Answer:
        # Reference: docs/provider.md, 4: the documentation has two generations of paths. A 404 means an unknown id or
        # an unknown path, so the other generation is kept only once it has answered.
        try:
            answer = await self._send_with_each_key(call, path, deadline)
        except ProviderMethodRefused:
            raise  # the path is known, unlike the first one perhaps
        except ProviderNotFound:
            raise not_found from None
        self._state.generation = "reference" if path == call.reference_path else "company"
        await self._limits.served(self._state.generation)
        return answer

    async def _send_with_each_key(self, call: Call, path: str, deadline: float) -> Answer:
        # Reference: docs/provider.md, 1: several keys may be active. A key that has ended and one that lacks the
        # permission may be refused alike, so another key is kept only once it has been accepted.
        refused = ProviderUnauthorized()
        for key in self._state.keys_in_order():
            try:
                answer = await self._retry(call, path, deadline, key)
            except ProviderUnauthorized as exc:
                refused = exc
                continue
            self._state.accepted(key)
            return answer
        raise refused

    async def _retry(self, call: Call, path: str, deadline: float, key: str) -> Answer:
        def is_over(state: RetryCallState) -> bool:
            return state.attempt_number >= _MOST_ATTEMPTS or self._limits.monotonic() + state.upcoming_sleep >= deadline

        retry = retry_if_exception_type(_Retryable)
        retrying = AsyncRetrying(sleep=self._limits.sleep, wait=self._wait, stop=is_over, retry=retry, reraise=True)
        try:
            return await retrying(self._attempt, call, path, deadline, key)
        except _Retryable as last:
            raise last.failure from last.__cause__

    def _wait(self, state: RetryCallState) -> float:
        # Jitter keeps calls that failed together from returning together; Retry-After comes on top of it.
        backoff = self._limits.rng.uniform(0.5, 1.0) * 0.5 * 2.0 ** (state.attempt_number - 1)
        raised = state.outcome.exception() if state.outcome else None
        return backoff + (raised.after_seconds if isinstance(raised, _Retryable) else 0.0)

    async def _attempt(self, call: Call, path: str, deadline: float, key: str) -> Answer:
        async with self._slot(deadline):
            seconds = min(self._limits.attempt_seconds, deadline - self._limits.monotonic())
            if seconds <= 0:  # suspended past the deadline: another process may already repeat the call
                raise _not_sent()
            try:
                # httpx limits each read, not their sum: an answer that arrives byte by byte would never end.
                async with asyncio.timeout(seconds):
                    status, headers, content = await self._exchange(call, path, seconds, key)
            except _NEVER_SENT as exc:
                raise _failure(call, ProviderUnreachable("The provider cannot be reached"), received=False) from exc
            except (TimeoutError, httpx.TimeoutException) as exc:
                raise _failure(call, ProviderTimeout()) from exc
            except (httpx.HTTPError, httpx.StreamError, AttributeError) as exc:
                # anyio raises AttributeError where the peer closed the connection before its address was read.
                raise _failure(call, ProviderBroken()) from exc
        return self._read_response(call, status, headers, content)

    @asynccontextmanager
    async def _slot(self, deadline: float) -> AsyncIterator[None]:
        # Reference: cookbooks/getting-started: at most ten requests at once.
        try:
            async with asyncio.timeout(deadline - self._limits.monotonic()):
                await self._slots.acquire()
        except TimeoutError as exc:
            raise ProviderBusy("Too many calls to the provider are waiting; retry later") from exc
        try:
            yield
        finally:
            self._slots.release()

    async def _exchange(self, call: Call, path: str, seconds: float, key: str) -> tuple[int, httpx.Headers, bytes]:
        content = bytearray()
        async with self._http.stream(
            call.method,
            self._account.base_url + path,
            params=dict(call.query) or None,
            json=call.body,
            headers={"X-API-Key": key, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=seconds,
            follow_redirects=False,  # a redirect to another host would take the API key there
        ) as response:
            # httpx would decompress a piece in full before it can be counted: 2 KB can become gigabytes.
            if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise httpx.DecodingError("compressed", request=response.request)
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise httpx.DecodingError("too large", request=response.request)
        return response.status_code, response.headers, bytes(content)

    def _read_response(self, call: Call, status: int, headers: httpx.Headers, content: bytes) -> Answer:
        provider_at = self._read_date(headers.get("date", ""))
        if 200 <= status < 300:
            return Answer(_json(call, content), provider_at, len(content))
        if status in {401, 403}:
            raise ProviderUnauthorized("The provider does not accept our API key for this; the operator must check it")
        if status == 405:
            raise ProviderMethodRefused("The provider does not know this call")
        if status == 404:
            raise ProviderNotFound("The provider does not know this id")
        if 400 <= status < 500 and status not in {408, 429}:
            raise ProviderRefused(refusal_text(content, self._state.keys_in_order()))
        after_seconds = retry_after_seconds(headers, provider_at)
        # With one of these answers the provider says that it did not process the call. After any other 5xx it may have.
        rejected = status == 429 or (status == 503 and after_seconds is not None)
        failure = ProviderBusy("The provider is busy; retry later") if status == 429 else ProviderBroken()
        failure.after_seconds = after_seconds
        failure.add_note(f"it answered {status}")  # for the log: callers need not know it
        raise _failure(call, failure, received=not rejected, after_seconds=after_seconds)

    def _read_date(self, date: str) -> float | None:
        provider_at = http_date(date)
        if provider_at is not None:
            self._last_date = provider_at, self._limits.monotonic()
        return provider_at


class _Retryable(Exception):
    """A failure after which the same call may be sent again, in `after_seconds` at the earliest."""

    def __init__(self, failure: ProviderFailure, after_seconds: float) -> None:
        self.failure = failure
        self.after_seconds = after_seconds
        super().__init__(str(failure))


def _not_sent() -> ProviderTimeout:
    failure = ProviderTimeout()
    failure.lost = False
    return failure


def _failure(
    call: Call, failure: ProviderFailure, *, received: bool = True, after_seconds: float | None = None
) -> ProviderFailure | _Retryable:
    # A creating call that the provider may have received is not retried: only its lists show whether it succeeded.
    failure.lost = call.creates and received
    return failure if failure.lost else _Retryable(failure, after_seconds or 0.0)


def _json(call: Call, content: bytes) -> Any:
    try:
        return parse_json(content)
    except ValueError as exc:
        raise _failure(call, ProviderBroken("The provider answered something that is not JSON; retry later")) from exc


def segment(identifier: str) -> str:
    """Return the id as one path segment. Raises ProviderNotFound for text that could change the path."""
    # An attacker may send "../company" as an id: with our API key, it would call another resource.
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", identifier):
        raise ProviderNotFound("The provider does not know this id")
    return identifier
