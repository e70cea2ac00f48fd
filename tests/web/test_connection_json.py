"""A connection as JSON: its sites by the provider's ids and, where a host named them, by the host's own."""

from dataclasses import replace

import pytest

from service.domain.model import ProviderSiteId, Site, SiteRef
from service.usecases.connections import ConnectionDetails
from service.web.api.json import connection_json
from tests.support.domain_values import COMPANY, SITE, connection

SITE_ID = ProviderSiteId("site-1")
BY_ID = Site(SiteRef("sit_by_id"), None, None, None, SITE_ID)


def shown(*sites: Site) -> object:
    reported = replace(connection().reported, sites=(SITE_ID,))
    return connection_json(ConnectionDetails(connection(reported=reported), COMPANY, sites, {}))["sites"]


# A site that a host first named by the provider's id, and later by its own, has two rows, read in the order of their
# random ids.
@pytest.mark.parametrize("sites", [(SITE, BY_ID), (BY_ID, SITE)])
def test_a_site_that_was_named_in_two_ways_has_the_hosts_id(sites: tuple[Site, Site]) -> None:
    assert shown(*sites) == [{"id": SITE_ID, "externalId": "hq"}]


def test_a_site_that_no_host_has_named_has_no_other_id() -> None:
    assert shown(BY_ID) == shown() == [{"id": SITE_ID, "externalId": None}]
