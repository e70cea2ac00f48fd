"""Sends webhooks as Svix does: its headers, its signature, its times of retrying.

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
from service.sandbox.world.outbox import OutboxMessage
from service.sandbox.world.world import SandboxWorld

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
TIMEOUT_SECONDS = 15.0
DOCUMENTS_AT_ONCE = 10
"""How many document events one turn sends, so that a connection's hundreds do not flood the receiver."""
TURN_SECONDS = 0.05

Sleep = Callable[[float], Awaitable[None]]


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `svix-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class SandboxDeliveries:
    """The outbox's postman. The world's clock says what is due; the signature's time is the real one, as Svix's is."""

    def __init__(self, world: SandboxWorld, http: httpx.AsyncClient) -> None:
        self._world = world
        self._http = http
        self._flying: set[str] = set()

    async def run(self, sleep: Sleep) -> None:
        """Pumps until it is cancelled."""
        while True:
            await self.pump()
            await sleep(TURN_SECONDS)

    async def pump(self) -> int:
        """Sends what is due and answers how many messages that was; the events of one connection go in order."""
        self._world.data.queue_documents()
        due = self._due()
        connections = [message for message in due if message.document_id is None]
        documents = [message for message in due if message.document_id is not None][:DOCUMENTS_AT_ONCE]
        await self._send_all([*connections, *documents])
        return len(connections) + len(documents)

    async def send_first(self) -> None:
        """Sends what must go before the answer that is waiting behind this call."""
        if self._world.outbox.first():
            await self._send_all([message for message in self._due() if message.is_first])

    def _due(self) -> list[OutboxMessage]:
        now = self._world.clock.time()
        return [one for one in self._world.outbox if one.due_at <= now and one.id not in self._flying]

    async def _send_all(self, messages: Sequence[OutboxMessage]) -> None:
        lanes: dict[str, list[OutboxMessage]] = {}
        for message in messages:
            lanes.setdefault(message.document_id or message.connection_id, []).append(message)
        self._flying.update(message.id for message in messages)
        try:
            async with anyio.create_task_group() as group:
                for lane in lanes.values():
                    group.start_soon(self._send_lane, lane)
        finally:
            self._flying.difference_update(message.id for message in messages)

    async def _send_lane(self, lane: list[OutboxMessage]) -> None:
        shuffled = any(message.is_shuffled for message in lane)
        for message in reversed(lane) if shuffled else lane:
            await self._send(message)
        for connection_id in {message.connection_id for message in lane if message.is_first}:
            self._world.connections.reveal(connection_id)

    async def _send(self, message: OutboxMessage) -> None:
        body = self._world.data.webhook_body(message)
        taken = body is None
        if body is not None:
            raw = json.dumps(body, separators=(",", ":")).encode()
            answers = [await self._post(message, raw) for _ in range(message.copies)]
            taken = all(answers)
        self._world.outbox.settle(message, None if taken else self._retried(message))

    def _retried(self, message: OutboxMessage) -> OutboxMessage | None:
        """The same message at its next time; None when the last has passed."""
        if message.attempt >= len(RETRY_SECONDS):
            return None
        due_at = self._world.clock.time() + RETRY_SECONDS[message.attempt]
        return replace(message, attempt=message.attempt + 1, due_at=due_at, is_first=False)

    async def _post(self, message: OutboxMessage, raw: bytes) -> bool:
        """Whether the receiver took it: anything but a 2xx in time is a failure, a redirect included."""
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
            answer = await self._http.post(settings.webhook_url or "", content=raw, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, AttributeError):
            # AttributeError is anyio's word for a receiver that was gone before the connection had been looked at.
            return False
        return answer.is_success
