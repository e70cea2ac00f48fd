"""A reminder's event and the count of its episode are one transaction."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes
from service.domain.model import Candidate, ConnectionId, EvidenceKind, UserId, Verdict
from service.domain.reminders import ReminderStep
from service.errors import NotFound
from service.store import Store
from tests.support.domain_values import CONNECTION, TENANT, connection, seen
from tests.support.store_cases import UNNAMED, create, fresh, numbered


async def recorded(store: Store, attention_at: float | None, *, owned: bool = True) -> None:
    one = await create(store, fresh())
    owner = Candidate(one.id, one.tenant, one.user)
    verdict = Verdict(EvidenceKind.INVITATION, owner) if owned else Verdict()
    bad = seen(status="PASSWORD_INCORRECT")
    found = replace(connection(verdict, reported=bad), company=UNNAMED.ref, attention_at=attention_at)
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(connections=(found,)))


async def days(store: Store) -> list[int]:
    await numbered(store)
    return [event.data["day"] for event in await store.events.after(0, 25) if event.type == "connection.reminder"]


async def test_a_step_is_counted_within_its_episode(store: Store) -> None:
    await recorded(store, 100.0)
    asked: list[tuple[float | None, int]] = []

    def decide(since: float | None, told: int) -> ReminderStep:
        asked.append((since, told))
        return ReminderStep(told + 1, told + 1, 1.0)

    for _ in range(2):
        await store.reminders.take(CONNECTION, decide)
    await store.engine.write(lambda tx: tx.run("UPDATE connections SET attention_at = 200"))
    await store.reminders.take(CONNECTION, decide)
    assert asked == [(100.0, 0), (100.0, 1), (200.0, 0)]
    assert await days(store) == [1, 2, 1]


@pytest.mark.parametrize("state", ["PENDING", "WEBSITE_DOWN", "COMPANY_INACTIVE"])
async def test_a_step_at_which_nothing_is_asked_of_the_user_is_counted_without_an_event(
    store: Store, state: str
) -> None:
    await recorded(store, 100.0)
    for status in (state, "MFA_TOKEN_EXPIRED"):
        sql = f"UPDATE connections SET provider_status = '{status}'"  # noqa: S608
        await store.engine.write(lambda tx, sql=sql: tx.run(sql))  # type: ignore[misc]
        await store.reminders.take(CONNECTION, lambda _, told: ReminderStep(told + 1, told + 1, 1.0))
    assert await days(store) == [2]


async def test_an_erased_owner_is_not_reminded(store: Store) -> None:
    await recorded(store, 100.0)
    await store.users.begin_erasure(TENANT, UserId("ada"), "key_1")
    step = await store.reminders.take(CONNECTION, lambda since, _: ReminderStep(1 if since else None, 0, since))
    assert (step, await days(store)) == (ReminderStep(None, 0, None), [])


@pytest.mark.parametrize("change", ["attention_at = NULL", "removed_at = 5", "session_id = NULL, user_ref = NULL"])
async def test_a_connection_that_needs_nothing_or_has_no_owner_is_no_episode(store: Store, change: str) -> None:
    await recorded(store, 100.0)
    await store.engine.write(lambda tx: tx.run(f"UPDATE connections SET {change}"))  # noqa: S608
    asked: list[float | None] = []

    def decide(since: float | None, _told: int) -> ReminderStep:
        asked.append(since)
        return ReminderStep(None, 0, None)

    await store.reminders.take(CONNECTION, decide)
    assert asked == [None]
    with pytest.raises(NotFound):
        await store.reminders.take(ConnectionId("unknown"), lambda _since, _told: ReminderStep(None, 0, None))
