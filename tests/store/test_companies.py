from dataclasses import replace

import pytest

from service.domain.changes import (
    Attachment,
    Changes,
    CompanyActivity,
    CompanyBaseline,
    CompanyRecords,
    Detachment,
    Fact,
    FactKind,
)
from service.domain.model import (
    CompanyRef,
    ConnectionId,
    EvidenceKind,
    ProviderCompanyId,
    ProviderSiteId,
    SiteRef,
    Tenant,
    Verdict,
)
from service.domain.session_status import SessionStatus
from service.errors import Forbidden, NotFound
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import CONNECTION, SITE, connection, link
from tests.support.store_cases import UNNAMED, change, count, create, fresh, sites_of

GIVEN = ProviderCompanyId("company-1")
REF = UNNAMED.ref
OLD = ConnectionId("old")
BY_ID = replace(UNNAMED, ref=CompanyRef("cmp_by_id"), external_id=None, name=None, provider_id=GIVEN)
QUIET = CompanyActivity(**dict.fromkeys(CompanyActivity.__slots__, False))


async def activity(store: Store) -> CompanyActivity:
    return (await store.connections.after_poll(REF, ()))[1]


async def test_a_company_is_found_by_our_reference_with_its_sites(store: Store) -> None:
    made = await create(store, fresh())
    assert await store.companies.get(REF) == UNNAMED
    assert await sites_of(store, REF) == list(made.sites)


async def test_an_unknown_company_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.companies.get(REF)
    with pytest.raises(NotFound):
        await store.companies.with_sites({REF: ()})
    assert await store.companies.by_provider_id(GIVEN) is None


async def test_the_providers_id_and_the_moment_are_kept_once_given(store: Store) -> None:
    await create(store, fresh())
    named = await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    assert (named.provider_id, named.provider_since_at) == (GIVEN, 1000.0)
    again = await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 2000.0))
    assert again.provider_since_at == 1000.0
    assert await store.companies.by_provider_id(GIVEN) == await store.companies.get(REF) == again


async def test_a_company_of_another_tenant_is_not_taken_over_by_its_id(store: Store) -> None:
    elsewhere = Tenant("elsewhere")
    await create(store, fresh(name="ses_1", company=BY_ID))
    theirs = await create(store, fresh(name="ses_2", tenant=elsewhere, company=replace(UNNAMED, tenant=elsewhere)))
    with pytest.raises(Forbidden):
        await store.companies.set_provider_id(theirs.company.ref, CompanyBaseline(GIVEN, 1000.0))
    assert (await store.companies.get(theirs.company.ref)).provider_id is None


async def test_one_company_named_in_two_ways_becomes_one(store: Store) -> None:
    by_name = await create(store, fresh(name="ses_1"))
    by_id = await create(store, fresh(name="ses_2", company=BY_ID, sites=()))
    await store.companies.set_provider_id(BY_ID.ref, CompanyBaseline(GIVEN, 500.0))
    merged = await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    assert merged == replace(BY_ID, external_id="acme", name="Acme Ltd", provider_since_at=500.0)
    assert await count(store, "companies") == 1
    assert {(await store.sessions.get(one.id)).company for one in (by_name, by_id)} == {merged}
    assert await sites_of(store, BY_ID.ref) == list(by_name.sites)


async def test_what_was_there_before_is_recorded_the_first_time_and_never_again(store: Store) -> None:
    await create(store, fresh())
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0, frozenset({OLD})))
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 2000.0, frozenset({OLD, ConnectionId("ours")})))
    assert await begun_with(store, REF) == {(FactKind.LISTED, None), (FactKind.PRIOR, OLD)}


async def test_a_company_given_by_id_begins_with_whatever_names_it_first(store: Store) -> None:
    await create(store, fresh(name="ses_1"))
    await create(store, fresh(name="ses_2", company=BY_ID, sites=()))
    merged = await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0, frozenset({OLD})))
    assert (merged.ref, merged.provider_since_at) == (BY_ID.ref, 1000.0)
    assert await begun_with(store, BY_ID.ref) == {(FactKind.LISTED, None), (FactKind.PRIOR, OLD)}
    assert await store.companies.set_provider_id(BY_ID.ref, CompanyBaseline(GIVEN, 2000.0)) == merged


async def test_a_site_that_both_have_stays_with_the_sessions_that_named_it(store: Store) -> None:
    by_name = await create(store, fresh(name="ses_1"))
    again = replace(SITE, ref=SiteRef("sit_2"), provider_id=None)
    await create(store, fresh(name="ses_2", company=BY_ID, sites=(again,)))
    await store.companies.set_provider_id(BY_ID.ref, CompanyBaseline(GIVEN, 500.0))
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    assert (await store.sessions.get(by_name.id)).sites == by_name.sites
    assert [site.ref for site in await sites_of(store, BY_ID.ref)] == ["sit_2"]


