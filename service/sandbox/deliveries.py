"""Sends webhooks as Svix does: with its headers, its signature and its retry schedule.

Reference: https://docs.svix.com/retries and https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import anyio
import httpx

from service.sandbox.settings import SECRET_PREFIX
from service.sandbox.world.outbox import SandboxMessage
from service.sandbox.world.world import SandboxWorld

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
TIMEOUT_SECONDS = 15.0
ANSWER_MOST_BYTES = 64 * 1024
"""How much of an answer is read: its status decides, and the rest is read only so that the connection is kept."""
DOCUMENTS_AT_ONCE = 10
"""How many document events one pass sends, so that a connection's hundreds do not flood the receiver."""
INTERVAL_SECONDS = 0.05

Sleep = Callable[[float], Awaitable[None]]


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `svix-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class SandboxDeliveries:
    """Sends the outbox's messages: due by the sandbox's clock, signed with the real time, as Svix does."""

    def __init__(self, world: SandboxWorld, http: httpx.AsyncClient, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._world = world
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._sending: set[str] = set()

    async def run(self, sleep: Sleep) -> None:
        """Send what is due, again and again, until it is cancelled."""
        while True:
            await self.pump()
            await sleep(INTERVAL_SECONDS)

    async def pump(self) -> int:
        """Send what is due, the events of one connection in order; return the number of messages."""
        self._world.end_due_work()
        self._world.data.queue_documents()
        now, outbox = self._world.clock.time(), self._world.outbox
        events = self._unsent(outbox.due_events(now))
        documents = self._unsent(outbox.due_documents(now, DOCUMENTS_AT_ONCE))
        await self._send_all(events, documents)
        return len(events) + len(documents)

    async def send_first(self) -> None:
        """Send what must arrive before the answer that waits for this call."""
        if self._world.outbox.first():
            due = self._unsent(self._world.outbox.due_events(self._world.clock.time()))
            await self._send_all([message for message in due if message.is_first])

    def _unsent(self, messages: Sequence[SandboxMessage]) -> list[SandboxMessage]:
        # The background loop and an answer that waits for its webhook may look at the same moment.
        return [one for one in messages if one.id not in self._sending]

    async def _send_all(self, events: Sequence[SandboxMessage], documents: Sequence[SandboxMessage] = ()) -> None:
        # The events of one connection keep their order; documents do not depend on each other.
        sequences: dict[str, list[SandboxMessage]] = {}
        for message in events:
            sequences.setdefault(message.connection_id, []).append(message)
        names = {message.id for message in (*events, *documents)}
        sent: list[tuple[SandboxMessage, SandboxMessage | None]] = []
        self._sending |= names
        try:
            async with anyio.create_task_group() as group:
                for sequence in sequences.values():
                    group.start_soon(self._send_sequence, sequence)
                for message in documents:
                    group.start_soon(self._send_document, message, sent)
            # A commit for each would take longer than sending them.
            self._world.outbox.settle_all(sent)
        finally:
            self._sending -= names

    async def _send_sequence(self, sequence: list[SandboxMessage]) -> None:
        shuffled = any(message.is_shuffled for message in sequence)
        for message in reversed(sequence) if shuffled else sequence:
            self._world.outbox.settle(message, await self._send(message))
        # Also after a failure: a receiver that is down must not hide the connection for ever.
        for connection_id in {message.connection_id for message in sequence if message.is_first}:
            self._world.connections.reveal(connection_id)

    async def _send_document(
        self, message: SandboxMessage, sent: list[tuple[SandboxMessage, SandboxMessage | None]]
    ) -> None:
        sent.append((message, await self._send(message)))

    async def _send(self, message: SandboxMessage) -> SandboxMessage | None:
        """Send a message; return it for its next attempt where the receiver did not accept it, and there is one."""
        body = self._world.data.webhook_body(message)
        if body is None:  # a document that is gone needs no webhook
            return None
        raw = json.dumps(body, separators=(",", ":")).encode()
        answers = [await self._post(message, raw) for _ in range(message.copies)]
        return None if all(answers) else self._retry(message)

    def _retry(self, message: SandboxMessage) -> SandboxMessage | None:
        """Return the message for its next attempt; None after the last one."""
        if message.attempt >= len(RETRY_SECONDS):
            return None
        # Only the first attempt is sent ahead of an answer; a retry holds nothing back.
        due_at = self._world.clock.time() + RETRY_SECONDS[message.attempt]
        return replace(message, attempt=message.attempt + 1, due_at=due_at, is_first=False)

    async def _post(self, message: SandboxMessage, raw: bytes) -> bool:
        """Tell whether the receiver accepted it: anything but a 2xx in time is a failure, a redirect included."""
        settings = self._world.settings
        secret = settings.webhook_secret or ""
        if self._world.troubles.use("webhook_bad_signature", message.company_id):
            secret = SECRET_PREFIX + base64.b64encode(b"not the key that was agreed upon").decode()
        timestamp = int(self._world.clock.real())
        headers = {
            "content-type": "application/json",
            "user-agent": "Svix-Webhooks/sandbox",
            "svix-id": message.id,
            "svix-timestamp": str(timestamp),
            "svix-signature": sign(secret, message.id, timestamp, raw),
        }
        try:
            # Of the whole answer: the client's own timeout starts again with every byte that arrives.
            with anyio.fail_after(self._timeout_seconds):
                return await self._is_accepted(settings.webhook_url or "", raw, headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, AttributeError):
            # anyio raises AttributeError when the receiver closes the connection while it is being opened.
            return False

    async def _is_accepted(self, url: str, raw: bytes, headers: dict[str, str]) -> bool:
        async with self._http.stream("POST", url, content=raw, headers=headers) as answer:
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > ANSWER_MOST_BYTES:
                    break
            return answer.is_success
