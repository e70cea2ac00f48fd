"""Companies and sites in the database: one row each however many calls race, and what the provider named them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from service.domain.changes import CompanyActivity, CompanyBaseline, Fact, FactKind
from service.domain.model import Company, CompanyRef, ProviderCompanyId, ProviderSiteId, Site, SiteRef
from service.errors import Forbidden, NotFound
from service.store.activity import read_activity, take_poll
from service.store.changes import add_fact
from service.store.engine import Engine, Transaction
from service.store.rows import ACCOUNT, company_of, site_of

_ADDING = 7246003


class CompanyStore:
    """See the module."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    async def get(self, ref: CompanyRef) -> Company:
        """One company by our own reference. Raises NotFound."""
        return await self._engine.read(lambda tx: _company(tx, ref))

    async def with_sites(self, ref: CompanyRef) -> tuple[Company, Sequence[Site]]:
        """A company and all its sites. Raises NotFound."""
        return await self._engine.read(lambda tx: (_company(tx, ref), _sites(tx, ref)))

    async def by_provider_id(self, provider_id: ProviderCompanyId) -> Company | None:
        """The company that the provider calls so, of whatever tenant."""
        return await self._engine.read(lambda tx: _by_provider_id(tx, provider_id))

    async def activity(self, ref: CompanyRef) -> CompanyActivity:
        """What goes on in a company now."""
        return await self._engine.read(lambda tx: read_activity(tx, ref, self._clock()))

    async def take_poll(self, ref: CompanyRef) -> tuple[Company, float]:
        """Return the company and 0 where its budget had a poll, or the seconds until it has one. Raises NotFound.

        A company that has no provider id yet cannot be polled, and takes none.
        """
        return await self._engine.write(lambda tx: _take_poll(tx, ref))

    async def set_provider_id(self, ref: CompanyRef, baseline: CompanyBaseline) -> Company:
        """The provider has given the company's id; what was there `prior` to that is noted, the first time it is said.

        If another row of the tenant already has it (given by id before), the two become one. Raises Forbidden where it
        belongs to another tenant.
        """
        return await self._engine.write(lambda tx: _set_provider_id(tx, ref, baseline, self._clock()))

    async def set_site_id(self, ref: SiteRef, provider_id: ProviderSiteId) -> None:
        """The provider has given the site's id."""
        await self._engine.write(
            lambda tx: tx.run("UPDATE sites SET provider_id = :id WHERE ref = :ref", id=provider_id, ref=ref)
        )

    async def site(self, ref: SiteRef) -> Site:
        """One site by our own reference, as it is now. Raises NotFound."""
        return await self._engine.read(lambda tx: _site(tx, ref))


def _take_poll(tx: Transaction, ref: CompanyRef) -> tuple[Company, float]:
    company = _company(tx, ref)
    return company, take_poll(tx, ref) if company.provider_id is not None else 0.0


def adopt_company(tx: Transaction, company: Company, now: float) -> Company:
    """The row for this company, made if need be; races end in one row. Raises Forbidden for another tenant's."""
    found = _same(tx, company)
    if found is None:
        _add_company(tx, company, now)
        found = _same(tx, company)
    if found is None or found.tenant != company.tenant:
        raise Forbidden("This company belongs to another tenant")
    return found


def _same(tx: Transaction, company: Company) -> Company | None:
    found = _by_provider_id(tx, company.provider_id) if company.provider_id else _by_external_id(tx, company)
    if found is None or not tx.dialect.lock:
        return found
    # Until the session stands the row stays: becoming one with another row would leave the session without any.
    held = tx.one("SELECT ref FROM companies WHERE ref = :ref FOR KEY SHARE", ref=found.ref)
    return found if held is not None else None


def _add_company(tx: Transaction, company: Company, now: float) -> None:
    tx.run(
        "INSERT INTO companies (ref, tenant, account, external_id, name, provider_id, created_at) VALUES "
        "(:ref, :tenant, :account, :external_id, :name, :provider_id, :now) ON CONFLICT DO NOTHING",
        ref=company.ref,
        tenant=company.tenant,
        account=ACCOUNT,
        external_id=company.external_id,
        name=company.name,
        provider_id=company.provider_id,
        now=now,
    )


def adopt_sites(tx: Transaction, company_ref: CompanyRef, sites: tuple[Site, ...]) -> tuple[Site, ...]:
    """The rows for these sites, in the order given, made if need be."""
    return tuple(_adopt_site(tx, company_ref, site) for site in sites)


