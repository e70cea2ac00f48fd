"""Users: one row for each id of a tenant, found by its id until it is erased, by its ref for ever."""

import pytest

from service.domain.model import Tenant, UserId, UserRef
from service.store import Store
from service.store.engine import Transaction
from service.store.users import adopt_user, find_user, hold_user, ref_of_user, user_ids
from tests.support.domain_values import TENANT
from tests.support.store_cases import count

ELSEWHERE = Tenant("elsewhere")
ADA, FIRST, SECOND = UserId("ada"), UserRef("usr_1"), UserRef("usr_2")
NOW = 1.0


async def adopt(store: Store, tenant: Tenant, user_id: str, new: UserRef) -> UserRef:
    return await store.engine.write(lambda tx: adopt_user(tx, tenant, UserId(user_id), new, NOW))


async def test_an_id_has_one_row(store: Store) -> None:
    assert await adopt(store, TENANT, ADA, FIRST) == FIRST
    assert await adopt(store, TENANT, ADA, SECOND) == FIRST
    assert await count(store, "users") == 1


async def test_the_same_id_of_another_tenant_is_another_user(store: Store) -> None:
    await adopt(store, TENANT, ADA, FIRST)
    assert await adopt(store, ELSEWHERE, ADA, SECOND) == SECOND


@pytest.mark.parametrize("other", ["Ada", " ada", "ada ", "\uff41da"])
async def test_ids_that_look_alike_are_different_users(store: Store, other: str) -> None:
    await adopt(store, TENANT, ADA, FIRST)
    assert await adopt(store, TENANT, other, SECOND) == SECOND


async def test_an_erased_user_is_found_by_ref_only(store: Store) -> None:
    await adopt(store, TENANT, ADA, FIRST)
    await store.users.begin_erasure(TENANT, ADA, "key_1")

    def look(tx: Transaction) -> None:
        assert find_user(tx, TENANT, ADA) is None
        assert ref_of_user(tx, TENANT, ADA) == ""
        assert user_ids(tx, [FIRST]) == {FIRST: None}
        assert not hold_user(tx, FIRST)

    await store.engine.write(look)
    assert await store.users.ids([FIRST]) == {}
    assert await adopt(store, TENANT, ADA, SECOND) == SECOND


async def test_any_number_of_users_can_be_erased(store: Store) -> None:
    for ref in (FIRST, SECOND, UserRef("usr_3")):
        await adopt(store, TENANT, ADA, ref)
        await store.users.begin_erasure(TENANT, ADA, "key_1")
    assert await count(store, "users", "user_id IS NULL") == 3


async def test_a_user_who_is_held_is_not_erased(store: Store) -> None:
    await adopt(store, TENANT, ADA, FIRST)
    assert await store.engine.write(lambda tx: hold_user(tx, FIRST))
    assert not await store.engine.write(lambda tx: hold_user(tx, SECOND))
