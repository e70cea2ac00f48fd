"""Stories of connections: look at the provider and record, take in a webhook, settle a claim, read bills and usage."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from service.attribution import claim_refusal
from service.errors import (
    AlreadyClaimed,
    BadBody,
    InvalidRequest,
    MagiclinkError,
    NotFound,
    Problem,
    ProviderNotFound,
    ProviderRefused,
)
from service.history import history_of
from service.inbound import News as Message
from service.inbound import read as read_message
from service.inbound import verify
from service.ledger import Changes, Due, Fact, FactKind, Ledger, News, WorkKind
from service.model import (
    Candidate,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    ProviderCompanyId,
    Reading,
    Session,
    SessionId,
    Tenant,
)
from service.provider import Provider
from service.recording import record, rejudge
from service.sessions import Outside
from service.statuses import credentials_work
from service.store import Store
from service.store.companies import Pulse

_log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
# How far apart the two reads are that prove a connection to be gone.
MISSING_SECONDS = 60.0
LEASE_SECONDS = 90.0
_POLL_SECONDS = 0.05
_MISSED_AT_ONCE = 5
_ACCOUNT = "default"  # the provider account that a webhook's secret stands for
# Sample bills come within half a minute, real ones within days; after that the provider's events tell of them.
_DOCUMENT_DAYS = 4


class Connections:
    """See the module."""

    def __init__(self, store: Store, provider: Provider, outside: Outside, webhook_secrets: Sequence[str]) -> None:
        self._store = store
        self._provider = provider
        self._clock = outside.clock
        self._new_id = outside.new_id
        self._sleep = outside.sleep
        self._webhook_secrets = webhook_secrets
        self._looks: dict[CompanyRef, asyncio.Task[None]] = {}

    async def reconcile(self, ref: CompanyRef) -> float | None:
        """Read the company at the provider, record what is there, and answer in how many seconds to look again."""
        try:
            company = await self._store.companies.get(ref)
        except NotFound:
            return None  # merged into another row, which has its own look
        if company.provider_id is None:
            return None
        try:
            reading = await self._provider.read(company.provider_id)
        except ProviderRefused as exc:
            _log.warning("the provider refuses to list company %s: %s", ref, exc.detail)
            return DAY_SECONDS
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
                await self._provider.connection(connection.id)
            except ProviderNotFound:
                await self._provider.ping()
                missed = await self._missed(connection) or missed
        return missed

    async def _missed(self, connection: Connection) -> bool:
        now = self._clock()
        if connection.missing_at is not None and now - connection.missing_at < MISSING_SECONDS:
            return True
        await self._settle(connection, partial(_gone, now=now))
        return connection.missing_at is None

    async def keep(self, headers: Mapping[str, str], body: bytes) -> None:
        """Verify a webhook and write it, once per message, before it is acknowledged. Raises BadWebhook."""
        message = verify(self._webhook_secrets, headers, body, self._clock())
        read_message(body)
        await self._store.inbox.put(_ACCOUNT, message.id, body.decode())

    async def take_in(self, letter_id: str) -> None:
        """Work off one webhook: it says where to look, and the look says what is true."""
        letter = await self._store.inbox.get(letter_id)
        try:
            message = read_message(letter.body.encode())
        except BadBody:
            await self._store.inbox.done(letter_id)
            return
        ref = await self._company_of(message)
        if ref is not None:
            await self._store.work.ask(*await self._asked_by(message, ref))
        await self._store.inbox.done(letter_id)

    async def get(self, tenant: Tenant, connection_id: ConnectionId) -> tuple[Connection, Company]:
        """A recorded connection with its company. Raises NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        return connection, await self._store.companies.get(connection.company)

    async def page(
        self, tenant: Tenant, filters: Mapping[str, Any], after: tuple[float, str] | None, limit: int
    ) -> list[tuple[Connection, Company]]:
        """Newest first."""
        found = await self._store.connections.page(tenant, filters, after, limit)
        companies = {ref: await self._store.companies.get(ref) for ref in {one.company for one in found}}
        return [(connection, companies[connection.company]) for connection in found]

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

    async def claim(self, tenant: Tenant, connection_id: ConnectionId, session_id: SessionId) -> Connection:
        """Settle an unattributed connection for a session. Raises AlreadyClaimed, InvalidRequest, NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        session = await self._store.sessions.get(session_id, tenant)
        if session.company.ref != connection.company:
            raise InvalidRequest([Problem("/sessionId", "this session is of another company")])
        await self._settle(connection, partial(_claimed, session=session, nonce=self._new_id("clm"), now=self._clock()))
        return await self._store.connections.get(connection_id, tenant)

    async def unclaim(self, tenant: Tenant, connection_id: ConnectionId) -> Connection:
        """Undo the standing claims; what evidence remains decides. Raises NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        await self._settle(connection, partial(_unclaimed, now=self._clock()))
        return await self._store.connections.get(connection_id, tenant)

    async def _settle(self, connection: Connection, decide: Callable[[Ledger, ConnectionId], Changes]) -> None:
        await self._store.connections.settle(
            connection.company, [connection.id], [], lambda ledger: decide(ledger, connection.id)
        )

    async def _record(self, company: Company, reading: Reading) -> Changes:
        ids = {one.id for one in reading.connections}
        ids |= {one for invitation in reading.invitations for one in invitation.created}
        invitations = {invitation.id for invitation in reading.invitations}
        now = self._clock()
        return await self._store.connections.settle(
            company.ref, ids, invitations, lambda ledger: record(ledger, reading, now)
        )

    async def _company_of(self, message: Message) -> CompanyRef | None:
        """Where to look; None for a company that is not ours, which is parked and shown to nobody."""
        if message.company_id:
            company = await self._store.companies.by_provider_id(ProviderCompanyId(message.company_id))
            return company.ref if company else None
        if not message.type.startswith("connection.") or not message.id:
            return None
        try:
            return (await self._store.connections.get(ConnectionId(message.id))).company
        except NotFound:
            return await self._asked_company(ConnectionId(message.id))

    async def _asked_company(self, connection_id: ConnectionId) -> CompanyRef | None:
        try:
            seen = await self._provider.connection(connection_id)
        except ProviderNotFound:
            return None
        company = await self._store.companies.by_provider_id(seen.company_id) if seen.company_id else None
        return company.ref if company else None

    async def _asked_by(self, message: Message, ref: CompanyRef) -> list[Due]:
        if not message.type.startswith("document."):
            return [Due(WorkKind.RECONCILE, ref)]
        # A document event names no connection: the company's connections are read, each at most once at a time.
        return [Due(WorkKind.DOCUMENTS, one.id) for one in await self._store.connections.of_company(ref)]

    async def _provider_company(self, tenant: Tenant, connection_id: ConnectionId) -> ProviderCompanyId:
        _, company = await self.get(tenant, connection_id)
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
    if pulse.open_sessions:
        return 600.0
    return DAY_SECONDS if pulse.linked else None


