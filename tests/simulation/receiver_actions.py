"""What the host does with its webhook endpoints, what happens to its receivers, and the sending itself."""

from service.domain.event_json import iso
from service.store.engine import Transaction
from tests.simulation.receivers import Mode, Receiver
from tests.simulation.simulation import Simulation

_SOME_TYPES = ("session.created", "session.opened", "session.connected", "connection.recorded", "connection.updated")


class ReceiverActions:
    """Each action returns its result in a few words; None where there was nothing to act on."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    async def create_endpoints(self) -> None:
        """Before anything else happens; a host whose answer is lost asks again with the same key."""
        for number in range(self.simulation.plan.receivers):
            types = _SOME_TYPES if number else ()
            receiver = Receiver(f"https://hooks{number}.example.com/in", types)
            self.simulation.receivers.add(receiver)
            body = {"url": receiver.url} | ({"types": list(types)} if types else {})
            while not receiver.id:
                answer = await self.simulation.host(
                    "POST", "/v1/webhook-endpoints", body, **{"idempotency-key": receiver.url}
                )
                if answer.status == 201:
                    receiver.id, receiver.secret = answer.json()["id"], answer.json()["secret"]
                    continue
                self.simulation.clocks.advance(5)  # the key is in use until it is known that its process has died
                await self.simulation.restart()

    async def send(self) -> str:
        """One process sends what is due; another action may run in between."""
        process = self.simulation.any_process()
        await process.send()
        posts = [len(one.posts) for one in self.simulation.receivers.at.values()]
        return f"{process.name} sends; posts so far: {posts}"

    async def impair(self) -> str:
        """A receiver fails from now on."""
        receiver = self._any()
        receiver.mode = self.simulation.rng.choice([mode for mode in Mode if mode is not Mode.TAKES])
        return f"{receiver.url} {receiver.mode.value}"

    async def mend(self) -> str:
        receiver = self._any()
        receiver.mode = Mode.TAKES
        return f"{receiver.url} {receiver.mode.value}"

    async def enable(self) -> str | None:
        """The host enables an endpoint that was disabled since its receiver answered 410."""
        receiver = self._any()
        path = f"/v1/webhook-endpoints/{receiver.id}"
        answer = await self.simulation.host("GET", path)
        if not answer.ok or answer.json()["status"] == "enabled":
            return None
        return f"{receiver.url} is enabled again: {await self._enable(receiver)}"

    async def enable_all(self) -> None:
        for receiver in self.simulation.receivers.at.values():
            receiver.mode = Mode.TAKES
            await self._enable(receiver)

    async def _enable(self, receiver: Receiver) -> int:
        answer = await self.simulation.host("PATCH", f"/v1/webhook-endpoints/{receiver.id}", {"status": "enabled"})
        if answer.ok:
            # What is in the log by now may have been written while it was disabled.
            receiver.enabled_from.append(await self.simulation.engine.read(_events))
        return answer.status

    async def replay(self) -> str:
        """Everything again that is not older than an hour; in any order, since each replay is one attempt."""
        receiver = self._any()
        receiver.is_replayed = True
        since = iso(self.simulation.clocks.ours() - 3600)
        answer = await self.simulation.host("POST", f"/v1/webhook-endpoints/{receiver.id}/replay", {"since": since})
        return f"{receiver.url} is replayed: {answer.status}"

    def _any(self) -> Receiver:
        return self.simulation.rng.choice(list(self.simulation.receivers.at.values()))


def _events(tx: Transaction) -> int:
    row = tx.one("SELECT COUNT(*) AS number FROM events")
    return int(row["number"]) if row is not None else 0
