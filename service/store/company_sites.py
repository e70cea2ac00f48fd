"""Companies with those of their sites that an answer names, for a whole list page at once."""

from collections.abc import Collection, Mapping, Sequence

from service.domain.model import Company, CompanyRef, ProviderSiteId, Site
from service.errors import NotFound
from service.store.engine import Transaction
from service.store.rows import company_of, site_of

Places = tuple[Company, Sequence[Site]]


def with_sites(tx: Transaction, wanted: Mapping[CompanyRef, Collection[ProviderSiteId]]) -> dict[CompanyRef, Places]:
    """Return companies, each with those of its sites that have these ids at the provider. Raises NotFound."""
    rows = tx.among("SELECT * FROM companies WHERE ref IN (:among)", wanted)
    if len(rows) < len(wanted):
        raise NotFound
    companies = [company_of(row) for row in rows]
    return {company.ref: (company, _sites(tx, company.ref, wanted[company.ref])) for company in companies}


def _sites(tx: Transaction, ref: CompanyRef, ids: Collection[ProviderSiteId]) -> list[Site]:
    # Not all of them: a company may have thousands, and almost every connection is for a few.
    sql = "SELECT * FROM sites WHERE company_ref = :ref AND provider_id IN (:among) ORDER BY ref"
    return [site_of(row) for row in tx.among(sql, ids, ref=ref)]