def _gone(ledger: Ledger, connection_id: ConnectionId, *, now: float) -> Changes:
    """The first 404 is noted, the second one believed; owner and history stay."""
    known = ledger.connections[connection_id]
    if known.missing_at is None:
        return Changes(connections=(replace(known, missing_at=now),))
    who = known.verdict.who
    session, user = (who.session_id, who.user_id) if who else (None, None)
    news = News("connection.removed", session, connection_id, user)
    return Changes(connections=(replace(known, removed_at=now, updated_at=now),), events=(news,))


def _claimed(ledger: Ledger, connection_id: ConnectionId, *, session: Session, nonce: str, now: float) -> Changes:
    connection = ledger.connections[connection_id]
    who = Candidate(session.id, session.tenant, session.user_id)
    if connection.verdict.who == who:
        return Changes()
    refusal = claim_refusal(history_of(ledger, (), connection.seen, now), who)
    if refusal is not None:
        raise AlreadyClaimed(refusal[0].upper() + refusal[1:])
    known = replace(ledger, sessions={**ledger.sessions, session.id: session})
    return rejudge(known, connection, (Fact(FactKind.CLAIMED, connection_id, session.id, nonce=nonce),), now)


def _unclaimed(ledger: Ledger, connection_id: ConnectionId, *, now: float) -> Changes:
    undone = tuple(
        Fact(FactKind.UNCLAIMED, connection_id, row.fact.session_id, nonce=row.fact.nonce)
        for row in ledger.facts
        if row.fact.kind is FactKind.CLAIMED and row.fact.connection_id == connection_id
    )
    return rejudge(ledger, ledger.connections[connection_id], undone, now) if undone else Changes()
