"""Logs of invitations: which are unread, and how many calls the company's budget gives for them."""

from service.domain.changes import CompanyBaseline
from service.domain.model import ProviderCompanyId
from service.domain.provider_steps import LogStep
from service.domain.timing import RECENT_SECONDS
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import link
from tests.support.store_cases import UNNAMED, change, create, fresh

GIVEN = ProviderCompanyId("company-1")
REF = UNNAMED.ref


async def test_logs_take_from_the_budget_of_polls_and_leave_half_of_it(store: Store, clock: Clock) -> None:
    await create(store, fresh())
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    assert await store.companies.take_logs(REF, 5) == 0  # no poll was made yet
    await store.companies.take_poll(REF)
    assert [await store.companies.take_logs(REF, 20) for _ in range(3)] == [20, 9, 0]
    clock.advance(2 * 15.0)
    assert (await store.companies.take_poll(REF))[1] == 0
    assert await store.companies.take_logs(REF, 5) == 1


async def test_the_log_of_a_present_or_used_invitation_is_unread_until_it_has_named_the_use(
    store: Store, clock: Clock
) -> None:
    async def unread() -> list[tuple[str, bool]]:
        logs = (await store.connections.after_poll(REF, ()))[2]
        return sorted((one.session_id, one.used) for one in logs)

    now = clock.now()
    for name in ("ses_present", "ses_used", "ses_told", "ses_hidden", "ses_old"):
        await create(store, fresh(name=name), link(invitation_id=f"inv_{name}"))
    shown = {"revealed_at": now - 60}
    await change(store, fresh(name="ses_present"), seen_at=now - 30, **shown)
    await change(store, fresh(name="ses_used"), seen_at=now - 7200, link_used_at=now - 30, **shown)
    await change(
        store, fresh(name="ses_told"), seen_at=now, provider_steps=(LogStep.VIEWED, LogStep.SUBMITTED), **shown
    )
    await change(store, fresh(name="ses_hidden"), seen_at=now)
    await change(store, fresh(name="ses_old"), seen_at=now - RECENT_SECONDS, **shown)
    assert await unread() == [("ses_present", False), ("ses_used", True)]
