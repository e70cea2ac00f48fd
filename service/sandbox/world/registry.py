"""Verbs for companies and sites."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from service.sandbox.wire import fields
from service.sandbox.wire.errors import Invalid, Missing
from service.sandbox.wire.times import day
from service.sandbox.world.companies import (
    COMPANY_CHECKS,
    COMPANY_DEFAULTS,
    SITE_CHECKS,
    SITE_DEFAULTS,
    USER,
    Company,
    Site,
    users_with_caller,
)
from service.sandbox.world.state import State

T = TypeVar("T")


class Registry(State):
    """Who there is, and where."""

    def create_company(self, body: Mapping[str, Any]) -> Company:
        """From wire fields; raises `Invalid`."""
        values = users_with_caller(fields.read(body, COMPANY_CHECKS, required=("name",)))
        now = self.now()
        defaults = COMPANY_DEFAULTS | {"users": [USER], "dataCollectionStartDate": f"{int(day(now)[:4]) - 1}-01-01"}
        return self._companies.put(Company(self.ids.uuid(), self.ids.token()[:22], now, defaults | values))

    def update_company(self, company_id: str, body: Mapping[str, Any]) -> Company:
        """Changes the fields that are present; raises `Invalid`."""
        company = self.company(company_id)
        changes = users_with_caller(fields.read(body, COMPANY_CHECKS))
        return self._companies.put(replace(company, values=company.values | changes))

    def delete_company(self, company_id: str) -> None:
        """With all that hangs on it."""
        company = self.company(company_id)
        with self._rows.together():
            for shelf in (self._sites, self._connections, self._links, self._invitations, self.outbox):
                for thing in shelf.of(company.id):
                    shelf.remove(thing.id)
            self._companies.remove(company.id)

    def company(self, company_id: str) -> Company:
        """Raises `Missing`."""
        return found(self._companies.get(company_id.lower()))

    def companies(self) -> list[Company]:
        """Oldest first."""
        return list(self._companies)

    def company_as_wire(self, company: Company) -> dict[str, Any]:
        """With its sites."""
        return company.as_wire(self.sites_of(company.id))

    def create_site(self, company_id: str, body: Mapping[str, Any]) -> Site:
        """From wire fields; raises `Invalid`."""
        company = self.company(company_id)
        values = fields.read(body, SITE_CHECKS, required=("name",))
        return self._sites.put(Site(self.ids.uuid(), company.id, self.now(company.id), SITE_DEFAULTS | values))

    def update_site(self, site_id: str, body: Mapping[str, Any], company_id: str | None = None) -> Site:
        """Changes the fields that are present; raises `Invalid`."""
        site = self.site(site_id, company_id)
        return self._sites.put(replace(site, values=site.values | fields.read(body, SITE_CHECKS)))

    def site(self, site_id: str, company_id: str | None = None) -> Site:
        """Raises `Missing`, also where it belongs to another company than the one named."""
        site = found(self._sites.get(site_id.lower()))
        if company_id is not None and site.company_id != self.company(company_id).id:
            raise Missing
        return site

    def sites_of(self, company_id: str) -> list[Site]:
        """A company's sites, oldest first."""
        return self._sites.of(company_id)

    def require_sites(self, company_id: str, sites: Collection[str], name: str = "sites") -> None:
        """Raises `Invalid` under that field name unless all are sites of that company."""
        foreign = set(sites) - {site.id for site in self.sites_of(company_id)}
        if foreign:
            raise Invalid({name: [f'Invalid pk "{site}" - object does not exist.' for site in sorted(foreign)]})


def found(thing: T | None) -> T:
    """The thing itself; raises `Missing` where there is none."""
    if thing is None:
        raise Missing
    return thing
