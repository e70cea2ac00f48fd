"""What is about to be created at the provider: noted before the call, and waited for when its answer was lost."""

from service.model import SessionId
from service.places import LOST_SECONDS
from service.store import Store
from tests.clock import Clock


async def test_only_the_first_may_call_and_whoever_comes_later_learns_since_when(store: Store, clock: Clock) -> None:
    began = clock.now()
    assert await store.companies.begin("cmp_1", LOST_SECONDS) is None
    clock.advance(30)
    earlier = await store.companies.begin("cmp_1", LOST_SECONDS)
    assert earlier is not None
    assert earlier.called_at == began


async def test_a_clock_that_was_set_back_lengthens_the_waiting_by_no_more_than_its_own_time(
    store: Store, clock: Clock
) -> None:
    await store.companies.begin("cmp_1", LOST_SECONDS)
    clock.advance(-7200)
    noticed = clock.now()
    for _ in range(2):
        earlier = await store.companies.begin("cmp_1", LOST_SECONDS)
        assert earlier is not None
        assert earlier.called_at == noticed
        clock.advance(LOST_SECONDS - 1)


async def test_a_sessions_lost_invitations_are_named_by_their_serials_until_they_are_settled(store: Store) -> None:
    for ref in ("ses_1.1", "ses_1.2", "ses_11.1", "cmp_1"):
        await store.companies.begin(ref)
    assert await store.companies.begun(SessionId("ses_1")) == [1, 2]
    await store.companies.settled("ses_1.1")
    assert await store.companies.begun(SessionId("ses_1")) == [2]
