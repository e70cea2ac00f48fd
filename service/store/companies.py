"""Companies and sites in the database: one row each however many calls race, and what the provider named them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from service.errors import Forbidden, NotFound
from service.ledger import Fact, FactKind
from service.model import (
    Company,
    CompanyRef,
    ConnectionId,
    ProviderCompanyId,
    ProviderSiteId,
    SessionId,
    Site,
    SiteRef,
)
from service.store.changes import add_fact
from service.store.rows import ACCOUNT, company_of, site_of
from service.store.tx import Engine, Tx

_RECENT_SECONDS = 600.0
_FINISHED_SECONDS = 90.0
_ADDING = 7246003
_OUTLIVED_SECONDS = 2 * 3600.0  # an invitation lives on for the grace, and up to an hour of its own


@dataclass(frozen=True, slots=True)
class Intent:
    """A creation at the provider that was begun; `lost`: its answer never came."""

    called_at: float


@dataclass(frozen=True, slots=True)
class Begun:
    """A company as it was at the provider, at the provider's time, before it was given any link of ours."""

    provider_id: ProviderCompanyId
    provider_at: float
    prior: frozenset[ConnectionId] = frozenset()


@dataclass(frozen=True, slots=True)
class Pulse:
    """How busy a company is: what decides how often the provider is asked about it."""

    present: bool  # a page is there, or was, or somebody finished, in the last ten minutes
    just_finished: bool  # somebody said "I have finished" in the last minute and nothing is recorded yet
    open_sessions: bool
    undecided: bool
    linked: bool
    outlived: bool = False  # a session has expired whose link may still be used


class Companies:
    """See the module."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    async def get(self, ref: CompanyRef) -> Company:
        """One company by our own reference. Raises NotFound."""
        return await self._engine.read(lambda tx: _company(tx, ref))

    async def place(self, ref: CompanyRef) -> tuple[Company, Sequence[Site]]:
        """A company and all its sites. Raises NotFound."""
        return await self._engine.read(lambda tx: (_company(tx, ref), _sites(tx, ref)))

    async def by_provider_id(self, provider_id: ProviderCompanyId) -> Company | None:
        """The company that the provider calls so, of whatever tenant."""
        return await self._engine.read(lambda tx: _by_provider_id(tx, provider_id))

    async def pulse(self, ref: CompanyRef) -> Pulse:
        """What goes on in a company now."""
        return await self._engine.read(lambda tx: _pulse(tx, ref, self._clock()))

    async def named(self, ref: CompanyRef, begun: Begun) -> Company:
        """The provider has given the company's id; what was there `prior` to that is noted, the first time it is said.

        If another row of the tenant already has it (given by id before), the two become one. Raises Forbidden where it
        belongs to another tenant.
        """
        return await self._engine.write(lambda tx: _name_company(tx, ref, begun, self._clock()))

    async def site_named(self, ref: SiteRef, provider_id: ProviderSiteId) -> None:
        """The provider has given the site's id."""
        await self._engine.write(
            lambda tx: tx.run("UPDATE sites SET provider_id = :id WHERE ref = :ref", id=provider_id, ref=ref)
        )

    async def site(self, ref: SiteRef) -> Site:
        """One site by our own reference, as it is now. Raises NotFound."""
        return await self._engine.read(lambda tx: _site(tx, ref))

    async def begin(self, ref: str, lost_seconds: float = 0.0) -> Intent | None:
        """Write, before a creating call, that it will be made; answers the intent of an earlier call that was lost.

        An earlier call older than `lost_seconds` is over: this one takes its place, and its own time begins.
        """
        return await self._engine.write(lambda tx: _begin(tx, ref, self._clock(), lost_seconds))

    async def begun(self, session_id: SessionId) -> list[int]:
        """The serials of a session whose invitation was begun and whose answer never came."""
        sql = "SELECT ref FROM intents WHERE ref LIKE :any ORDER BY ref"
        rows = await self._engine.read(lambda tx: tx.all(sql, any=f"{session_id}.%"))
        return [int(row["ref"].rpartition(".")[2]) for row in rows]

    async def settled(self, ref: str) -> None:
        """The creating call was answered, or certainly never received."""
        await self._engine.write(lambda tx: tx.run("DELETE FROM intents WHERE ref = :ref", ref=ref))


def adopt_company(tx: Tx, company: Company, now: float) -> Company:
    """The row for this company, made if need be; races end in one row. Raises Forbidden for another tenant's."""
    found = _same(tx, company)
    if found is None:
        _add_company(tx, company, now)
        found = _same(tx, company)
    if found is None or found.tenant != company.tenant:
        raise Forbidden("This company belongs to another tenant")
    return found


def _same(tx: Tx, company: Company) -> Company | None:
    found = _by_provider_id(tx, company.provider_id) if company.provider_id else _by_external_id(tx, company)
    if found is None or not tx.dialect.lock:
        return found
    # Until the session stands the row stays: becoming one with another row would leave the session without any.
    held = tx.one("SELECT ref FROM companies WHERE ref = :ref FOR KEY SHARE", ref=found.ref)
    return found if held is not None else None


def _add_company(tx: Tx, company: Company, now: float) -> None:
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


