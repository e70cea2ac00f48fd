"""Which sites of a company are read with it: those of the connections that are shown, and no other."""

from dataclasses import replace

from service.domain.model import ProviderSiteId, Site, SiteRef
from service.store import Store
from tests.support.domain_values import SITE
from tests.support.store_cases import UNNAMED, create, fresh

GIVEN = replace(SITE, provider_id=ProviderSiteId("site-given"))
FURTHER = Site(SiteRef("sit_further"), "further", "Further", None, ProviderSiteId("site-further"))
UNKNOWN = ProviderSiteId("site-unknown")


async def test_a_company_is_read_with_those_of_its_sites_that_are_asked_for(store: Store) -> None:
    await create(store, fresh(sites=(GIVEN, FURTHER, Site(SiteRef("sit_new"), "new", "New", None, None))))
    assert await store.companies.with_sites(UNNAMED.ref, ()) == (UNNAMED, [])
    asked = [ProviderSiteId("site-given"), UNKNOWN]
    assert await store.companies.with_sites(UNNAMED.ref, asked) == (UNNAMED, [GIVEN])
