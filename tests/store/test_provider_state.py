"""What outlives a process: the provider's generation of paths, by address, and when the last webhook came."""

from service.domain.changes import JobKind
from service.store import Store
from tests.support.clock import Clock

DAY = 86_400.0
URL = "https://api.example.com/v2.2"


async def test_nothing_is_known_at_first(store: Store) -> None:
    assert (await store.provider_state.paths(URL), await store.provider_state.last_webhook_at()) == (None, None)


async def test_the_newest_generation_of_an_address_stands_and_says_nothing_of_another(store: Store) -> None:
    await store.provider_state.set_paths(URL, "reference")
    await store.provider_state.set_paths(URL, "company")
    assert await store.provider_state.paths(URL) == "company"
    assert await store.provider_state.paths("https://api.example.com/v2.1") is None


async def test_a_word_of_a_later_version_is_not_known(store: Store) -> None:
    await store.provider_state.set_paths(URL, "both")  # type: ignore[arg-type]
    assert await store.provider_state.paths(URL) is None


async def test_the_last_webhook_is_remembered_after_it_was_purged(store: Store, clock: Clock) -> None:
    await store.inbox.put("default", "msg_1", "body")
    clock.advance(DAY)
    at = clock.now()
    await store.inbox.put("default", "msg_2", "body")
    assert await store.provider_state.last_webhook_at() == at
    for work in await store.queue.lease(10, 60):
        assert work.kind is JobKind.WEBHOOK
        await store.inbox.complete(work.ref)
    clock.advance(40 * DAY)
    assert await store.inbox.purge() == 2
    assert await store.inbox.purge() == 0
    assert await store.provider_state.last_webhook_at() == at
    await store.inbox.put("default", "msg_3", "body")
    assert await store.provider_state.last_webhook_at() == clock.now()
