"""Stories of connections: look at the provider and record, settle a claim, read bills and usage."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from service.attribution import claim_refusal
from service.errors import (
    AlreadyClaimed,
    MagiclinkError,
    NotFound,
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from service.history import Facts
from service.ledger import Changes, Due, Fact, FactKind, Ledger, News, WorkKind
from service.model import (
    Candidate,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    ProviderCompanyId,
    Reading,
    SessionId,
    Site,
    Tenant,
)
from service.provider import Provider
from service.recording import record, rejudge
from service.sessions import Outside
from service.statuses import credentials_work
from service.store import Store
from service.store.pulse import Pulse

_log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
# How far apart the two reads are that prove a connection to be gone.
MISSING_SECONDS = 60.0
_REFUSED_SECONDS = 60.0
LEASE_SECONDS = 90.0
_POLL_SECONDS = 0.05
_MISSED_AT_ONCE = 5
# Sample bills come within half a minute, real ones within days; after that the provider's events tell of them.
_DOCUMENT_DAYS = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    """A connection with its company, and those of the company's sites that it has."""

    connection: Connection
    company: Company
    sites: Sequence[Site]


class Connections:
    """See the module."""

    def __init__(self, store: Store, provider: Provider, outside: Outside) -> None:
        self._store = store
        self._provider = provider
        self._clock = outside.clock
        self._new_id = outside.new_id
        self._sleep = outside.sleep
        self._looks: dict[CompanyRef, asyncio.Task[None]] = {}

    async def reconcile(self, ref: CompanyRef) -> float | None:
        """Read the company at the provider, record what is there, and answer in how many seconds to look again."""
        try:
            company = await self._store.companies.get(ref)
        except NotFound:
            return None  # merged into another row, which has its own look
        if company.provider_id is None:
            return None
        pause = await self._store.companies.take_look(ref)
        if pause:
            return pause
        try:
            reading = await self._provider.read(company.provider_id)
        except ProviderRefused as exc:
            _log.warning("the provider refuses to list company %s: %s", ref, exc.detail)
            return max(_REFUSED_SECONDS, pace(await self._store.companies.pulse(ref)) or DAY_SECONDS)
        await self._record(company, reading)
        missing = await self._miss(ref, {one.id for one in reading.connections})
        wait = pace(await self._store.companies.pulse(ref))
        return min(wait or DAY_SECONDS, MISSING_SECONDS + 5.0) if missing else wait

    async def look_now(self, ref: CompanyRef, seconds: float) -> None:
        """Reconcile once for everybody who asks at the same time; after so long, go on with what is known."""
        look = self._looks.get(ref)
        if look is None:
            look = self._looks[ref] = asyncio.create_task(self._quiet_look(ref), name=f"look:{ref}")
            look.add_done_callback(lambda _: self._looks.pop(ref, None))
        await asyncio.wait([look], timeout=seconds)

    async def _quiet_look(self, ref: CompanyRef) -> None:
        """One asker at a time, in all processes: the lease of the company's own work decides who that is."""
        await self._store.work.ask(Due(WorkKind.RECONCILE, ref))
        while (work := await self._store.work.claim_one(WorkKind.RECONCILE, ref, LEASE_SECONDS)) is None:
            await self._sleep(_POLL_SECONDS)
            await self._store.work.ask(Due(WorkKind.RECONCILE, ref))  # whoever had it may have ended it for good
        try:
            await self._store.work.done(work, await self.reconcile(ref))
        except MagiclinkError as exc:
            _log.warning("a look at the provider failed: %s; it is repeated in the background", exc.code)
            await self._store.work.failed(work, _POLL_SECONDS)

    async def _miss(self, ref: CompanyRef, listed: set[ConnectionId]) -> bool:
        """Absence from a list proves nothing: only two answers of 404, a minute apart, of a provider that is well, do.

        Answers whether a connection is missed and must be asked for once more.
        """
        absent = [one for one in await self._store.connections.of_company(ref) if one.id not in listed]
        missed = False
        for connection in absent[:_MISSED_AT_ONCE]:
            try:
                gone = await self._answers_404(connection.id)
            except (ProviderBusy, ProviderTimeout, ProviderUnreachable):
                break  # it is not well: the next look asks again
            except ProviderFailure:
                continue  # what cannot be read, or is refused, is no 404
            missed = (gone and await self._missed(connection)) or missed
        return missed

    async def _answers_404(self, connection_id: ConnectionId) -> bool:
        try:
            await self._provider.connection(connection_id)
        except ProviderNotFound:
            await self._provider.ping()
            return True
        return False

    async def _missed(self, connection: Connection) -> bool:
        now = self._clock()
        if connection.missing_at is not None and now - connection.missing_at < MISSING_SECONDS:
            return True
        await self._settle(connection, partial(_gone, now=now))
        return connection.missing_at is None

    async def get(self, tenant: Tenant, connection_id: ConnectionId) -> Recorded:
        """A recorded connection. Raises NotFound."""
        return (await self._recorded([await self._store.connections.get(connection_id, tenant)]))[0]

    async def page(
        self, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
    ) -> list[Recorded]:
        """Newest first."""
        return await self._recorded(await self._store.connections.page(tenant, filters, after, limit))

    async def _recorded(self, found: Sequence[Connection]) -> list[Recorded]:
        places = {ref: await self._store.companies.place(ref) for ref in {one.company for one in found}}
        return [
            Recorded(
                one,
                places[one.company][0],
                [site for site in places[one.company][1] if site.provider_id in one.seen.sites],
            )
            for one in found
        ]

    async def usage(self, tenant: Tenant, connection_id: ConnectionId, filters: Mapping[str, str]) -> Sequence[Any]:
        """The usage as the provider has it now, all pages. Raises NotFound, ProviderFailure."""
        await self._store.connections.get(connection_id, tenant)
        return await self._provider.usage(connection_id, filters)

    async def documents(self, tenant: Tenant, connection_id: ConnectionId) -> Sequence[Any]:
        """The bills as the provider has them now, all pages. Raises NotFound, ProviderFailure."""
        return await self._provider.documents(connection_id, await self._provider_company(tenant, connection_id))

    async def read_documents(self, connection_id: ConnectionId) -> float | None:
        """Tell once of bills that have come; answers in how many seconds to read again."""
        connection = await self._store.connections.get(connection_id)
        if not credentials_work(connection.seen.status):
            return None
        company = await self._store.companies.get(connection.company)
        if company.provider_id is None:
            return None
        count = len(await self._provider.documents(connection_id, company.provider_id))
        owner = connection.verdict.who
        session, user = (owner.session_id, owner.user_id) if owner else (None, None)
        news = News("document.available", session, connection_id, user, {"documents": count})
        told = await self._store.connections.documents(connection_id, count, news)
        age = self._clock() - connection.recorded_at
        return None if told or age > _DOCUMENT_DAYS * DAY_SECONDS else max(3.0, age / 2)

    async def claim(self, tenant: Tenant, connection_id: ConnectionId, session_id: SessionId, by: str) -> Connection:
        """Settle an unattributed connection for a session, `by` the key of this id. Raises AlreadyClaimed, NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        session = await self._store.sessions.get(session_id, tenant)
        if session.company.ref != connection.company:
            raise AlreadyClaimed("This session is of another company than the connection")
        who = Candidate(session.id, session.tenant, session.user_id)
        fact = Fact(FactKind.CLAIMED, connection.id, who.session_id, nonce=self._new_id("clm"), actor=by)
        decide = partial(_claimed, who=who, fact=fact, now=self._clock())
        await self._settle(connection, decide, session.id)
        return await self._store.connections.get(connection_id, tenant)

    async def unclaim(self, tenant: Tenant, connection_id: ConnectionId, by: str) -> Connection:
        """Undo the standing claims, `by` the key of this id; what evidence remains decides. Raises NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        await self._settle(connection, partial(_unclaimed, by=by, now=self._clock()))
        return await self._store.connections.get(connection_id, tenant)

    async def _settle(
        self, connection: Connection, decide: Callable[[Ledger, ConnectionId], Changes], *sessions: SessionId
    ) -> None:
        await self._store.connections.settle(
            connection.company, [connection.id], [], lambda ledger: decide(ledger, connection.id), sessions
        )

    async def _record(self, company: Company, reading: Reading) -> Changes:
        ids = {one.id for one in reading.connections}
        ids |= {one for invitation in reading.invitations for one in invitation.created}
        invitations = {invitation.id for invitation in reading.invitations}
        now = self._clock()
        return await self._store.connections.settle(
            company.ref, ids, invitations, lambda ledger: record(ledger, reading, now)
        )

    async def _provider_company(self, tenant: Tenant, connection_id: ConnectionId) -> ProviderCompanyId:
        company = (await self.get(tenant, connection_id)).company
        if company.provider_id is None:
            raise NotFound
        return company.provider_id


