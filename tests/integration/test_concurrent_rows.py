"""Rows that two processes write at once in PostgreSQL: one company, one call, and no session left without its own."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

import pytest

from service.domain.changes import Changes, CompanyBaseline
from service.domain.model import Company, CompanyRef, ProviderCompanyId, Session, Tenant
from service.domain.requests import IdempotentRequest, KeyLease
from service.domain.timing import LEASE_SECONDS
from service.errors import IdempotencyInProgress
from service.store.companies import adopt_company
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.services import RunningServices
from tests.support.users import User

_MEANWHILE_SECONDS = 0.5  # long enough for a write that nothing holds up


@pytest.fixture
async def services(clock: Clock, migrated_postgres_url: str) -> AsyncIterator[RunningServices]:
    """The services on PostgreSQL."""
    opened = RunningServices(clock, migrated_postgres_url)
    await opened.open()
    yield opened
    await opened.close()


async def test_of_two_equal_calls_that_follow_a_dead_one_at_once_only_one_is_made(services: RunningServices) -> None:
    calls = services.parts.store.idempotency
    request = IdempotentRequest("/v1/sessions", "key-1", "digest")
    keys = [KeyLease(Tenant("default"), request, f"token-{number}") for number in range(9)]
    for _ in range(10):
        await calls.begin(keys[-1])
        services.clock.advance(LEASE_SECONDS)
        answers = await asyncio.gather(*(calls.begin(key) for key in keys[:-1]), return_exceptions=True)
        assert answers.count(None) == 1
        assert sum(isinstance(answer, IdempotencyInProgress) for answer in answers) == 7
        await calls.keep(keys[answers.index(None)], None)


async def test_a_row_that_becomes_one_with_another_while_a_session_is_made_takes_the_session_along(
    services: RunningServices,
) -> None:
    store, loop = services.parts.store, asyncio.get_running_loop()
    first = await services.post("/v1/sessions", User(services, "ada").wants())
    acme = (await store.sessions.get(first["id"])).company
    other = {"id": "00000000-0000-4000-8000-000000000001"}
    await services.post("/v1/sessions", User(services, "bob").wants(company=other))
    meanwhile: list[Future[Company]] = []

    def make(tx: Transaction) -> str:
        ref = adopt_company(tx, replace(acme, ref=CompanyRef("cmp_unused")), services.clock.now()).ref
        merge = store.companies.set_provider_id(acme.ref, CompanyBaseline(ProviderCompanyId(other["id"]), 0.0))
        meanwhile.append(asyncio.run_coroutine_threadsafe(merge, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)
        tx.run("UPDATE sessions SET company_ref = :ref WHERE id = :id", ref=ref, id=first["id"])
        return ref

    await store.engine.write(make)
    merged = await asyncio.wrap_future(meanwhile[0])
    assert (await store.sessions.get(first["id"])).company == merged


async def test_two_rows_that_turn_out_to_be_one_company_at_once_become_one(services: RunningServices) -> None:
    store, tenant = services.parts.store, Tenant("default")
    for number in range(10):
        host = User(services, "ada", {"externalId": f"a{number}", "name": "A"})
        other = User(services, "bob", {"externalId": f"b{number}", "name": "B"})
        made = [await services.post("/v1/sessions", one.wants()) for one in (host, other)]
        refs = [(await store.sessions.get(one["id"], tenant)).company.ref for one in made]
        provider_id = ProviderCompanyId(f"company-{number}")
        named = await asyncio.gather(
            *(store.companies.set_provider_id(ref, CompanyBaseline(provider_id, 0.0)) for ref in refs)
        )
        assert named[0].ref == named[1].ref
        assert {(await store.sessions.get(one["id"])).company.ref for one in made} == {named[0].ref}


async def test_a_session_whose_company_becomes_one_with_another_while_it_is_changed_is_found(
    services: RunningServices,
) -> None:
    store, loop = services.parts.store, asyncio.get_running_loop()
    made = await services.post("/v1/sessions", User(services, "ada").wants())
    other = {"id": "00000000-0000-4000-8000-000000000001"}
    theirs = await services.post("/v1/sessions", User(services, "bob").wants(company=other))
    old, kept = [(await store.sessions.get(one["id"])).company.ref for one in (made, theirs)]
    meanwhile: list[Future[Session]] = []

    def merge(tx: Transaction) -> None:
        tx.run("UPDATE sessions SET company_ref = :kept WHERE company_ref = :old", kept=kept, old=old)
        tx.run("DELETE FROM companies WHERE ref = :old", old=old)
        change = store.sessions.change(made["id"], lambda session: Changes(sessions=(session,)))
        meanwhile.append(asyncio.run_coroutine_threadsafe(change, loop))
        with suppress(TimeoutError):
            meanwhile[0].result(_MEANWHILE_SECONDS)

    await store.engine.write(merge)
    assert (await asyncio.wrap_future(meanwhile[0])).company.ref == kept
