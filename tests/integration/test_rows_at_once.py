"""Rows that two processes write at once in PostgreSQL: one company, one call, and no session left without its own."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

import pytest

from service.errors import IdempotencyInProgress
from service.ledger import Changes, Repeat
from service.model import Company, CompanyRef, ProviderCompanyId, Session, Tenant
from service.store.companies import Begun, adopt_company
from service.store.tx import Tx
from tests.clock import Clock
from tests.integration.houses import Street
from tests.integration.people import Someone

_MEANWHILE_SECONDS = 0.5  # long enough for a write that nothing holds up


@pytest.fixture
async def wide(clock: Clock, postgres_url: str) -> AsyncIterator[Street]:
    """A street whose service keeps its rows in PostgreSQL."""
    opened = Street(clock, postgres_url)
    await opened.open()
    yield opened
    await opened.close()


async def test_of_two_equal_calls_that_follow_a_dead_one_at_once_only_one_is_made(wide: Street) -> None:
    calls, tenant, repeat = wide.wired.store.idempotency, Tenant("default"), Repeat("/v1/sessions", "key-1", "digest")
    for _ in range(10):
        await calls.begin(tenant, repeat)
        wide.clock.advance(61)
        answers = await asyncio.gather(*(calls.begin(tenant, repeat) for _ in range(8)), return_exceptions=True)
        assert answers.count(None) == 1
        assert sum(isinstance(answer, IdempotencyInProgress) for answer in answers) == 7
        await calls.keep(tenant, repeat, None)


async def test_a_row_that_becomes_one_with_another_while_a_session_is_made_takes_the_session_along(
    wide: Street,
) -> None:
    store, loop = wide.wired.store, asyncio.get_running_loop()
    first = await wide.post("/v1/sessions", Someone(wide, "ada").wants())
    acme = (await store.sessions.get(first["id"])).company
    twin = {"id": "00000000-0000-4000-8000-000000000001"}
    await wide.post("/v1/sessions", Someone(wide, "bob").wants(company=twin))
    meanwhile: list[Future[Company]] = []

    def make(tx: Tx) -> str:
        ref = adopt_company(tx, replace(acme, ref=CompanyRef("cmp_unused")), wide.clock.now()).ref
        merge = store.companies.named(acme.ref, Begun(ProviderCompanyId(twin["id"]), 0.0))
        meanwhile.append(asyncio.run_coroutine_threadsafe(merge, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        tx.run("UPDATE sessions SET company_ref = :ref, user_id = 'carol' WHERE id = :id", ref=ref, id=first["id"])
        return ref

    await store.engine.write(make)
    merged = await asyncio.wrap_future(meanwhile[0])
    assert (await store.sessions.get(first["id"])).company == merged


async def test_two_rows_that_turn_out_to_be_one_company_at_once_become_one(wide: Street) -> None:
    store, tenant = wide.wired.store, Tenant("default")
    for number in range(10):
        host = Someone(wide, "ada", {"externalId": f"a{number}", "name": "A"})
        twin = Someone(wide, "bob", {"externalId": f"b{number}", "name": "B"})
        made = [await wide.post("/v1/sessions", one.wants()) for one in (host, twin)]
        refs = [(await store.sessions.get(one["id"], tenant)).company.ref for one in made]
        provider_id = ProviderCompanyId(f"company-{number}")
        named = await asyncio.gather(*(store.companies.named(ref, Begun(provider_id, 0.0)) for ref in refs))
        assert named[0].ref == named[1].ref
        assert {(await store.sessions.get(one["id"])).company.ref for one in made} == {named[0].ref}


async def test_a_session_whose_company_becomes_one_with_another_while_it_is_changed_is_found(wide: Street) -> None:
    store, loop = wide.wired.store, asyncio.get_running_loop()
    made = await wide.post("/v1/sessions", Someone(wide, "ada").wants())
    twin = {"id": "00000000-0000-4000-8000-000000000001"}
    theirs = await wide.post("/v1/sessions", Someone(wide, "bob").wants(company=twin))
    old, kept = [(await store.sessions.get(one["id"])).company.ref for one in (made, theirs)]
    meanwhile: list[Future[Session]] = []

    def merge(tx: Tx) -> None:
        tx.run("UPDATE sessions SET company_ref = :kept WHERE company_ref = :old", kept=kept, old=old)
        tx.run("DELETE FROM companies WHERE ref = :old", old=old)
        change = store.sessions.change(made["id"], lambda session: Changes(sessions=(session,)))
        meanwhile.append(asyncio.run_coroutine_threadsafe(change, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)

    await store.engine.write(merge)
    assert (await asyncio.wrap_future(meanwhile[0])).company.ref == kept