def pace(pulse: Pulse) -> float | None:
    """Seconds until the next look: soon while somebody waits for it, daily for ever where a link was.

    With neither webhook nor callback, a connection is found within 60 s while a page is there and ten minutes after.
    """
    if pulse.just_finished:
        return 3.0
    if pulse.present and (pulse.open_sessions or pulse.undecided):
        return 20.0
    if pulse.undecided:
        return 30.0
    if pulse.open_sessions or pulse.outlived:
        return 600.0
    return DAY_SECONDS if pulse.linked else None


def _gone(ledger: Ledger, connection_id: ConnectionId, *, now: float) -> Changes:
    """The first 404 is noted, the second one believed; owner and history stay."""
    known = ledger.connections[connection_id]
    if known.removed_at is not None or (known.missing_at is not None and now - known.missing_at < MISSING_SECONDS):
        return Changes()  # another process noted it meanwhile
    if known.missing_at is None:
        return Changes(connections=(replace(known, missing_at=now),))
    who = known.verdict.who
    session, user = (who.session_id, who.user_id) if who else (None, None)
    news = [News("connection.removed", session, connection_id, user)]
    if known.verdict.waiting:  # no reading will tell any more of it
        own = sorted(one.session_id for one in known.verdict.candidates if one.tenant == known.tenant)
        news.insert(0, News("connection.ambiguous", None, connection_id, None, {"candidates": own}))
    decided = replace(known.verdict, waiting=False)
    gone = replace(known, removed_at=now, updated_at=now, verdict=decided)
    return Changes(connections=(gone,), events=tuple(news))


