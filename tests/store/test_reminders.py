"""A reminder's event and the count of its episode are one transaction."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes
from service.domain.model import Candidate, ConnectionId, EvidenceKind, Verdict
from service.domain.reminders import ReminderStep
from service.errors import NotFound
from service.store import Store
from tests.support.domain_values import CONNECTION, connection
from tests.support.store_cases import UNNAMED, create, fresh, numbered


async def recorded(store: Store, attention_at: float | None, *, owned: bool = True) -> None:
    one = await create(store, fresh())
    owner = Candidate(one.id, one.tenant, one.user)
    verdict = Verdict(EvidenceKind.INVITATION, owner) if owned else Verdict()
    found = replace(connection(verdict), company=UNNAMED.ref, attention_at=attention_at)
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(connections=(found,)))


async def test_a_step_is_counted_within_its_episode(store: Store) -> None:
    await recorded(store, 100.0)
    seen: list[tuple[float | None, int]] = []

    def decide(since: float | None, told: int) -> ReminderStep:
        seen.append((since, told))
        return ReminderStep(told + 1, told + 1, 1.0)

    for _ in range(2):
        await store.reminders.take(CONNECTION, decide)
    await store.engine.write(lambda tx: tx.run("UPDATE connections SET attention_at = 200"))
    await store.reminders.take(CONNECTION, decide)
    assert seen == [(100.0, 0), (100.0, 1), (200.0, 0)]
    await numbered(store)
    events = [event for event in await store.events.after(0, 25) if event.type == "connection.reminder"]
    assert [event.data["day"] for event in events] == [1, 2, 1]


@pytest.mark.parametrize("change", ["attention_at = NULL", "removed_at = 5", "session_id = NULL, user_ref = NULL"])
async def test_a_connection_that_needs_nothing_or_has_no_owner_is_no_episode(store: Store, change: str) -> None:
    await recorded(store, 100.0)
    await store.engine.write(lambda tx: tx.run(f"UPDATE connections SET {change}"))  # noqa: S608
    seen: list[float | None] = []

    def decide(since: float | None, _told: int) -> ReminderStep:
        seen.append(since)
        return ReminderStep(None, 0, None)

    await store.reminders.take(CONNECTION, decide)
    assert seen == [None]
    with pytest.raises(NotFound):
        await store.reminders.take(ConnectionId("unknown"), lambda _since, _told: ReminderStep(None, 0, None))
