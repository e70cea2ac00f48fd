"""Stories of a session's company and sites: found at the provider, or created there, once.

Everything created at the provider has an intent row before the call, so that a call whose answer was lost is not
repeated until the provider's own lists have had time to show what it did.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from service.errors import NotFound, ProviderBroken, ProviderFailure, ProviderNotFound
from service.model import Company, ConnectionId, ProviderCompanyId, ProviderSiteId, Session, SessionId, Site
from service.provider import FoundCompany, FoundSite, Provider
from service.store import Store
from service.store.companies import Begun

_log = logging.getLogger(__name__)

# How long the provider's lists may take to show what a lost call created.
LOST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a session's connections are to be, by the provider's own ids."""

    company: ProviderCompanyId
    sites: Sequence[ProviderSiteId]


@dataclass(frozen=True, slots=True)
class _Note:
    """The note of a creating call, whether it follows a lost one, and by when, on the monotonic clock, it must be over.

    Sooner than anybody takes the call for lost and makes it anew, so that a process that stood still makes none.
    """

    ref: str
    at: float
    anew: bool
    deadline: float


class Places:
    """See the module."""

    def __init__(self, store: Store, provider: Provider) -> None:
        self._store = store
        self._provider = provider
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def are_awaited(self, session: Session) -> bool:
        """Whether somebody here is busy making what this session needs too."""
        lock = self._locks.get(session.company.ref)
        return lock is not None and lock.locked() and _known(session) is None

    async def of(self, session: Session) -> Premises:
        """The session's place, made if need be. Raises ProviderFailure, Forbidden."""
        known = _known(session)
        if known is not None:
            return known
        async with self._locks.setdefault(session.company.ref, asyncio.Lock()):
            try:
                return await self._found(session.id)
            except NotFound:  # another process has just made this company's row one with another
                return await self._found(session.id)

    async def _found(self, session_id: SessionId) -> Premises:
        session = await self._store.sessions.get(session_id)  # its places may have been named meanwhile
        company_id = await self._company(session.company)
        return Premises(company_id, await self._sites(company_id, session.sites))

    async def _company(self, company: Company) -> ProviderCompanyId:
        company = await self._store.companies.get(company.ref)
        if company.provider_id is not None and company.provider_since_at is not None:
            return company.provider_id
        begun = await self._begun(company)
        named = await self._store.companies.named(company.ref, begun)
        await self._store.intents.settled(company.ref)
        return named.provider_id or begun.provider_id

    async def _begun(self, company: Company) -> Begun:
        """The company as it is before it gets any link of ours; made here, it has no connections yet."""
        found, fresh = await self._known_company(company), False
        if found is None:
            found, fresh = await self._new_company(company)
        prior = frozenset[ConnectionId]() if fresh else await self._prior(found.id)
        return Begun(found.id, self._provider.heard_at() or 0.0, prior)

    async def _new_company(self, company: Company) -> tuple[FoundCompany, bool]:
        """Made now, or found after all: what was lost may show by now, and another process may have been first."""
        note = await self._begin(company.ref)
        try:
            now = await self._store.companies.get(company.ref)
            found = await self._known_company(now, is_listed=note.anew)
            made = found or await self._provider.create_company(now.name or "", now.external_id or "", note.deadline)
        except ProviderFailure as exc:
            await self._unless_lost(exc, note)
            raise
        return made, found is None

    async def _known_company(self, company: Company, *, is_listed: bool = True) -> FoundCompany | None:
        """By its id, or from the provider's list, if it may be on it."""
        if company.provider_id is not None:
            return await self._provider.company(company.provider_id)
        listed = await self._provider.companies() if is_listed else []
        existing = [one for one in listed if one.external_id == company.external_id]
        if len(existing) > 1:
            _log.error("several companies have one externalId; using the first", extra={"ref": company.ref})
        return existing[0] if existing else None

    async def _prior(self, company_id: ProviderCompanyId) -> frozenset[ConnectionId]:
        try:
            return frozenset(one.id for one in await self._provider.connections(company_id))
        except ProviderNotFound as exc:  # it was found just now: a list that does not know it yet will
            raise ProviderBroken("The provider does not list this company's connections yet; retry later") from exc

    async def _sites(self, company_id: ProviderCompanyId, sites: Sequence[Site]) -> list[ProviderSiteId]:
        known: dict[str, FoundSite] | None = None
        ids: list[ProviderSiteId] = []
        for site in sites:
            if site.provider_id is None and known is None:
                known = await self._known_sites(company_id)
            ids.append(site.provider_id or await self._site(company_id, site, known or {}))
        return ids

    async def _known_sites(self, company_id: ProviderCompanyId) -> dict[str, FoundSite]:
        """By the host's ids; of two with one id the first listed, as with companies."""
        known: dict[str, FoundSite] = {}
        for one in (await self._provider.company(company_id)).sites:
            if one.external_id and known.setdefault(one.external_id, one) is not one:
                _log.error("several sites have one externalId; using the first", extra={"company": company_id})
        return known

    async def _site(self, company_id: ProviderCompanyId, site: Site, known: dict[str, FoundSite]) -> ProviderSiteId:
        name = site.external_id or ""
        mark = f"{company_id}/{name}"  # two rows mean one site where the host names its company in two ways
        found = known.get(name) or await self._new_site(company_id, site, mark)
        await self._store.companies.site_named(site.ref, found.id)
        await self._store.intents.settled(mark)
        return found.id

    async def _new_site(self, company_id: ProviderCompanyId, site: Site, mark: str) -> FoundSite:
        name = site.external_id or ""
        note = await self._begin(mark)
        try:  # whoever was first may have made it while the company was read
            named = (await self._store.companies.site(site.ref)).provider_id
            found = FoundSite(named, name, None) if named else (await self._known_sites(company_id)).get(name)
            made = self._provider.create_site
            return found or await made(company_id, site.name or "", name, site.address, note.deadline)
        except ProviderFailure as exc:
            await self._unless_lost(exc, note)
            raise

    async def _begin(self, ref: str) -> _Note:
        """Note that a creating call is about to be made; refuse while an earlier one may still show its effect."""
        deadline = self._provider.call_deadline()
        turn = await self._store.intents.begin(ref, LOST_SECONDS)
        if turn is None:
            raise ProviderBroken("An earlier call to the provider was not answered; waiting for what it did")
        return _Note(ref, turn.at, turn.anew, deadline)

    async def _unless_lost(self, exc: ProviderFailure, note: _Note) -> None:
        if not exc.lost:
            await self._store.intents.settled(note.ref, note.at)


def _known(session: Session) -> Premises | None:
    """The place, where the provider has given all of its ids."""
    sites = [site.provider_id for site in session.sites if site.provider_id is not None]
    company = session.company
    begun = company.provider_id is not None and company.provider_since_at is not None
    return (
        Premises(company.provider_id, sites)
        if begun and company.provider_id and len(sites) == len(session.sites)
        else None
    )