def adopt_sites(tx: Tx, company_ref: CompanyRef, sites: tuple[Site, ...]) -> tuple[Site, ...]:
    """The rows for these sites, in the order given, made if need be."""
    return tuple(_adopt_site(tx, company_ref, site) for site in sites)


def _adopt_site(tx: Tx, company_ref: CompanyRef, site: Site) -> Site:
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


def _company(tx: Tx, ref: CompanyRef) -> Company:
    row = tx.one("SELECT * FROM companies WHERE ref = :ref", ref=ref)
    if row is None:
        raise NotFound
    return company_of(row)


def _site(tx: Tx, ref: SiteRef) -> Site:
    row = tx.one("SELECT * FROM sites WHERE ref = :ref", ref=ref)
    if row is None:
        raise NotFound
    return site_of(row)


def _sites(tx: Tx, ref: CompanyRef) -> list[Site]:
    return [site_of(row) for row in tx.all("SELECT * FROM sites WHERE company_ref = :ref ORDER BY ref", ref=ref)]


def _by_provider_id(tx: Tx, provider_id: ProviderCompanyId) -> Company | None:
    row = tx.one(
        "SELECT * FROM companies WHERE account = :account AND provider_id = :id", account=ACCOUNT, id=provider_id
    )
    return company_of(row) if row is not None else None


def _by_external_id(tx: Tx, company: Company) -> Company | None:
    row = tx.one(
        "SELECT * FROM companies WHERE tenant = :tenant AND external_id = :id",
        tenant=company.tenant,
        id=company.external_id,
    )
    return company_of(row) if row is not None else None


def _name_company(tx: Tx, ref: CompanyRef, begun: Begun, now: float) -> Company:
    tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    company = _company(tx, ref)
    if company.provider_id not in {None, begun.provider_id}:
        return company  # named by another process: links of that company may be out already
    twin = _by_provider_id(tx, begun.provider_id)
    if twin is not None and twin.tenant != company.tenant:
        raise Forbidden("This company belongs to another tenant")
    if twin is not None and twin.ref != ref:
        tx.one(f"SELECT ref FROM companies WHERE ref = :ref{tx.dialect.lock}", ref=twin.ref)
        company = _merge(tx, company, _company(tx, twin.ref))
    return company if company.provider_since_at is not None else _begin_company(tx, company, begun, now)


def _begin_company(tx: Tx, company: Company, begun: Begun, now: float) -> Company:
    tx.run(
        "UPDATE companies SET provider_id = :id, provider_since_at = :since WHERE ref = :ref",
        id=begun.provider_id,
        since=begun.provider_at,
        ref=company.ref,
    )
    add_fact(tx, Fact(FactKind.LISTED), company.ref, now)
    for connection_id in sorted(begun.prior):
        add_fact(tx, Fact(FactKind.PRIOR, connection_id), company.ref, now)
    return replace(company, provider_id=begun.provider_id, provider_since_at=begun.provider_at)


def _merge(tx: Tx, company: Company, twin: Company) -> Company:
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


def _begin(tx: Tx, ref: str, now: float, lost_seconds: float) -> Intent | None:
    if tx.run("INSERT INTO intents (ref, called_at) VALUES (:ref, :now) ON CONFLICT DO NOTHING", ref=ref, now=now):
        return None
    row = tx.one(f"SELECT * FROM intents WHERE ref = :ref{tx.dialect.lock}", ref=ref)
    if row is None:  # settled by another process this very moment
        return Intent(now)
    ahead = row["called_at"] > now  # our clock was set back: the waiting begins anew, and lasts no longer than it would
    if ahead or now - row["called_at"] >= lost_seconds:
        tx.run("UPDATE intents SET called_at = :now WHERE ref = :ref", ref=ref, now=now)
    return Intent(now if ahead else row["called_at"])


def _pulse(tx: Tx, ref: CompanyRef, now: float) -> Pulse:
    row = tx.one(
        "SELECT MAX(seen_at) AS seen_at, MAX(CASE WHEN status = 'opened' THEN finished_at END) AS finished_at, "
        "MAX(CASE WHEN status IN ('created', 'opened', 'exited') AND revealed_at IS NOT NULL THEN 1 ELSE 0 END) "
        "AS going, "
        "MAX(CASE WHEN status = 'expired' AND revealed_at IS NOT NULL AND expires_at > :lately THEN 1 ELSE 0 END) "
        "AS outlived, "
        "MAX(CASE WHEN link_url IS NOT NULL OR serial > 1 THEN 1 ELSE 0 END) AS linked "
        "FROM sessions WHERE company_ref = :ref",
        ref=ref,
        lately=now - _OUTLIVED_SECONDS,
    )
    undecided = tx.one("SELECT 1 AS found FROM connections WHERE company_ref = :ref AND waiting = 1 LIMIT 1", ref=ref)
    seen_at, finished_at = (row["seen_at"] or 0.0, row["finished_at"] or 0.0) if row else (0.0, 0.0)
    return Pulse(
        present=now - max(seen_at, finished_at) < _RECENT_SECONDS,
        just_finished=now - finished_at < _FINISHED_SECONDS,
        open_sessions=bool(row and row["going"]),
        undecided=undecided is not None,
        linked=bool(row and row["linked"]),
        outlived=bool(row and row["outlived"]),
    )
