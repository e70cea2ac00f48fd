import asyncio

import pytest

from service.domain.changes import JobKind
from service.errors import NotFound
from service.store import Store
from tests.support.clock import Clock
from tests.support.store_cases import count, count_writes

BODY = '{"id": "connection-1", "note": "geheim é"}'
DAY = 86_400.0


async def only_webhook(store: Store) -> str:
    (work,) = await store.queue.lease(10, 60)
    assert work.kind is JobKind.WEBHOOK
    return work.ref


async def test_a_webhook_is_kept_and_its_work_is_due(store: Store) -> None:
    assert await store.inbox.put("default", "msg_1", BODY)
    webhook = await store.inbox.get(await only_webhook(store))
    assert webhook.body == BODY


async def test_the_same_message_is_kept_once_and_worked_once(store: Store) -> None:
    assert await store.inbox.put("default", "msg_1", BODY)
    await only_webhook(store)
    assert not await store.inbox.put("default", "msg_1", BODY)
    assert await store.queue.lease(10, 60) == []


async def test_a_message_that_comes_a_hundred_times_at_once_is_kept_once(store: Store) -> None:
    kept = await asyncio.gather(*(store.inbox.put("default", "msg_1", BODY) for _ in range(100)))
    assert sum(kept) == await count(store, "inbox") == await count(store, "work") == 1


async def test_the_same_id_of_another_account_is_another_message(store: Store) -> None:
    assert await store.inbox.put("default", "msg_1", BODY)
    assert await store.inbox.put("other", "msg_1", BODY)


async def test_a_body_cannot_be_read_in_the_database(store: Store) -> None:
    await store.inbox.put("default", "msg_1", BODY)
    rows = await store.engine.read(lambda tx: tx.all("SELECT * FROM inbox"))
    assert "geheim" not in str([dict(row) for row in rows])


async def test_a_webhook_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.inbox.get("msg_nowhere")


async def test_after_thirty_days_what_was_worked_off_is_purged_and_what_was_not_stays(
    store: Store, clock: Clock
) -> None:
    await store.inbox.put("default", "msg_1", BODY)
    await store.inbox.complete(await only_webhook(store))
    await store.inbox.put("default", "msg_2", BODY)
    clock.advance(30 * DAY)
    assert await store.inbox.purge() == 0
    clock.advance(1)
    assert await store.inbox.purge() == 1
    assert await count(store, "inbox", "message_id = :id", id="msg_2") == 1


async def test_many_webhooks_are_purged_in_pieces(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        await store.inbox.put("default", f"msg_{number}", BODY)
        await store.inbox.complete(await only_webhook(store))
    clock.advance(30 * DAY + 1)
    writes = count_writes(store, monkeypatch)
    assert await store.inbox.purge(at_once=2) == 5
    assert len(writes) == 4  # the last finds nothing
    assert await count(store, "inbox") == 0
