"""What is about to be created at the provider: written before the call, and searched for when its answer was lost."""

from service.domain.model import SessionId
from service.domain.timing import LOST_SECONDS
from service.store import Store
from service.store.intents import IntentTurn
from tests.support.clock import Clock

ADA = SessionId("ses_1")


async def test_only_the_first_may_call(store: Store, clock: Clock) -> None:
    assert await store.intents.begin("cmp_1", LOST_SECONDS) == IntentTurn(clock.now(), repeats=False)
    clock.advance(LOST_SECONDS - 1)
    assert await store.intents.begin("cmp_1", LOST_SECONDS) is None


async def test_a_lost_call_is_waited_for_and_then_another_takes_its_place(store: Store, clock: Clock) -> None:
    await store.intents.begin("cmp_1", LOST_SECONDS)
    clock.advance(LOST_SECONDS)
    assert await store.intents.begin("cmp_1", LOST_SECONDS) == IntentTurn(clock.now(), repeats=True)
    clock.advance(LOST_SECONDS - 1)
    assert await store.intents.begin("cmp_1", LOST_SECONDS) is None


async def test_a_call_that_was_answered_is_forgotten(store: Store) -> None:
    await store.intents.begin("cmp_1", LOST_SECONDS)
    await store.intents.complete("cmp_1")
    assert await store.intents.begin("cmp_1", LOST_SECONDS) is not None


async def test_who_comes_back_too_late_does_not_settle_the_call_that_took_its_place(store: Store, clock: Clock) -> None:
    late = await store.intents.begin("cmp_1", LOST_SECONDS)
    assert late is not None
    clock.advance(LOST_SECONDS)
    await store.intents.begin("cmp_1", LOST_SECONDS)
    await store.intents.complete("cmp_1", late.at)
    assert await store.intents.begin("cmp_1", LOST_SECONDS) is None


async def test_a_clock_that_was_set_back_lengthens_the_waiting_by_no_more_than_its_own_time(
    store: Store, clock: Clock
) -> None:
    await store.intents.begin("cmp_1", LOST_SECONDS)
    clock.advance(-7200)
    for wait in (0, LOST_SECONDS - 1):
        clock.advance(wait)
        assert await store.intents.begin("cmp_1", LOST_SECONDS) is None
    clock.advance(1)
    assert await store.intents.begin("cmp_1", LOST_SECONDS) is not None


async def test_every_call_for_an_invitation_has_a_note_of_its_own(store: Store, clock: Clock) -> None:
    first = await store.intents.begin_invitation(ADA, 1)
    clock.advance(5)
    second = await store.intents.begin_invitation(ADA, 2)
    await store.intents.begin_invitation(SessionId("ses_11"), 1)
    await store.intents.begin("cmp_1", LOST_SECONDS)
    noted = await store.intents.open_intents(ADA)
    assert [(one.ref, one.serial, one.age_seconds) for one in noted] == [(first, 1, 5), (second, 2, 0)]
    await store.intents.complete(first)
    assert [one.ref for one in await store.intents.open_intents(ADA)] == [second]


async def test_for_a_poll_time_in_the_future_the_interval_begins_again(store: Store, clock: Clock) -> None:
    await store.intents.begin_invitation(ADA, 1)
    clock.advance(-7200)
    assert [one.age_seconds for one in await store.intents.open_intents(ADA)] == [-7200]
    assert [one.age_seconds for one in await store.intents.restarted_intents(ADA)] == [0]
    clock.advance(30)
    assert [one.age_seconds for one in await store.intents.restarted_intents(ADA)] == [30]


async def test_a_note_of_the_first_version_is_read_too(store: Store) -> None:
    await store.intents.begin("ses_1.3", LOST_SECONDS)
    assert [one.serial for one in await store.intents.open_intents(ADA)] == [3]
