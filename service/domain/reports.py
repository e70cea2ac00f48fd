"""Companies and sites as the provider reports them. Connections and invitations are in `model`."""

from dataclasses import dataclass

from service.domain.model import ProviderCompanyId, ProviderSiteId


@dataclass(frozen=True, slots=True)
class UnreadNames:
    """A listed company or site whose id or external id could not be read; None is what could not be read."""

    name: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class ReportedSite:
    """A site as the provider reports it."""

    id: ProviderSiteId
    external_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class ReportedCompany:
    """A company as the provider reports it."""

    id: ProviderCompanyId
    name: str | None
    external_id: str | None
    sites: tuple[ReportedSite, ...] = ()
    unread_sites: tuple[UnreadNames, ...] = ()
