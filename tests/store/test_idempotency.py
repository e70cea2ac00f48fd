import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.domain import session_rules
from service.domain.model import Session, Tenant
from service.domain.requests import IdempotentRequest, KeyLease
from service.domain.session_status import SessionStatus
from service.domain.timing import LEASE_SECONDS
from service.errors import IdempotencyInProgress, IdempotencyKeyReused, LeaseLost
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import NOW, TENANT
from tests.support.store_cases import change, count, count_writes, created, fresh

REQUEST = IdempotentRequest("/v1/sessions", "key-1", "digest-1")
REPEAT = KeyLease(TENANT, REQUEST, "token-1")
SECOND = replace(REPEAT, token="token-2")
OTHER_BODY = replace(SECOND, request=replace(REQUEST, body_digest="digest-2"))
ANSWER = {"id": "ses_1", "nested": {"list": [1, None, "é"]}}


async def test_a_first_call_has_no_earlier_answer(store: Store) -> None:
    assert await store.idempotency.begin(REPEAT) is None


async def test_an_equal_call_gets_the_kept_answer(store: Store) -> None:
    await store.idempotency.begin(REPEAT)
    await store.idempotency.keep(REPEAT, ANSWER)
    assert await store.idempotency.begin(REPEAT) == ANSWER


async def test_the_same_key_with_another_body_is_refused(store: Store) -> None:
    await store.idempotency.begin(REPEAT)
    await store.idempotency.keep(REPEAT, ANSWER)
    with pytest.raises(IdempotencyKeyReused):
        await store.idempotency.begin(OTHER_BODY)


async def test_while_the_first_call_is_in_flight_an_equal_one_is_refused_as_in_flight(store: Store) -> None:
    await store.idempotency.begin(REPEAT)
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(REPEAT)


async def test_a_call_that_died_without_an_answer_may_be_made_again_when_its_lease_ends(
    store: Store, clock: Clock
) -> None:
    await store.idempotency.begin(REPEAT)
    clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(SECOND)
    clock.advance(1)
    assert await store.idempotency.begin(SECOND) is None
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(replace(REPEAT, token="token-3"))


