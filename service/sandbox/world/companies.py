"""Companies and their sites: what callers may send, and the operations on them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.errors import InvalidFields, RecordMissing, found
from service.sandbox.wire.times import day
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.records import SandboxCompany, SandboxSite
from service.sandbox.world.rows import SandboxTable

USER = "sandbox-admin@example.com"

SITE_CHECKS: dict[str, fields.Check] = {
    "name": fields.text(1, 255),
    "externalId": fields.nullable(fields.text(0, 255)),
    "address": fields.text(0, 255),
    "path": fields.listing(fields.text(1, 100), 10, once=False),
    "occupancyPercent": fields.nullable(fields.decimal(r"-?\d{0,3}(?:\.\d{0,4})?", most=100)),
}
COMPANY_CHECKS: dict[str, fields.Check] = {
    "name": fields.text(1, 200),
    "externalId": fields.nullable(fields.text(0, 255)),
    "dataCollectionStartDate": fields.iso_day,
    "isImpliedMeteringEnabled": fields.boolean,
    "impliedMeteringFraction": fields.decimal(r"-?\d?(?:\.\d{0,2})?"),
    "isDemandEnabled": fields.boolean,
    "isBasicIdentifierMappingEnabled": fields.boolean,
    "isLowAccuracyModeEnabled": fields.boolean,
    "users": fields.listing(fields.email, 100),
}
COMPANY_DEFAULTS: dict[str, Any] = {
    "name": "",
    "externalId": None,
    "isImpliedMeteringEnabled": False,
    "impliedMeteringFraction": "1.0",
    "isDemandEnabled": False,
    "isBasicIdentifierMappingEnabled": False,
    "isLowAccuracyModeEnabled": False,
}
SITE_DEFAULTS: dict[str, Any] = {
    "name": "",
    "dataCollectionStopDate": None,
    "externalId": None,
    "address": "",
    "path": [],
    "occupancyPercent": None,
}


class SandboxCompanies:
    """The companies and their sites; `owned` are the tables whose records a deleted company takes with it."""

    def __init__(
        self,
        context: SandboxContext,
        companies: SandboxTable[SandboxCompany],
        sites: SandboxTable[SandboxSite],
        owned: Sequence[SandboxTable[Any]],
    ) -> None:
        self._database = context.database
        self._clock = context.clock
        self._ids = context.ids
        self._companies = companies
        self._sites = sites
        self._owned = owned

    def __iter__(self) -> Iterator[SandboxCompany]:
        return iter(self._companies)

    def create(self, body: Mapping[str, Any]) -> SandboxCompany:
        """Create a company from JSON fields; raises `InvalidFields`."""
        values = _users_with_caller(fields.read(body, COMPANY_CHECKS, required=("name",)))
        now = self._clock.now()
        # Reference: the provider's API reference: data collection starts on 1 January of the previous year.
        defaults = COMPANY_DEFAULTS | {"users": [USER], "dataCollectionStartDate": f"{int(day(now)[:4]) - 1}-01-01"}
        # 22 characters make a short link, and 132 bits cannot be guessed.
        company = SandboxCompany(self._ids.uuid(), self._ids.token()[:22], now, defaults | values)
        return self._companies.put(company)

    def update(self, company_id: str, body: Mapping[str, Any]) -> SandboxCompany:
        """Change the fields that are present; raises `InvalidFields`."""
        company = self.get(company_id)
        # Absent fields stay; a field that is present replaces the whole value, also a list.
        changes = _users_with_caller(fields.read(body, COMPANY_CHECKS))
        return self._companies.put(replace(company, values=company.values | changes))

    def delete(self, company_id: str) -> None:
        """Delete a company with everything that belongs to it."""
        company = self.get(company_id)
        # One transaction: a crash must not leave connections without their company.
        with self._database.transaction():
            for table in (self._sites, *self._owned):
                for record in table.of(company.id):
                    table.remove(record.id)
            self._companies.remove(company.id)

    def get(self, company_id: str) -> SandboxCompany:
        """Return a company; raises `RecordMissing`."""
        return found(self._companies.get(company_id.lower()))

    def as_wire(self, company: SandboxCompany) -> dict[str, Any]:
        """Return the provider's Company with its sites."""
        return company.as_wire(self.sites_of(company.id))

    def create_site(self, company_id: str, body: Mapping[str, Any]) -> SandboxSite:
        """Create a site from JSON fields; raises `InvalidFields`."""
        company = self.get(company_id)
        values = fields.read(body, SITE_CHECKS, required=("name",))
        now = self._clock.now(company.id)
        return self._sites.put(SandboxSite(self._ids.uuid(), company.id, now, SITE_DEFAULTS | values))

    def update_site(self, site_id: str, body: Mapping[str, Any], company_id: str | None = None) -> SandboxSite:
        """Change the fields that are present; raises `InvalidFields`."""
        site = self.site(site_id, company_id)
        return self._sites.put(replace(site, values=site.values | fields.read(body, SITE_CHECKS)))

    def site(self, site_id: str, company_id: str | None = None) -> SandboxSite:
        """Return a site; raises `RecordMissing`, also when it belongs to another company than the one given."""
        site = found(self._sites.get(site_id.lower()))
        if company_id is not None and site.company_id != self.get(company_id).id:
            raise RecordMissing
        return site

    def find_site(self, site_id: str) -> SandboxSite | None:
        """Return a site by its exact id, if there is one."""
        return self._sites.get(site_id)

    def sites_of(self, company_id: str) -> list[SandboxSite]:
        """Return a company's sites, oldest first."""
        return self._sites.of(company_id)

    def require_sites(self, company_id: str, sites: Collection[str], name: str = "sites") -> None:
        """Raise `InvalidFields` under that field name unless all are sites of that company."""
        foreign = set(sites) - {site.id for site in self.sites_of(company_id)}
        if foreign:
            raise InvalidFields({name: [f'Invalid pk "{site}" - object does not exist.' for site in sorted(foreign)]})


def _users_with_caller(values: dict[str, Any]) -> dict[str, Any]:
    """Add the caller's own user, who cannot remove themselves from a company."""
    if "users" not in values:
        return values
    return {**values, "users": list(dict.fromkeys([USER, *values["users"]]))}
