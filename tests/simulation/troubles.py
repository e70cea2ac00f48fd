"""What nobody decides: time, clocks that jump, webhooks that come or not, troubles, processes that work and die."""

import base64
import json
from typing import Any

from service.domain.timing import LOST_SECONDS
from service.sandbox.deliveries import sign
from service.sandbox.world.troubles import read_trouble
from tests.simulation.provider import SECRET
from tests.simulation.simulation import Simulation

_WRONG_SECRET = "whsec_" + base64.b64encode(b"not the key that was agreed upon").decode()
_PAUSES = (0.5, 1, 2, 5, 5, 10, 20, 30, 61, 61, 121, 130, 600, 1000, 3600, 5000)
_TROUBLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("provider_5xx", {"times": 2}),
    ("provider_5xx", {"times": 9}),
    ("rate_limited", {"times": 2}),
    ("drop_connection", {"times": 1}),
    ("drop_connection", {"times": 3}),
    ("invalid_json", {"times": 1}),
    ("slow", {"times": 1, "seconds": 15}),
    ("slow", {"times": 2, "seconds": 3}),
    ("wrong_password", {"times": 1}),
    ("mfa", {"times": 1}),
    ("link_expired", {"times": 1}),
    ("webhook_first", {"times": 1, "seconds": 0}),
    ("webhook_first", {"times": 1, "seconds": 40}),
    ("status_change", {"times": 1, "status": "UNDER_INVESTIGATION"}),
    ("never_webhook", {"times": 3}),
    ("webhook_shuffled", {"times": 3}),
    ("webhook_late", {"times": 3, "seconds": 300}),
)


class Troubles:
    """Each action returns its result in a few words; None where there was nothing to act on."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    async def wait(self) -> str:
        seconds = self.simulation.rng.choice(_PAUSES)
        # A process that stands still at the very moment in which its call leaves: no check can come any later.
        self.simulation.ground_truth.stalled |= self.simulation.provider.leaving > 0 and seconds >= LOST_SECONDS
        self.simulation.clocks.advance(seconds)
        return f"{seconds} s pass"

    async def work(self) -> str:
        """One process, or all in turn, do some of what is due."""
        process = self.simulation.any_process()
        await process.work(self.simulation.rng.choice((1, 1, 2, 6)))
        return f"{process.name} works"

    async def jump(self) -> str:
        """A clock is set: ours in either direction, or the provider's."""
        rng = self.simulation.rng
        if rng.random() < 0.6:
            seconds = rng.choice((-7200.0, -600.0, -30.0, 30.0, 600.0, 7200.0))
            self.simulation.clocks.ours_off += seconds
            return f"our clock is set by {seconds:+.0f} s"
        if rng.random() < 0.6:
            self.simulation.world.clock.advance(600.0)
            return "the provider's clock is set by +600 s"
        skew = rng.choice((-600.0, 600.0, 0.0))
        before = self.simulation.world.clock.now()
        self.simulation.world.troubles.put(read_trouble("clock_skew", {"seconds": skew}))
        self.simulation.ground_truth.clock_went_back |= self.simulation.world.clock.now() < before
        return f"the provider's clock is wrong by {skew:+.0f} s"

    async def trouble(self) -> str:
        name, fields = self.simulation.rng.choice(_TROUBLES)
        self.simulation.world.troubles.put(read_trouble(name, fields))
        self.simulation.ground_truth.links_lied |= (
            name == "link_expired"
        )  # for a while the provider calls a living link dead
        if name == "status_change":
            self.simulation.world.connections.apply_status_trouble(None)
        return f"trouble: {name} {fields}"

    async def cut(self) -> str:
        self.simulation.provider.is_down = not self.simulation.provider.is_down
        return f"the way to the provider is {'cut' if self.simulation.provider.is_down else 'mended'}"

    async def die(self) -> str:
        """A process ends between two actions, with all that it had in memory."""
        process = self.simulation.any_process()
        process.die("between two actions")
        return f"{process.name} ends"

    async def listen(self) -> str:
        """The host follows the log."""
        await self.simulation.listen()
        return f"the host has read {len(self.simulation.received)} events"

    async def deliver(self) -> str | None:
        """Webhooks come: some, in any order, several times, with a wrong signature, or not at all."""
        rng, outbox = self.simulation.rng, self.simulation.world.outbox
        if self.simulation.plan.behaviour.bills:
            self.simulation.world.data.queue_documents()
        waiting = [one for one in outbox if one.due_at <= self.simulation.world.clock.time()]
        if self.simulation.plan.webhooks == "never":
            for message in waiting:
                outbox.settle(message, None)
                self.simulation.world.connections.reveal(message.connection_id)
            return f"{len(waiting)} webhooks are lost" if waiting else None
        if self.simulation.plan.webhooks == "chaos":
            rng.shuffle(waiting)
            waiting = waiting[: rng.randrange(len(waiting) + 1)]
        return ", ".join([await self._send(message) for message in waiting[:20]]) or None

    async def _send(self, message: Any) -> str:
        rng, chaos = self.simulation.rng, self.simulation.plan.webhooks == "chaos"
        body = self.simulation.world.data.webhook_body(message)
        if body is None or (chaos and rng.random() < 0.2):
            self.simulation.world.outbox.settle(message, None)
            self.simulation.world.connections.reveal(message.connection_id)
            return f"{message.event_type} lost"
        statuses = []
        for _ in range(rng.choice((1, 1, 3)) if chaos else 1):
            wrong = chaos and rng.random() < 0.15
            statuses.append(await self._post(message, json.dumps(body).encode(), _WRONG_SECRET if wrong else SECRET))
        if 204 in statuses:
            self.simulation.world.outbox.settle(message, None)
            self.simulation.world.connections.reveal(message.connection_id)
        return f"{message.event_type} of {message.connection_id[:8]}: {statuses}"

    async def _post(self, message: Any, raw: bytes, secret: str) -> int:
        at = int(self.simulation.clocks.at)
        headers = {
            "content-type": "application/json",
            "svix-id": message.id,
            "svix-timestamp": str(at),
            "svix-signature": sign(secret, message.id, at, raw),
        }
        return await self.simulation.webhook(raw, headers)
