"""A session's company and sites at the provider: found there, or created there once.

Every call that creates something has an intent row before it is made. A call whose answer was lost is not repeated
before the provider's lists have had time to show what it created.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from service.domain.changes import CompanyBaseline
from service.domain.model import (
    Clock,
    Company,
    ConnectionId,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    Session,
    SessionId,
    Site,
)
from service.domain.removals import is_new
from service.domain.reports import ReportedCompany, ReportedSite, UnreadNames
from service.domain.timing import LOST_SECONDS
from service.errors import NotFound, ProviderBroken, ProviderFailure, ProviderNotFound, ProviderUnauthorized
from service.provider import Provider
from service.store import Store

_log = logging.getLogger(__name__)

_BASELINE_READS = 3  # of the list of a company's connections before its first link


@dataclass(frozen=True, slots=True)
class ProviderSiteIds:
    """The company and the sites of a session, by the provider's ids."""

    company: ProviderCompanyId
    sites: Sequence[ProviderSiteId]


@dataclass(frozen=True, slots=True)
class _Intent:
    """A creating call that is about to be made, written down at `at`; `repeats`: it follows one that was lost.

    The call must end by `deadline` (monotonic clock), which is before the call counts as lost. So a process that stood
    still between writing the intent and calling creates nothing.
    """

    ref: str
    at: float
    repeats: bool
    deadline: float


