import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.domain.model import Session, Tenant
from service.domain.requests import IdempotentRequest
from service.errors import IdempotencyInProgress, IdempotencyKeyReused
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import count, created, fresh

REPEAT = IdempotentRequest("/v1/sessions", "key-1", "digest-1")
ANSWER = {"id": "ses_1", "nested": {"list": [1, None, "é"]}}


async def test_a_first_call_has_no_earlier_answer(store: Store) -> None:
    assert await store.idempotency.begin(TENANT, REPEAT) is None


async def test_an_equal_call_gets_the_kept_answer(store: Store) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    await store.idempotency.keep(TENANT, REPEAT, ANSWER)
    assert await store.idempotency.begin(TENANT, REPEAT) == ANSWER


async def test_the_same_key_with_another_body_is_refused(store: Store) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    await store.idempotency.keep(TENANT, REPEAT, ANSWER)
    with pytest.raises(IdempotencyKeyReused):
        await store.idempotency.begin(TENANT, replace(REPEAT, body_digest="digest-2"))


async def test_while_the_first_call_is_in_flight_an_equal_one_is_refused_as_in_flight(store: Store) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(TENANT, REPEAT)


async def test_a_call_that_died_without_an_answer_may_be_made_again_after_a_minute(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    clock.advance(61)
    assert await store.idempotency.begin(TENANT, REPEAT) is None
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(TENANT, REPEAT)


async def test_a_forgotten_key_may_be_used_again_even_with_another_body(store: Store) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    await store.idempotency.keep(TENANT, REPEAT, None)
    assert await store.idempotency.begin(TENANT, replace(REPEAT, body_digest="digest-2")) is None


@pytest.mark.parametrize(
    "other",
    [(Tenant("elsewhere"), REPEAT), (TENANT, replace(REPEAT, route="/v1/x")), (TENANT, replace(REPEAT, key="k"))],
)
async def test_keys_are_of_one_tenant_and_one_route(store: Store, other: tuple[Tenant, IdempotentRequest]) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    assert await store.idempotency.begin(*other) is None


async def test_keys_a_day_old_are_purged_and_younger_ones_stay(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(TENANT, REPEAT)
    clock.advance(86_399)
    await store.idempotency.begin(TENANT, replace(REPEAT, key="key-2"))
    assert await store.idempotency.purge() == 0
    clock.advance(2)
    assert await store.idempotency.purge() == 1
    assert await count(store, "idempotency") == 1


# with a session


def rendered(one: Session) -> dict[str, Any]:
    return {"id": one.id}


async def test_equal_creates_make_one_session_and_get_one_answer(store: Store) -> None:
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT, rendered)
    assert isinstance(first, Session)
    assert await store.sessions.create(fresh(name="ses_2"), created, REPEAT, rendered) == {"id": "ses_1"}
    assert await count(store, "sessions") == 1


async def test_a_hundred_concurrent_equal_creates_make_one_session(store: Store) -> None:
    async def create(number: int) -> Any:
        return await store.sessions.create(fresh(name=f"ses_{number}"), created, REPEAT, rendered)

    outcomes = await asyncio.gather(*map(create, range(100)))
    made = [one for one in outcomes if isinstance(one, Session)]
    assert len(made) == await count(store, "sessions") == 1
    assert {one["id"] for one in outcomes if not isinstance(one, Session)} == {made[0].id}


async def test_the_answer_of_a_call_that_waits_for_its_link_is_kept_later(store: Store) -> None:
    await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    with pytest.raises(IdempotencyInProgress):
        await store.sessions.create(fresh(name="ses_2"), created, REPEAT)
    await store.idempotency.keep(TENANT, REPEAT, ANSWER)
    assert await store.sessions.create(fresh(name="ses_3"), created, REPEAT) == ANSWER


async def test_a_create_that_is_refused_leaves_no_key_behind(store: Store) -> None:
    def refuse(_one: Session) -> dict[str, Any]:
        raise IdempotencyKeyReused

    with pytest.raises(IdempotencyKeyReused):
        await store.sessions.create(fresh(), created, REPEAT, refuse)
    assert await count(store, "idempotency") == await count(store, "sessions") == await count(store, "work") == 0