async def test_a_session_asked_for_after_the_two_became_one_finds_the_one(store: Store) -> None:
    await create(store, fresh(name="ses_1"))
    await create(store, fresh(name="ses_2", company=BY_ID, sites=()))
    await store.companies.set_provider_id(BY_ID.ref, CompanyBaseline(GIVEN, 500.0))
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    later = await create(store, fresh(name="ses_3", company=replace(UNNAMED, ref=CompanyRef("cmp_3"))))
    assert later.company.ref == BY_ID.ref


async def test_the_providers_id_of_a_site_is_kept(store: Store) -> None:
    made = await create(store, fresh())
    await store.companies.set_site_id(made.sites[0].ref, ProviderSiteId("site-1"))
    assert (await store.sessions.get(made.id)).sites[0].provider_id == "site-1"


async def test_sites_keep_the_order_in_which_the_host_named_them(store: Store) -> None:
    sites = tuple(replace(SITE, ref=SiteRef(f"sit_{n}"), external_id=f"s{n}", provider_id=None) for n in (3, 1, 2))
    made = await create(store, fresh(sites=sites))
    assert [site.external_id for site in (await store.sessions.get(made.id)).sites] == ["s3", "s1", "s2"]


async def begun_with(store: Store, ref: CompanyRef) -> set[tuple[FactKind, ConnectionId | None]]:
    """The facts on how a company began, as the records for its connections have them."""
    facts: list[Fact] = []

    def snapshot_after(records: CompanyRecords) -> Changes:
        facts.extend(row.fact for row in records.facts)
        return Changes()

    await store.connections.change(ref, [OLD, ConnectionId("ours")], [], snapshot_after)
    return {(fact.kind, fact.connection_id) for fact in facts}


async def test_a_company_that_has_an_id_is_never_given_another(store: Store) -> None:
    await create(store, fresh())
    await store.companies.set_provider_id(REF, CompanyBaseline(GIVEN, 1000.0))
    assert (
        await store.companies.set_provider_id(REF, CompanyBaseline(ProviderCompanyId("company-2"), 2000.0))
    ).provider_id == GIVEN


async def test_a_site_is_found_by_our_reference(store: Store) -> None:
    made = await create(store, fresh())
    assert await store.companies.site(made.sites[0].ref) == made.sites[0]
    with pytest.raises(NotFound):
        await store.companies.site(SiteRef("sit_nowhere"))


# how often it may be polled


async def wait_for_poll(store: Store) -> float:
    """Take a poll of the company, which has its provider id; answer how long it must wait."""
    if (await store.companies.get(REF)).provider_id is None:
        await store.companies.set_provider_id(REF, CompanyBaseline(ProviderCompanyId("company-1"), 0.0))
    return (await store.companies.take_poll(REF))[1]


async def test_a_company_may_be_polled_sixty_times_at_once_and_then_every_fifteen_seconds(
    store: Store, clock: Clock
) -> None:
    await create(store, fresh())
    assert [await wait_for_poll(store) for _ in range(60)] == [0.0] * 60
    assert await wait_for_poll(store) == 15.0
    clock.advance(10)
    assert await wait_for_poll(store) == pytest.approx(5.0)
    clock.advance(5)
    assert [await wait_for_poll(store) for _ in range(2)] == [0.0, 15.0]


async def test_its_polls_are_saved_up_to_sixty(store: Store, clock: Clock) -> None:
    await create(store, fresh())
    await wait_for_poll(store)
    clock.advance(86400)
    polls = [await wait_for_poll(store) for _ in range(61)]
    assert (polls[:60], polls[60]) == ([0.0] * 60, 15.0)


async def test_a_clock_that_was_set_back_does_not_stop_polling(store: Store, clock: Clock) -> None:
    await create(store, fresh())
    for _ in range(60):
        await wait_for_poll(store)
    clock.advance(-7200)
    assert await wait_for_poll(store) == 15.0
    clock.advance(15)
    assert await wait_for_poll(store) == 0.0