class ProviderSites:
    """Finds or creates companies and sites. Of several sessions of a company, one at a time creates it."""

    def __init__(self, store: Store, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def is_in_progress(self, session: Session) -> bool:
        """Whether this process is creating the session's company for another session."""
        lock = self._locks.get(session.company.ref)
        return lock is not None and lock.locked() and _known(session) is None

    async def ids_for(self, session: Session) -> ProviderSiteIds:
        """The provider's ids, created where they do not exist. Raises ProviderFailure, Forbidden."""
        known = _known(session)
        if known is not None:
            return known
        async with self._locks.setdefault(session.company.ref, asyncio.Lock()):
            try:
                return await self._find_or_create(session.id)
            except NotFound:  # another process merged this company's row into another
                return await self._find_or_create(session.id)

    async def _find_or_create(self, session_id: SessionId) -> ProviderSiteIds:
        session = await self._store.sessions.get(session_id)  # again: its ids may have been found meanwhile
        company_id = await self._company(session.company)
        try:
            return ProviderSiteIds(company_id, await self._sites(company_id, session.sites))
        except ProviderFailure as exc:
            await self.raise_if_not_yet(session, exc)
            raise

    async def raise_if_not_yet(self, session: Session, exc: ProviderFailure) -> None:
        """Raise ProviderBroken, which is retried, where a 404 or 403 may mean that the provider is still catching up.

        It does if the company, the sites or the connection to reconnect was created or found moments ago and cannot be
        read either. What can be read leaves the refusal as it is: then it is about the path or the right to invite.
        """
        if not isinstance(exc, (ProviderNotFound, ProviderUnauthorized)):
            return
        if session.mode is Mode.RECONNECT:
            await self._raise_if_connection_is_not_there(session)
        else:
            await self._raise_if_company_is_not_there(session)

    async def _raise_if_connection_is_not_there(self, session: Session) -> None:
        if session.connection_id is None:
            return
        connection = await self._store.connections.get(session.connection_id)
        if self._clock() - connection.recorded_at >= LOST_SECONDS:
            return
        try:
            await self._provider.connection(connection.id)
        except ProviderNotFound as missing:
            raise ProviderBroken("The provider does not know this connection yet; retry later") from missing

    async def _raise_if_company_is_not_there(self, session: Session) -> None:
        session = await self._store.sessions.get(session.id)  # again: its sites may have been created meanwhile
        company, now = session.company, self._provider.provider_now()
        if now is None or company.provider_id is None or company.provider_since_at is None:
            return
        is_company_new = is_new(company, now)
        # A site that the host named itself was not created here, and may be another company's.
        ours = {site.provider_id for site in session.sites if site.external_id and site.provider_id}
        sites = ours if self._clock() - session.created_at < LOST_SECONDS else set()
        if not is_company_new and not sites:
            return
        try:
            found = await self._provider.company(company.provider_id)
        except ProviderNotFound as missing:
            if is_company_new:
                raise ProviderBroken("The provider does not know this company yet; retry later") from missing
            return
        if not sites <= {one.id for one in found.sites}:
            raise ProviderBroken("The provider does not know this company's sites yet; retry later")

    async def _company(self, company: Company) -> ProviderCompanyId:
        company = await self._store.companies.get(company.ref)
        if company.provider_id is not None and company.provider_since_at is not None:
            return company.provider_id
        baseline = await self._baseline(company)
        stored = await self._store.companies.set_provider_id(company.ref, baseline)
        await self._store.intents.complete(company.ref)
        return stored.provider_id or baseline.provider_id

    async def _baseline(self, company: Company) -> CompanyBaseline:
        """The company before its first link is given; one that is created here has no connections yet."""
        found, created = await self._existing_company(company), False
        if found is None:
            found, created = await self._create_company(company)
        prior, complete = (frozenset[ConnectionId](), True) if created else await self._connection_ids(found.id)
        return CompanyBaseline(found.id, self._provider.provider_now() or 0.0, prior, complete=complete)

    async def _create_company(self, company: Company) -> tuple[ReportedCompany, bool]:
        """Create it (True), or find it after all: a lost call may show by now, or another process was first."""
        intent = await self._begin(company.ref)
        try:
            now = await self._store.companies.get(company.ref)
            is_listed = intent.repeats or now.provider_id is not None
            found = await self._existing_company(now, after_loss=intent.repeats) if is_listed else None
            created = found or await self._provider.create_company(
                now.name or "", now.external_id or "", intent.deadline
            )
        except ProviderFailure as exc:
            await self._complete_unless_lost(exc, intent)
            raise
        return created, found is None

    async def _existing_company(self, company: Company, *, after_loss: bool = False) -> ReportedCompany | None:
        """Find it by its id, or by `externalId` in the provider's list."""
        if company.provider_id is not None:
            return await self._provider.company(company.provider_id)
        listed = await self._provider.companies()
        existing = [one for one in listed.companies if one.external_id == company.external_id]
        if len(existing) > 1:
            _log.error("several companies have one externalId; using the first", extra={"ref": company.ref})
        if not existing:
            _raise_if_unread(listed.unread, company, after_loss=after_loss)
        return existing[0] if existing else None

    async def _connection_ids(self, company_id: ProviderCompanyId) -> tuple[frozenset[ConnectionId], bool]:
        """Return the ids of the company's connections, and whether these are all.

        The list is read again where an id could not be read: what is not on it counts as older only by its date, and
        an account that was connected in these seconds would be presumed that of the first session.
        """
        found, complete = frozenset[ConnectionId](), False
        try:
            for _ in range(_BASELINE_READS):
                ids, complete = await self._provider.connection_ids(company_id)
                found |= ids
                if complete:
                    break
        except ProviderNotFound as exc:  # the company was found just now, so its list comes late
            raise ProviderBroken("The provider does not list this company's connections yet; retry later") from exc
        return found, complete

    async def _sites(self, company_id: ProviderCompanyId, sites: Sequence[Site]) -> list[ProviderSiteId]:
        known: dict[str, ReportedSite] | None = None
        ids: list[ProviderSiteId] = []
        for site in sites:
            if site.provider_id is None and known is None:
                known, _ = await self._existing_sites(company_id)
            ids.append(site.provider_id or await self._site(company_id, site, known or {}))
        return ids

    async def _existing_sites(
        self, company_id: ProviderCompanyId
    ) -> tuple[dict[str, ReportedSite], Sequence[UnreadNames]]:
        """The company's sites by the host's ids; of two with one id the first listed, as with companies."""
        known: dict[str, ReportedSite] = {}
        company = await self._provider.company(company_id)
        for one in company.sites:
            if one.external_id and known.setdefault(one.external_id, one) is not one:
                _log.error("several sites have one externalId; using the first", extra={"company": company_id})
        return known, company.unread_sites

    async def _site(self, company_id: ProviderCompanyId, site: Site, known: dict[str, ReportedSite]) -> ProviderSiteId:
        name = site.external_id or ""
        ref = f"{company_id}/{name}"  # not the row's: a company named in two ways has two rows for one site
        found = known.get(name) or await self._create_site(company_id, site, ref)
        await self._store.companies.set_site_id(site.ref, found.id)
        await self._store.intents.complete(ref)
        return found.id

    async def _create_site(self, company_id: ProviderCompanyId, site: Site, ref: str) -> ReportedSite:
        name = site.external_id or ""
        intent = await self._begin(ref)
        try:  # another process may have created it since the company was read
            named = (await self._store.companies.site(site.ref)).provider_id
            if named:
                return ReportedSite(named, name, None)
            known, unread = await self._existing_sites(company_id)
            if name in known:
                return known[name]
            _raise_if_unread(unread, site, after_loss=intent.repeats)
            create = self._provider.create_site
            return await create(company_id, site.name or "", name, site.address, intent.deadline)
        except ProviderFailure as exc:
            await self._complete_unless_lost(exc, intent)
            raise

    async def _begin(self, ref: str) -> _Intent:
        """Write the intent of a creating call. Raises ProviderBroken while an earlier one may still show its effect."""
        deadline = self._provider.call_deadline()
        turn = await self._store.intents.begin(ref, LOST_SECONDS)
        if turn is None:
            says = "An earlier call to the provider got no answer; waiting until its lists would show the result"
            raise ProviderBroken(says)
        return _Intent(ref, turn.at, turn.repeats, deadline)

    async def _complete_unless_lost(self, exc: ProviderFailure, intent: _Intent) -> None:
        if not exc.lost:
            await self._store.intents.complete(intent.ref, intent.at)


def _raise_if_unread(unread: Sequence[UnreadNames], wanted: Company | Site, *, after_loss: bool) -> None:
    """Raise ProviderBroken, which is retried, where a listed item that cannot be read may be the one that is wanted.

    It is compared by its external id, otherwise by its name. After a call whose answer was lost (`after_loss`), an item
    without either may be what that call created, so the intent stays.
    """
    for one in unread:
        same_name = one.name == wanted.name or (after_loss and one.name is None)
        if same_name if one.external_id is None else one.external_id == wanted.external_id:
            says = "The provider lists an entry that may be this one and cannot be read; retry later"
            raise ProviderBroken(says, lost=after_loss)


def _known(session: Session) -> ProviderSiteIds | None:
    """The ids, where the provider has given all of them."""
    sites = [site.provider_id for site in session.sites if site.provider_id is not None]
    company = session.company
    ready = company.provider_id is not None and company.provider_since_at is not None
    return (
        ProviderSiteIds(company.provider_id, sites)
        if ready and company.provider_id and len(sites) == len(session.sites)
        else None
    )
