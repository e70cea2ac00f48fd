"""Which sites of a company are read with it: those of the connections that are shown, and no other."""

from dataclasses import replace

import pytest

from service.domain.model import CompanyRef, ConnectionId, ProviderSiteId, Site, SiteRef
from service.store import Store
from service.usecases.connections import Connections
from tests.support.domain_values import SITE, connection
from tests.support.store_cases import UNNAMED, count_reads, create, fresh

GIVEN = replace(SITE, provider_id=ProviderSiteId("site-given"))
FURTHER = Site(SiteRef("sit_further"), "further", "Further", None, ProviderSiteId("site-further"))
UNKNOWN = ProviderSiteId("site-unknown")


async def test_a_company_is_read_with_those_of_its_sites_that_are_asked_for(store: Store) -> None:
    await create(store, fresh(sites=(GIVEN, FURTHER, Site(SiteRef("sit_new"), "new", "New", None, None))))
    assert await store.companies.with_sites({UNNAMED.ref: ()}) == {UNNAMED.ref: (UNNAMED, [])}
    asked = {UNNAMED.ref: [ProviderSiteId("site-given"), UNKNOWN]}
    assert await store.companies.with_sites(asked) == {UNNAMED.ref: (UNNAMED, [GIVEN])}


async def test_the_companies_of_a_list_page_are_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(UNNAMED, ref=CompanyRef("cmp_other"), external_id="other")
    await create(store, fresh(name="ses_1", sites=(GIVEN,)))
    await create(store, fresh(name="ses_2", company=other, sites=(replace(FURTHER, ref=SiteRef("sit_2")),)))
    reads = count_reads(store, monkeypatch)
    mine = replace(connection(), company=UNNAMED.ref)
    others = replace(mine, id=ConnectionId("of-other"), company=other.ref)
    details = await Connections(store).for_export([mine, others], {})
    assert [one.company for one in details] == [UNNAMED, other]
    assert len(reads) == 1
