import asyncio
from dataclasses import fields, replace

import pytest

from service.domain import session_rules
from service.domain.changes import Changes, Fact, FactKind, Job, JobKind
from service.domain.events import NewEvent
from service.domain.model import (
    CompanyRef,
    Mode,
    ProviderCompanyId,
    Session,
    SessionId,
    SiteRef,
    Tenant,
)
from service.domain.session_status import Progress, SessionStatus
from service.errors import Forbidden, NotFound
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import CONNECTION, MAGIC, NOW, SITE, TENANT, link, with_status
from tests.support.store_cases import UNNAMED, change, count, create, created, fresh, give, numbered

ELSEWHERE = Tenant("elsewhere")


async def test_a_session_comes_back_as_it_was_written(store: Store) -> None:
    given = fresh(
        mode=Mode.RECONNECT,
        origin="https://app.example.com",
        return_url="https://app.example.com/done",
        locale="de",
        user_label="Ada L.",
        user_email="ada@example.com",
        support_url="https://help.example.com",
        prefill={"url": "https://utility.example", "country": "US"},
        metadata={"plan": "pro", "é": "\U0001f600"},
        connection_id=CONNECTION,
    )
    made = await create(store, given)
    assert await store.sessions.get(given.id) == made == replace(given, company=made.company, sites=made.sites)


async def test_every_field_that_may_change_is_written(store: Store) -> None:
    made = await create(store, fresh())
    changed = replace(
        made,
        serial=7,
        issued_at=5,
        key_id="k2",
        expires_at=NOW + 5,
        failure="provider_refused",
        link=MAGIC,
        link_kind=MAGIC.kind,
        page_hash="hash",
        page_serial=3,
        resume_hash="digest",
        resume_by_host=True,
        resumed_by_host=True,
        taken_over=True,
        opened_at=1.5,
        revealed_at=2.5,
        finished_at=3.5,
        seen_at=4.5,
        revoked_at=5.5,
        left_at=6.5,
        over_at=7.5,
        settled_at=8.5,
        link_used_at=9.5,
        invitation_uses=2,
        progress=Progress.SUBMITTED,
    )
    await store.sessions.change(made.id, lambda _: Changes(sessions=(changed,)))
    found = await store.sessions.get(made.id)
    assert {each.name for each in fields(Session) if getattr(found, each.name) != getattr(changed, each.name)} == set()


async def test_a_user_who_says_finished_all_the_time_adds_a_bounded_number_of_facts(store: Store) -> None:
    made = await create(store, fresh())
    facts = tuple(
        Fact(FactKind.FINISHED, session_id=made.id, provider_at=float(at), nonce=str(at)) for at in range(150)
    )
    await store.sessions.change(made.id, lambda _: Changes(facts=facts))
    (counted,) = await store.engine.read(lambda tx: tx.all("SELECT COUNT(*) AS number FROM facts"))
    assert counted["number"] == 100


async def test_a_links_address_cannot_be_read_in_the_database(store: Store) -> None:
    await create(store, fresh(), link())
    (row,) = await store.engine.read(lambda tx: tx.all("SELECT * FROM sessions"))
    assert "pages.example.com" not in str(dict(row))


async def test_an_unknown_session_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.sessions.get(SessionId("ses_nowhere"))
    with pytest.raises(NotFound):
        await store.sessions.change(SessionId("ses_nowhere"), lambda _: None)


async def test_another_tenants_session_is_not_found(store: Store) -> None:
    made = await create(store, fresh())
    assert (await store.sessions.get(made.id, TENANT)).id == made.id
    with pytest.raises(NotFound):
        await store.sessions.get(made.id, ELSEWHERE)


async def test_a_create_writes_its_event_and_its_work(store: Store, clock: Clock) -> None:
    made = await create(store, fresh())
    await numbered(store)
    (event,) = await store.events.after(0, 10)
    assert (event.type, event.session_id, event.user_id, event.at) == (
        "session.created",
        made.id,
        "ada",
        clock.now(),
    )
    (work,) = await store.queue.lease(10, 60)
    assert (work.kind, work.ref) == (JobKind.PREPARE, made.id)
    clock.advance(3601)
    assert JobKind.EXPIRE in {one.kind for one in await store.queue.lease(10, 60)}


async def test_a_create_may_leave_its_link_to_who_waits_for_it(store: Store) -> None:
    await store.sessions.create(fresh(), lambda session: session_rules.create(session, 30))
    assert await store.queue.lease(10, 60) == []


# one company and one site, however many calls race


async def test_a_hundred_concurrent_creates_make_one_company_and_one_site(store: Store) -> None:
    async def one(number: int) -> object:
        company = replace(UNNAMED, ref=CompanyRef(f"cmp_{number}"))
        sites = (replace(SITE, ref=SiteRef(f"sit_{number}"), provider_id=None),)
        return await store.sessions.create(fresh(name=f"ses_{number}", company=company, sites=sites), created)

    made = await asyncio.gather(*map(one, range(100)))
    assert await count(store, "companies") == await count(store, "sites") == 1
    assert await count(store, "sessions") == 100
    assert len({one.company.ref for one in made if isinstance(one, Session)}) == 1
    assert len({one.sites[0].ref for one in made if isinstance(one, Session)}) == 1


