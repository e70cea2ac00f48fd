"""Companies and sites: one row each, however many calls race to create it, and their ids at the provider."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.domain.changes import CompanyBaseline, Fact, FactKind
from service.domain.model import (
    DEFAULT_TENANT,
    Company,
    CompanyRef,
    ProviderCompanyId,
    ProviderSiteId,
    Session,
    Site,
    SiteRef,
    UserId,
    UserRef,
)
from service.domain.tokens import ERASED_USER
from service.errors import Forbidden, NotFound
from service.store.activity import note_failed_poll, take_logs, take_poll
from service.store.changes import add_fact
from service.store.company_sites import Places, with_sites
from service.store.engine import Engine, Row, Transaction
from service.store.rows import ACCOUNT, company_of, site_of
from service.store.users import adopt_user

_SITE_LOCK = 7246003


class CompanyStore:
    """Reads companies and sites, and writes the provider's ids and polls. `SessionStore.create` inserts the rows."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    async def get(self, ref: CompanyRef) -> Company:
        """Return one company. Raises NotFound."""
        return await self._engine.read(lambda tx: _company(tx, ref), snapshot=False)

    async def with_sites(self, wanted: Mapping[CompanyRef, Collection[ProviderSiteId]]) -> Mapping[CompanyRef, Places]:
        """Return companies, each with those of its sites that have these ids at the provider. Raises NotFound."""
        return await self._engine.read(lambda tx: with_sites(tx, wanted))

    async def by_provider_id(self, provider_id: ProviderCompanyId) -> Company | None:
        """Return the company with this id at the provider, of any tenant; None where there is none."""
        return await self._engine.read(lambda tx: _by_provider_id(tx, provider_id), snapshot=False)

    async def take_poll(self, ref: CompanyRef) -> tuple[Company, float]:
        """Return the company and 0 where its budget had a poll, or the seconds until it has one. Raises NotFound.

        A company without a provider id cannot be polled: it gives 0 and its budget stays.
        """
        return await self._engine.write(lambda tx: _take_poll(tx, ref))

    async def note_failed_poll(self, ref: CompanyRef, began_at: float) -> None:
        """Write since when the provider answers no poll of the company, for the pages that wait."""
        await self._engine.write(lambda tx: note_failed_poll(tx, ref, began_at))

    async def take_logs(self, ref: CompanyRef, wanted: int) -> int:
        """Take up to `wanted` calls for logs from the budget of polls, of which it keeps a part; return how many."""
        return await self._engine.write(lambda tx: take_logs(tx, ref, wanted))

    async def set_provider_id(self, ref: CompanyRef, baseline: CompanyBaseline) -> Company:
        """Write the company's id at the provider and its baseline, unless another process did before; return the row.

        If another row of the tenant has that id (the host gave it before), this row is merged into that one. Raises
        NotFound, and Forbidden where the id belongs to another tenant.
        """
        return await self._engine.write(lambda tx: _set_provider_id(tx, ref, baseline, self._clock()))

    async def set_site_id(self, ref: SiteRef, provider_id: ProviderSiteId) -> None:
        """Write the site's id at the provider, unless another process did before."""
        # `IS NULL`: a process that stood still since it read the provider's list must not undo what was written since.
        sql = "UPDATE sites SET provider_id = :id WHERE ref = :ref AND provider_id IS NULL"
        await self._engine.write(lambda tx: tx.run(sql, id=provider_id, ref=ref))

    async def site(self, ref: SiteRef) -> Site:
        """Return one site. Raises NotFound."""
        return await self._engine.read(lambda tx: _site(tx, ref), snapshot=False)


def _take_poll(tx: Transaction, ref: CompanyRef) -> tuple[Company, float]:
    company = _company(tx, ref)
    return company, take_poll(tx, ref) if company.provider_id is not None else 0.0


def adopt_user_and_company(tx: Transaction, draft: Session, now: float) -> tuple[UserRef, Company]:
    """Return the stored user and company of a draft, after inserting those that are new. Raises NotFound."""
    user_id = draft.user_id or ERASED_USER
    known = _find_user_and_company(tx, user_id, draft.company)
    if known is not None:
        return known
    return adopt_user(tx, draft.tenant, user_id, draft.user, now), adopt_company(tx, draft.company, now)


def _find_user_and_company(tx: Transaction, user_id: UserId | str, company: Company) -> tuple[UserRef, Company] | None:
    """Return the stored user and company of a tenant in one read, or None where one of them is new.

    Neither is erased or merged before the commit, as with `adopt_user` and `adopt_company`.
    """
    column = "provider_id" if company.provider_id else "external_id"
    lock = " FOR KEY SHARE" if tx.dialect.lock else ""
    row = tx.one(
        "SELECT u.ref AS user_ref, c.* FROM users u CROSS JOIN companies c WHERE u.tenant = :tenant "
        f"AND u.user_id = :user AND c.tenant = :tenant AND c.account = :account AND c.{column} = :value{lock}",
        tenant=company.tenant,
        user=user_id,
        account=ACCOUNT,
        value=company.provider_id or company.external_id,
    )
    return (UserRef(row["user_ref"]), company_of(row)) if row is not None else None


def adopt_company(tx: Transaction, company: Company, now: float) -> Company:
    """Return the stored company, after inserting it where it is new. Raises NotFound for one that it may not name.

    A company is the same by the provider's id where the host gave one, otherwise by the tenant's external id.
    """
    found = _find_and_lock(tx, company)
    if found is None and (company.provider_id is None or company.tenant == DEFAULT_TENANT):
        _insert_company(tx, company, now)
        found = _find_and_lock(tx, company)
    # A tenant may name the provider's id of another tenant's company, or a guessed one. Both get the same answer, and
    # the provider is not called, so a tenant cannot find out which companies exist.
    if found is None or found.tenant != company.tenant:
        raise NotFound
    return found


