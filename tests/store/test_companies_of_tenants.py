"""Which tenant may name a company or a site by the provider's id."""

from dataclasses import replace

import pytest

from service.domain.model import ProviderCompanyId, ProviderSiteId, Tenant
from service.errors import NotFound
from service.store import Store
from tests.support.domain_values import SITE
from tests.support.store_cases import UNNAMED, count, create, fresh

GIVEN = ProviderCompanyId("company-1")


async def test_only_the_operators_tenant_may_name_what_is_unknown_here(store: Store) -> None:
    named = replace(UNNAMED, provider_id=GIVEN)
    with pytest.raises(NotFound):
        await create(
            store, fresh(name="ses_1", tenant=Tenant("elsewhere"), company=replace(named, tenant=Tenant("elsewhere")))
        )
    site = replace(SITE, external_id=None, provider_id=ProviderSiteId("site-1"))
    theirs = replace(UNNAMED, tenant=Tenant("elsewhere"))
    with pytest.raises(NotFound):
        await create(store, fresh(name="ses_2", tenant=Tenant("elsewhere"), company=theirs, sites=(site,)))
    assert await count(store, "companies") == await count(store, "sites") == await count(store, "sessions") == 0
    await create(store, fresh(name="ses_3", company=named, sites=(site,)))
    assert await count(store, "sites") == 1