async def test_a_hundred_concurrent_creates_by_the_providers_ids_make_one_company_and_one_site(store: Store) -> None:
    async def one(number: int) -> object:
        provider_id = ProviderCompanyId("company-1")
        company = replace(UNNAMED, ref=CompanyRef(f"cmp_{number}"), external_id=None, provider_id=provider_id)
        sites = (replace(SITE, ref=SiteRef(f"sit_{number}"), external_id=None),)
        return await store.sessions.create(fresh(name=f"ses_{number}", company=company, sites=sites), created)

    await asyncio.gather(*map(one, range(100)))
    assert await count(store, "companies") == await count(store, "sites") == 1


async def test_a_hundred_concurrent_creates_add_one_site_to_a_company_that_is_there(store: Store) -> None:
    company = replace(UNNAMED, provider_id=ProviderCompanyId("company-1"))
    await create(store, fresh(name="ses_first", company=company, sites=()))

    async def one(number: int) -> object:
        sites = (replace(SITE, ref=SiteRef(f"sit_{number}"), external_id=None),)
        return await store.sessions.create(fresh(name=f"ses_{number}", company=company, sites=sites), created)

    await asyncio.gather(*map(one, range(100)))
    assert await count(store, "sites") == 1


async def test_the_same_name_of_another_tenant_is_another_company(store: Store) -> None:
    await create(store, fresh(name="ses_1"))
    theirs = replace(UNNAMED, ref=CompanyRef("cmp_2"), tenant=ELSEWHERE)
    await create(store, fresh(name="ses_2", tenant=ELSEWHERE, company=theirs))
    assert await count(store, "companies") == 2


async def test_a_provider_company_belongs_to_one_tenant(store: Store) -> None:
    ours = replace(UNNAMED, provider_id=ProviderCompanyId("company-1"))
    await create(store, fresh(name="ses_1", company=ours))
    theirs = replace(ours, ref=CompanyRef("cmp_2"), tenant=ELSEWHERE)
    with pytest.raises(NotFound):
        await create(store, fresh(name="ses_2", tenant=ELSEWHERE, company=theirs))
    assert await count(store, "sessions") == 1


# changes


async def test_a_decision_sees_the_session_and_what_it_says_is_written_whole(store: Store) -> None:
    made = await create(store, fresh())

    def decide(now: Session) -> Changes:
        assert now == made
        return Changes(
            sessions=(with_status(now, SessionStatus.OPENED),),
            events=(NewEvent("session.opened", now.id, None, now.user, {"é": [1]}),),
            jobs=(Job(JobKind.PRESENCE, now.id),),
        )

    assert (await store.sessions.change(made.id, decide)).status is SessionStatus.OPENED
    await numbered(store)
    assert (await store.events.after(0, 10))[-1].data == {"é": [1]}
    assert JobKind.PRESENCE in {one.kind for one in await store.queue.lease(10, 60)}


async def test_a_decision_for_nothing_writes_nothing(store: Store) -> None:
    made = await create(store, fresh())
    assert await store.sessions.change(made.id, lambda _: None) == made
    assert await store.sessions.change(made.id, lambda _: Changes()) == made


async def test_a_decision_that_refuses_writes_nothing(store: Store) -> None:
    made = await create(store, fresh())

    def refuse(_now: Session) -> Changes:
        raise Forbidden

    with pytest.raises(Forbidden):
        await store.sessions.change(made.id, refuse)
    assert await store.sessions.get(made.id) == made


async def test_a_hundred_concurrent_changes_follow_each_other(store: Store) -> None:
    made = await create(store, fresh())

    def one_more(now: Session) -> Changes:
        return Changes(sessions=(replace(now, serial=now.serial + 1),))

    await asyncio.gather(*(store.sessions.change(made.id, one_more) for _ in range(100)))
    assert (await store.sessions.get(made.id)).serial == made.serial + 100


async def test_who_and_what_a_session_is_for_never_changes(store: Store) -> None:
    made = await create(store, fresh())
    await change(store, made, user_id="mallory", tenant=ELSEWHERE, mode=Mode.RECONNECT, created_at=0.0)
    assert await store.sessions.get(made.id) == made


async def test_every_invitation_that_was_made_for_a_session_is_remembered(store: Store) -> None:
    made = await create(store, fresh(), link(invitation_id="inv_1"))
    await change(store, made, link=None)
    await give(store, made, link(invitation_id="inv_2"))
    assert set(await store.sessions.invitations(made.id)) == {"inv_1", "inv_2"}
    assert await store.sessions.invitations(SessionId("ses_other")) == {}


async def test_which_invitations_are_any_sessions_of_ours_is_known(store: Store) -> None:
    await create(store, fresh(), link(invitation_id="inv_1"))
    assert await store.sessions.known_invitations(["inv_1", "inv_elsewhere"]) == {"inv_1"}
    assert await store.sessions.known_invitations([]) == frozenset()