async def test_a_company_that_is_not_there_cannot_be_polled(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.companies.take_poll(CompanyRef("cmp_nowhere"))


async def test_a_company_that_the_provider_has_not_named_takes_no_poll(store: Store) -> None:
    await create(store, fresh())
    assert [(await store.companies.take_poll(REF))[1] for _ in range(61)] == [0.0] * 61


# how busy it is


async def test_a_company_without_sessions_is_quiet(store: Store) -> None:
    assert await activity(store) == QUIET


async def test_a_session_whose_link_nobody_saw_only_has_a_link(store: Store) -> None:
    await create(store, fresh(), link())
    assert await activity(store) == replace(QUIET, linked=True)


async def test_a_page_is_present_for_ten_minutes_after_its_last_word(store: Store, clock: Clock) -> None:
    made = await create(store, fresh(), link())
    await change(store, made, link=link(), seen_at=clock.now(), revealed_at=clock.now(), status=SessionStatus.OPENED)
    assert await activity(store) == replace(QUIET, present=True, open_sessions=True, linked=True)
    clock.advance(599)
    assert (await activity(store)).present
    clock.advance(2)
    assert await activity(store) == replace(QUIET, open_sessions=True, linked=True)


async def test_who_said_that_it_is_finished_waits_until_it_is_recorded_or_a_minute_and_a_half(
    store: Store, clock: Clock
) -> None:
    made = await create(store, fresh(), link())
    done = {"finished_at": clock.now(), "seen_at": clock.now(), "link": link(), "revealed_at": clock.now()}
    await change(store, made, status=SessionStatus.OPENED, **done)
    assert (await activity(store)).just_finished
    await change(store, made, status=SessionStatus.CONNECTED, **done)
    assert not (await activity(store)).just_finished
    await change(store, made, status=SessionStatus.OPENED, **done)
    attached = Attachment(made.id, CONNECTION, EvidenceKind.INVITATION)
    await store.sessions.change(made.id, lambda _: Changes(attachments=(attached,)))
    assert not (await activity(store)).just_finished
    await store.sessions.change(made.id, lambda _: Changes(detachments=(Detachment(made.id, CONNECTION),)))
    assert (await activity(store)).just_finished
    clock.advance(91)
    assert not (await activity(store)).just_finished


async def test_a_connected_session_needs_no_more_polls(store: Store, clock: Clock) -> None:
    made = await create(store, fresh(), link())
    await change(store, made, link=link(), status=SessionStatus.CONNECTED, revealed_at=clock.now())
    assert await activity(store) == replace(QUIET, linked=True)


async def test_a_connection_that_waits_for_its_verdict_makes_the_company_undecided(store: Store) -> None:
    await create(store, fresh())
    waiting = replace(connection(Verdict(waiting=True)), company=REF)
    await store.connections.change(REF, [], [], lambda _: Changes(connections=(waiting,)))
    assert (await activity(store)).undecided


@pytest.mark.parametrize(
    ("status", "revoked_after", "over_after"),
    [(SessionStatus.EXPIRED, None, 3600), (SessionStatus.EXITED, None, 3600), (SessionStatus.REVOKED, 60, 60)],
)
async def test_a_session_that_is_over_is_polled_for_like_an_open_one_while_its_link_may_be_used(
    store: Store, clock: Clock, status: SessionStatus, revoked_after: float | None, over_after: float
) -> None:
    made = await create(store, fresh(), link())
    revoked_at = clock.now() + revoked_after if revoked_after is not None else None
    over = {"status": status, "revoked_at": revoked_at, "seen_at": clock.now() + over_after}
    await change(store, made, link=link(), revealed_at=clock.now(), **over)
    clock.advance(over_after)
    assert await activity(store) == replace(QUIET, present=True, open_sessions=True, linked=True)
    clock.advance(2 * 3600 - 1)
    assert await activity(store) == replace(QUIET, open_sessions=True, linked=True)
    clock.advance(2)
    assert await activity(store) == replace(QUIET, linked=True)


async def test_a_session_that_is_over_before_anybody_saw_its_link_is_not_polled_for(store: Store) -> None:
    made = await create(store, fresh(), link())
    await change(store, made, link=link(), status=SessionStatus.EXPIRED)
    assert await activity(store) == replace(QUIET, linked=True)


async def test_a_renewed_session_had_a_link_though_its_next_one_is_not_there_yet(store: Store) -> None:
    await create(store, fresh(serial=2))
    assert (await activity(store)).linked


async def test_the_first_failed_poll_keeps_its_time_until_one_is_answered(store: Store) -> None:
    ref = (await create(store, fresh())).company.ref
    for at in (5.0, 6.0):
        await store.companies.note_failed_poll(ref, at)
    assert (await store.companies.get(ref)).failed_at == 5.0
    await store.connections.change(ref, [], [], lambda _: Changes(polled_at=7.0))
    assert ((await store.companies.get(ref)).polled_at, (await store.companies.get(ref)).failed_at) == (7.0, None)