async def test_a_call_that_renews_its_lease_is_in_progress_for_as_long(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    for _ in range(10):
        clock.advance(LEASE_SECONDS - 1)
        await store.idempotency.renew([REPEAT.token])
        with pytest.raises(IdempotencyInProgress):
            await store.idempotency.begin(SECOND)


async def test_a_lease_that_has_ended_is_not_revived(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    clock.advance(LEASE_SECONDS)
    await store.idempotency.renew([REPEAT.token])
    assert await store.idempotency.begin(SECOND) is None


@pytest.mark.parametrize("late", [{"id": "ses_late"}, None])
async def test_a_call_that_outlived_its_lease_neither_overwrites_nor_forgets_the_key_of_the_next(
    store: Store, clock: Clock, late: dict[str, Any] | None
) -> None:
    await store.idempotency.begin(REPEAT)
    clock.advance(LEASE_SECONDS)
    await store.idempotency.begin(SECOND)
    await store.idempotency.keep(REPEAT, late)
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(replace(REPEAT, token="token-3"))
    await store.idempotency.keep(SECOND, ANSWER)
    await store.idempotency.keep(REPEAT, late)
    assert await store.idempotency.begin(REPEAT) == ANSWER


async def test_a_key_that_version_0_2_0_left_is_in_progress_for_a_minute(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    await store.engine.write(lambda tx: tx.run("UPDATE idempotency SET lease = NULL, lease_until = NULL"))
    clock.advance(59)
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(SECOND)
    clock.advance(1)
    assert await store.idempotency.begin(SECOND) is None


async def test_a_forgotten_key_may_be_used_again_even_with_another_body(store: Store) -> None:
    await store.idempotency.begin(REPEAT)
    await store.idempotency.keep(REPEAT, None)
    assert await store.idempotency.begin(OTHER_BODY) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(SECOND, tenant=Tenant("elsewhere")),
        replace(SECOND, request=replace(REQUEST, route="/v1/x")),
        replace(SECOND, request=replace(REQUEST, key="k")),
    ],
)
async def test_keys_are_of_one_tenant_and_one_route(store: Store, other: KeyLease) -> None:
    await store.idempotency.begin(REPEAT)
    assert await store.idempotency.begin(other) is None


async def test_keys_a_day_old_are_purged_and_younger_ones_stay(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    clock.advance(86_399)
    await store.idempotency.begin(replace(REPEAT, request=replace(REQUEST, key="key-2")))
    assert await store.idempotency.purge() == 0
    clock.advance(2)
    assert await store.idempotency.purge() == 1
    assert await count(store, "idempotency") == 1


async def test_a_key_is_new_after_a_day_though_it_is_not_purged_yet(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    await store.idempotency.keep(REPEAT, ANSWER)
    clock.advance(86_400)
    assert await store.idempotency.begin(REPEAT) == ANSWER
    clock.advance(1)
    assert await store.idempotency.begin(OTHER_BODY) is None
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(replace(OTHER_BODY, token="token-3"))
    await store.idempotency.keep(OTHER_BODY, {"id": "ses_2"})
    assert await store.idempotency.begin(OTHER_BODY) == {"id": "ses_2"}


async def test_a_call_under_way_keeps_its_key_for_longer_than_a_day(store: Store, clock: Clock) -> None:
    await store.idempotency.begin(REPEAT)
    await store.engine.write(lambda tx: tx.run("UPDATE idempotency SET created_at = created_at - 86401"))
    with pytest.raises(IdempotencyInProgress):
        await store.idempotency.begin(SECOND)
    clock.advance(LEASE_SECONDS)
    assert await store.idempotency.begin(OTHER_BODY) is None


async def test_a_day_of_many_keys_is_purged_in_pieces(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await store.idempotency.begin(replace(REPEAT, request=replace(REQUEST, key=f"key-{number}")))
    clock.advance(86_401)
    writes = count_writes(store, monkeypatch)
    assert await store.idempotency.purge(at_once=2) == 5
    assert len(writes) == 4  # the last finds nothing
    assert await count(store, "idempotency") == 0


# with a session


def rendered(one: Session) -> dict[str, Any]:
    return {"id": one.id}


async def test_equal_creates_make_one_session_and_get_one_answer(store: Store) -> None:
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT, rendered)
    assert isinstance(first, Session)
    assert await store.sessions.create(fresh(name="ses_2"), created, REPEAT, rendered) == {"id": "ses_1"}
    assert await count(store, "sessions") == 1


async def test_a_create_with_a_key_of_the_day_before_makes_another_session(store: Store, clock: Clock) -> None:
    await store.sessions.create(fresh(name="ses_1"), created, REPEAT, rendered)
    clock.advance(86_401)
    assert await store.sessions.earlier(OTHER_BODY) is None
    second = await store.sessions.create(fresh(name="ses_2"), created, OTHER_BODY, rendered)
    assert isinstance(second, Session)
    assert second.id == "ses_2"
    assert await store.sessions.earlier(OTHER_BODY) == {"id": "ses_2"}


async def test_a_hundred_concurrent_equal_creates_make_one_session(store: Store) -> None:
    async def create(number: int) -> Any:
        return await store.sessions.create(fresh(name=f"ses_{number}"), created, REPEAT, rendered)

    outcomes = await asyncio.gather(*map(create, range(100)))
    made = [one for one in outcomes if isinstance(one, Session)]
    assert len(made) == await count(store, "sessions") == 1
    assert {one["id"] for one in outcomes if not isinstance(one, Session)} == {made[0].id}


async def test_after_a_crash_the_repeat_goes_on_with_the_session_that_the_key_has_made(
    store: Store, clock: Clock
) -> None:
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    clock.advance(LEASE_SECONDS)
    assert await store.sessions.create(fresh(name="ses_2"), created, SECOND) == first
    assert await count(store, "sessions") == 1
    await store.idempotency.keep(SECOND, ANSWER)
    assert await store.sessions.create(fresh(name="ses_3"), created, REPEAT) == ANSWER


async def test_an_earlier_call_is_read_before_anything_is_created(store: Store, clock: Clock) -> None:
    assert await store.sessions.earlier(REPEAT) is None
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    for key, refusal in ((SECOND, IdempotencyInProgress), (OTHER_BODY, IdempotencyKeyReused)):
        with pytest.raises(refusal):
            await store.sessions.earlier(key)
    clock.advance(LEASE_SECONDS)
    assert await store.sessions.earlier(SECOND) == first
    with pytest.raises(IdempotencyInProgress):
        await store.sessions.earlier(REPEAT)
    await store.idempotency.keep(SECOND, ANSWER)
    assert await store.sessions.earlier(REPEAT) == ANSWER


async def test_the_key_of_an_earlier_call_whose_session_is_closed_stays_as_it_is(store: Store, clock: Clock) -> None:
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    assert isinstance(first, Session)
    await change(store, first, status=SessionStatus.FAILED)
    clock.advance(LEASE_SECONDS)
    assert await store.sessions.earlier(SECOND) is None
    second = await store.sessions.create(fresh(name="ses_2"), created, SECOND)
    assert isinstance(second, Session)
    assert second.id == "ses_2"


async def test_a_session_that_was_closed_before_its_host_saw_it_is_replaced(store: Store, clock: Clock) -> None:
    first = await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    assert isinstance(first, Session)
    await change(store, first, status=SessionStatus.FAILED)
    clock.advance(LEASE_SECONDS)
    second = await store.sessions.create(fresh(name="ses_2"), created, SECOND)
    assert isinstance(second, Session)
    clock.advance(LEASE_SECONDS)
    third = replace(REPEAT, token="token-3")
    assert await store.sessions.create(fresh(name="ses_3"), created, third) == second


async def test_a_call_whose_key_was_taken_over_fails_no_session(store: Store, clock: Clock) -> None:
    session = await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    assert isinstance(session, Session)
    clock.advance(LEASE_SECONDS)
    await store.sessions.create(fresh(name="ses_2"), created, SECOND)
    with pytest.raises(LeaseLost):
        await store.sessions.change(session.id, lambda now: session_rules.fail(now, "provider_error", NOW), key=REPEAT)
    assert (await store.sessions.get(session.id)).status is SessionStatus.CREATED
    await store.sessions.change(session.id, lambda now: session_rules.fail(now, "provider_error", NOW), key=SECOND)
    assert (await store.sessions.get(session.id)).status is SessionStatus.FAILED


async def test_the_answer_of_a_call_that_waits_for_its_link_is_kept_later(store: Store) -> None:
    await store.sessions.create(fresh(name="ses_1"), created, REPEAT)
    with pytest.raises(IdempotencyInProgress):
        await store.sessions.create(fresh(name="ses_2"), created, REPEAT)
    await store.idempotency.keep(REPEAT, ANSWER)
    assert await store.sessions.create(fresh(name="ses_3"), created, REPEAT) == ANSWER


async def test_a_create_that_is_refused_leaves_no_key_behind(store: Store) -> None:
    def refuse(_one: Session) -> dict[str, Any]:
        raise IdempotencyKeyReused

    with pytest.raises(IdempotencyKeyReused):
        await store.sessions.create(fresh(), created, REPEAT, refuse)
    assert await count(store, "idempotency") == await count(store, "sessions") == await count(store, "work") == 0
