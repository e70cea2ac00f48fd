"""The keys that signed the links of open sessions, on both databases."""

from service.domain.model import DEFAULT_TENANT
from service.store import Store
from service.store.signing_keys import signing_keys_in_use
from tests.support.clock import Clock
from tests.support.store_cases import create, fresh


async def test_the_open_sessions_of_each_key_are_counted(store: Store, clock: Clock) -> None:
    for name, key, seconds in (("ses_1", "a", 60.0), ("ses_2", "b", 60.0), ("ses_3", "a", 60.0), ("ses_4", "c", -1.0)):
        one = fresh("ada", name, tenant=DEFAULT_TENANT, key_id=key, issued_at=1, expires_at=clock.now() + seconds)
        await create(store, one)
    assert await signing_keys_in_use(store.engine, clock.now) == {"a": 2, "b": 1}


async def test_without_sessions_no_key_is_in_use(store: Store, clock: Clock) -> None:
    assert await signing_keys_in_use(store.engine, clock.now) == {}