def _adopt_site(tx: Transaction, company_ref: CompanyRef, site: Site) -> Site:
    column, value = ("provider_id", site.provider_id) if site.provider_id else ("external_id", site.external_id)
    query = f"SELECT * FROM sites WHERE company_ref = :company AND {column} = :value"
    row = tx.one(query, company=company_ref, value=value)
    if row is None and tx.dialect.lock:  # one at a time adds a site to this company: another may have, a moment ago
        tx.run(f"SELECT pg_advisory_xact_lock({_ADDING}, hashtext(:ref))", ref=company_ref)
        row = tx.one(query, company=company_ref, value=value)
    if row is not None:
        return site_of(row)
    tx.run(
        "INSERT INTO sites (ref, company_ref, external_id, name, address, provider_id) VALUES "
        "(:ref, :company, :external_id, :name, :address, :provider_id) ON CONFLICT DO NOTHING",
        ref=site.ref,
        company=company_ref,
        external_id=site.external_id,
        name=site.name,
        address=site.address,
        provider_id=site.provider_id,
    )
    row = tx.one(query, company=company_ref, value=value)
    return site_of(row) if row is not None else site


def _company(tx: Transaction, ref: CompanyRef) -> Company:
    row = tx.one("SELECT * FROM companies WHERE ref = :ref", ref=ref)
    if row is None:
        raise NotFound
    return company_of(row)


def _site(tx: Transaction, ref: SiteRef) -> Site:
    row = tx.one("SELECT * FROM sites WHERE ref = :ref", ref=ref)
    if row is None:
        raise NotFound
    return site_of(row)


def _sites(tx: Transaction, ref: CompanyRef) -> list[Site]:
    return [site_of(row) for row in tx.all("SELECT * FROM sites WHERE company_ref = :ref ORDER BY ref", ref=ref)]


def _by_provider_id(tx: Transaction, provider_id: ProviderCompanyId) -> Company | None:
    row = tx.one(
        "SELECT * FROM companies WHERE account = :account AND provider_id = :id", account=ACCOUNT, id=provider_id
    )
    return company_of(row) if row is not None else None


def _by_external_id(tx: Transaction, company: Company) -> Company | None:
    row = tx.one(
        "SELECT * FROM companies WHERE tenant = :tenant AND external_id = :id",
        tenant=company.tenant,
        id=company.external_id,
    )
    return company_of(row) if row is not None else None


def _set_provider_id(tx: Transaction, ref: CompanyRef, baseline: CompanyBaseline, now: float) -> Company:
    tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    company = _company(tx, ref)
    if company.provider_id not in {None, baseline.provider_id}:
        return company  # named by another process: links of that company may be out already
    twin = _by_provider_id(tx, baseline.provider_id)
    if twin is not None and twin.tenant != company.tenant:
        raise Forbidden("This company belongs to another tenant")
    if twin is not None and twin.ref != ref:
        tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=twin.ref)
        company = _merge(tx, company, _company(tx, twin.ref))
    return company if company.provider_since_at is not None else _begin(tx, company, baseline, now)


def _begin(tx: Transaction, company: Company, baseline: CompanyBaseline, now: float) -> Company:
    tx.run(
        "UPDATE companies SET provider_id = :id, provider_since_at = :since WHERE ref = :ref",
        id=baseline.provider_id,
        since=baseline.provider_at,
        ref=company.ref,
    )
    add_fact(tx, Fact(FactKind.LISTED), company.ref, now)
    for connection_id in sorted(baseline.prior):
        add_fact(tx, Fact(FactKind.PRIOR, connection_id), company.ref, now)
    return replace(company, provider_id=baseline.provider_id, provider_since_at=baseline.provider_at)


def _merge(tx: Transaction, company: Company, twin: Company) -> Company:
    """The host named one company in two ways: keep the row that has the provider's id, with both names."""
    tx.run("UPDATE sessions SET company_ref = :twin WHERE company_ref = :ref", twin=twin.ref, ref=company.ref)
    tx.run(
        "UPDATE sites SET company_ref = :twin WHERE company_ref = :ref AND (external_id IS NULL OR external_id NOT IN "
        "(SELECT external_id FROM sites WHERE company_ref = :twin AND external_id IS NOT NULL))",
        twin=twin.ref,
        ref=company.ref,
    )
    tx.run("DELETE FROM companies WHERE ref = :ref", ref=company.ref)
    external_id = twin.external_id or company.external_id
    name = twin.name or company.name
    tx.run(
        "UPDATE companies SET external_id = :external_id, name = :name WHERE ref = :ref",
        external_id=external_id,
        name=name,
        ref=twin.ref,
    )
    return replace(twin, external_id=external_id, name=name)
