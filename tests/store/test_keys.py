from service.domain.model import Tenant
from service.store import Store
from tests.support.clock import Clock

TENANT = Tenant("default")


async def test_a_key_is_found_by_its_digest(store: Store, clock: Clock) -> None:
    await store.keys.add("key_1", TENANT, "backend", "digest-1")
    found = await store.keys.find("digest-1")
    assert found is not None
    assert (found.id, found.tenant, found.name, found.created_at) == ("key_1", TENANT, "backend", clock.now())
    assert found.revoked_at is None


async def test_an_unknown_digest_finds_nothing(store: Store) -> None:
    assert await store.keys.find("digest-1") is None


async def test_the_same_digest_twice_stays_one_key(store: Store) -> None:
    await store.keys.add("key_1", TENANT, "backend", "digest-1")
    await store.keys.add("key_2", TENANT, "again", "digest-1")
    assert [key.id for key in await store.keys.all()] == ["key_1"]


async def test_a_revoked_key_is_still_found_with_its_end(store: Store, clock: Clock) -> None:
    await store.keys.add("key_1", TENANT, "backend", "digest-1")
    ended_at = clock.now()
    assert await store.keys.revoke("key_1")
    clock.advance(60)
    assert await store.keys.revoke("key_1")
    found = await store.keys.find("digest-1")
    assert found is not None
    assert found.revoked_at == ended_at


async def test_an_unknown_key_cannot_be_revoked(store: Store) -> None:
    assert not await store.keys.revoke("key_1")


async def test_keys_are_listed_oldest_first(store: Store, clock: Clock) -> None:
    for number in (3, 1, 2):
        await store.keys.add(f"key_{number}", TENANT, "backend", f"digest-{number}")
        clock.advance(1)
    assert [key.id for key in await store.keys.all()] == ["key_3", "key_1", "key_2"]