def _claimed(ledger: Ledger, connection_id: ConnectionId, *, who: Candidate, fact: Fact, now: float) -> Changes:
    connection = ledger.connections[connection_id]
    if connection.verdict.who == who and not connection.verdict.presumed:
        return Changes()
    refusal = claim_refusal(Facts(ledger, now).history(connection.seen), who)
    if refusal is not None:
        raise AlreadyClaimed(refusal[0].upper() + refusal[1:])
    changes = rejudge(ledger, connection, (fact,), now)
    told = News("connection.updated", who.session_id, connection_id, who.user_id, {"claim": "made", "by": fact.actor})
    return replace(changes, events=(*changes.events, told))


def _unclaimed(ledger: Ledger, connection_id: ConnectionId, *, by: str, now: float) -> Changes:
    undone = {row.fact.nonce for row in ledger.facts if row.fact.kind is FactKind.UNCLAIMED}
    standing = [
        replace(row.fact, kind=FactKind.UNCLAIMED, actor=by)
        for row in ledger.facts
        if row.fact.kind is FactKind.CLAIMED
        and row.fact.connection_id == connection_id
        and row.fact.nonce not in undone
    ]
    if not standing:
        return Changes()
    connection = ledger.connections[connection_id]
    who = connection.verdict.who
    session, user = (who.session_id, who.user_id) if who else (None, None)
    told = News("connection.updated", session, connection_id, user, {"claim": "undone", "by": by})
    changes = rejudge(ledger, connection, tuple(standing), now)
    return replace(changes, events=(told, *changes.events))