def _find_and_lock(tx: Transaction, company: Company) -> Company | None:
    # A merge deletes the row, and would leave the session that is about to be inserted without a company. KEY SHARE
    # makes a merge wait for this commit, and lets other sessions of the company be created meanwhile.
    lock = " FOR KEY SHARE" if tx.dialect.lock else ""
    if company.provider_id:
        return _by_provider_id(tx, company.provider_id, lock)
    return _by_external_id(tx, company, lock)


def _insert_company(tx: Transaction, company: Company, now: float) -> None:
    # DO NOTHING covers both unique constraints; after a lost race the caller finds the other process's row.
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


def adopt_sites(tx: Transaction, company: Company, sites: tuple[Site, ...]) -> tuple[Site, ...]:
    """Return the stored sites in the order given, after inserting new ones. Raises NotFound as `adopt_company` does."""
    return tuple(_adopt_site(tx, company, site) for site in sites)


def _adopt_site(tx: Transaction, company: Company, site: Site) -> Site:
    company_ref = company.ref
    column, value = ("provider_id", site.provider_id) if site.provider_id else ("external_id", site.external_id)
    query = f"SELECT * FROM sites WHERE company_ref = :company AND {column} = :value"
    row = tx.one(query, company=company_ref, value=value)
    if row is None and tx.dialect.lock:
        # A site's provider id is not unique in the schema, so ON CONFLICT cannot decide: one transaction at a time
        # inserts sites of a company, and reads once more after the other's commit.
        tx.run(f"SELECT pg_advisory_xact_lock({_SITE_LOCK}, hashtext(:ref))", ref=company_ref)
        row = tx.one(query, company=company_ref, value=value)
    if row is not None:
        return site_of(row)
    if site.provider_id is not None and company.tenant != DEFAULT_TENANT:
        raise NotFound
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


def _by_provider_id(tx: Transaction, provider_id: ProviderCompanyId, lock: str = "") -> Company | None:
    sql = f"SELECT * FROM companies WHERE account = :account AND provider_id = :id{lock}"
    row = tx.one(sql, account=ACCOUNT, id=provider_id)
    return company_of(row) if row is not None else None


def _by_external_id(tx: Transaction, company: Company, lock: str) -> Company | None:
    sql = f"SELECT * FROM companies WHERE tenant = :tenant AND external_id = :id{lock}"
    row = tx.one(sql, tenant=company.tenant, id=company.external_id)
    return company_of(row) if row is not None else None


def newest_of_companies(tx: Transaction, sql: str, time: str, values: Mapping[str, Any]) -> Sequence[Row]:
    """Run a list's query, which is sorted by `time` and id, newest first, and ends with LIMIT :limit.

    `values["company"]`, where there is one, is a company's id here or at the provider; two companies may have it. Each
    is then read by itself, so that an index gives its rows in order.
    """
    if "company" not in values:
        return tx.all(sql, **values)
    refs = tx.all(
        "SELECT ref FROM companies WHERE tenant = :tenant AND external_id = :id UNION "
        "SELECT ref FROM companies WHERE account = :account AND provider_id IN (:id, :lower) AND tenant = :tenant",
        tenant=values["tenant"],
        account=ACCOUNT,
        id=values["company"],
        lower=values["company"].lower(),  # a UUID is the same in either case, as everywhere in the API
    )
    rows = [row for found in refs for row in tx.all(sql, **{**values, "company": found["ref"]})]
    return sorted(rows, key=lambda row: (row[time], row["id"]), reverse=True)[: values["limit"]]


def _set_provider_id(tx: Transaction, ref: CompanyRef, baseline: CompanyBaseline, now: float) -> Company:
    # The row lock decides which of several processes writes the baseline: the first, and the others return its row.
    tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    company = _company(tx, ref)
    if company.provider_id not in {None, baseline.provider_id}:
        return company  # another process wrote another id, and may have given links of that company already
    twin = _by_provider_id(tx, baseline.provider_id)
    if twin is not None and twin.tenant != company.tenant:
        raise Forbidden("This company belongs to another tenant")
    if twin is not None and twin.ref != ref:
        tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=twin.ref)
        company = _merge(tx, company, _company(tx, twin.ref))
    return company if company.provider_since_at is not None else _write_baseline(tx, company, baseline, now)


def _write_baseline(tx: Transaction, company: Company, baseline: CompanyBaseline, now: float) -> Company:
    tx.run(
        "UPDATE companies SET provider_id = :id, provider_since_at = :since WHERE ref = :ref",
        id=baseline.provider_id,
        since=baseline.provider_at,
        ref=company.ref,
    )
    # Prior connections are older than the company's first link, so no session of this service can have created them.
    # Without this fact, what is not among them is judged by its creation time.
    if baseline.complete:
        add_fact(tx, Fact(FactKind.LISTED), company.ref, now)
    for connection_id in sorted(baseline.prior):
        add_fact(tx, Fact(FactKind.PRIOR, connection_id), company.ref, now)
    return replace(company, provider_id=baseline.provider_id, provider_since_at=baseline.provider_at)


def _merge(tx: Transaction, company: Company, twin: Company) -> Company:
    """Merge the company's row into its twin, the row that has the provider's id; return the twin.

    The host named one company in two ways: by its own id, and by the provider's.
    """
    tx.run("UPDATE sessions SET company_ref = :twin WHERE company_ref = :ref", twin=twin.ref, ref=company.ref)
    # A site that both rows have stays as it is: (company_ref, external_id) is unique, and sessions find it by its ref.
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
