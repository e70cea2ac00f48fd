"""Who calls: every refusal, the bootstrap key, how soon a revoked key ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.model import DEFAULT_TENANT, Tenant
from service.domain.runtime import Runtime
from service.domain.tokens import digest
from service.errors import Unauthorized
from service.store import Store
from service.store.sqlite import SqliteEngine
from service.usecases.api_keys import ApiKeys, Caller
from tests.support.clock import Clock

ELSEWHERE = Tenant("elsewhere")


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    found = Store(SqliteEngine(str(tmp_path / "keys.db"), clock.now), clock=clock.now, new_id=str, keys=("k" * 32,))
    await found.open()
    await found.keys.add("key_1", ELSEWHERE, "backend", digest("mlk_known"))
    yield found
    await found.close()


@pytest.fixture
def keys(store: Store, clock: Clock) -> ApiKeys:
    return ApiKeys(store, Runtime(clock.now, str), "dev-key")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer   ", "Basic mlk_known", "mlk_known", "Bearer unknown", "Bearer \ud800"],
)
async def test_without_a_known_key_the_answer_is_unauthorized(keys: ApiKeys, authorization: str | None) -> None:
    with pytest.raises(Unauthorized):
        await keys.caller_of(authorization)


@pytest.mark.parametrize("authorization", ["Bearer mlk_known", "bearer mlk_known", "BEARER   mlk_known "])
async def test_a_known_key_is_its_tenants(keys: ApiKeys, authorization: str) -> None:
    assert (await keys.caller_of(authorization)).tenant == ELSEWHERE


async def test_of_two_keys_of_one_tenant_it_is_known_which_one_it_was(keys: ApiKeys, store: Store) -> None:
    await store.keys.add("key_2", ELSEWHERE, "console", digest("mlk_other"))
    for _ in range(2):  # also from memory
        assert await keys.caller_of("Bearer mlk_known") == Caller(ELSEWHERE, "key_1")
        assert await keys.caller_of("Bearer mlk_other") == Caller(ELSEWHERE, "key_2")


async def test_the_key_of_the_settings_is_the_default_tenants(keys: ApiKeys) -> None:
    assert await keys.caller_of("Bearer dev-key") == Caller(DEFAULT_TENANT, "bootstrap")


async def test_without_a_key_in_the_settings_none_is_accepted_for_it(store: Store, clock: Clock) -> None:
    bare = ApiKeys(store, Runtime(clock.now, str), None)
    with pytest.raises(Unauthorized):
        await bare.caller_of("Bearer dev-key")


async def test_a_revoked_key_ends_within_seconds(keys: ApiKeys, store: Store, clock: Clock) -> None:
    await keys.caller_of("Bearer mlk_known")
    await store.keys.revoke("key_1")
    clock.advance(5)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await keys.caller_of("Bearer mlk_known")


async def test_a_key_that_was_never_seen_before_it_was_revoked_is_refused(keys: ApiKeys, store: Store) -> None:
    await store.keys.revoke("key_1")
    with pytest.raises(Unauthorized):
        await keys.caller_of("Bearer mlk_known")


async def test_a_key_in_use_is_not_looked_up_for_every_call(keys: ApiKeys, store: Store, clock: Clock) -> None:
    await keys.caller_of("Bearer mlk_known")
    await store.keys.revoke("key_1")
    clock.advance(4.9)
    assert (await keys.caller_of("Bearer mlk_known")).tenant == ELSEWHERE


async def test_a_revoked_key_ends_though_our_clock_was_set_back(keys: ApiKeys, store: Store, clock: Clock) -> None:
    await keys.caller_of("Bearer mlk_known")
    await store.keys.revoke("key_1")
    clock.advance(-3600)
    with pytest.raises(Unauthorized):
        await keys.caller_of("Bearer mlk_known")
