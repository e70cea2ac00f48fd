"""Stories of a session's life as the host drives it: create, read, renew, revoke, expire, and what is left of its time.

What a page does with a session is in `handoff.py`; how its link is made, in `links.py`.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import InvalidRequest, Problem
from service.ledger import Changes, NewSession, Place, Repeat, Wanted
from service.model import (
    Clock,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    Event,
    LinkChoice,
    LinkKind,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    Session,
    SessionId,
    SessionStatus,
    Site,
    SiteRef,
    Tenant,
    UserId,
)
from service.provider import Provider
from service.state import PageToken, Result, Signer
from service.store import Store
from service.transitions import expired, renewed, revoked, seconds_left


@dataclass(frozen=True, slots=True)
class Addresses:
    """The two URLs of a session; derived, so that an equal call is answered with equal ones."""

    embed_url: str | None
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Outside:
    """Time and randomness."""

    clock: Clock
    new_id: Callable[[str], str]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Sessions:
    """See the module."""

    def __init__(self, store: Store, signer: Signer, provider: Provider, outside: Outside, public_url: str) -> None:
        self._store = store
        self._signer = signer
        self._provider = provider
        self._clock = outside.clock
        self._new_id = outside.new_id
        self._public_url = public_url

    async def create(self, tenant: Tenant, new: NewSession, wanted: Wanted) -> Session | Mapping[str, Any]:
        """Write it durably; its link is made behind the answer. See `Store.sessions.create` for what comes back.

        Raises InvalidRequest where a reconnect names another user's connection.
        """
        session = await self._reconnect(tenant, new) if new.connection_id else self._connect(tenant, new)
        return await self._store.sessions.create(session, wanted)

    async def begin(self, tenant: Tenant, repeat: Repeat) -> Mapping[str, Any] | None:
        """The answer of an equal earlier call. Raises IdempotencyKeyReused, IdempotencyInProgress."""
        return await self._store.idempotency.begin(tenant, repeat)

    async def answered(self, tenant: Tenant, repeat: Repeat | None, answer: Mapping[str, Any] | None) -> None:
        """Keep the answer for equal calls; None lets the key be tried again."""
        if repeat is not None:
            await self._store.idempotency.keep(tenant, repeat, answer)

    async def get(self, tenant: Tenant, session_id: SessionId) -> tuple[Session, Sequence[Connection]]:
        """A session and its recorded connections. Raises NotFound."""
        return await self._store.sessions.with_connections(session_id, tenant)

    async def page(
        self, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
    ) -> list[tuple[Session, Sequence[Connection]]]:
        """Newest first, each with its connections."""
        sessions = await self._store.sessions.page(tenant, filters, after, limit)
        connections = await self._store.sessions.connections([session.id for session in sessions])
        return [(session, connections[session.id]) for session in sessions]

    async def timeline(self, tenant: Tenant, session_id: SessionId, seq: int, limit: int) -> Sequence[Event]:
        """The session's events after a position, oldest first. Raises NotFound."""
        await self._store.sessions.get(session_id, tenant)
        return await self._store.log.after(seq, limit, tenant, session_id)

    async def events(self, tenant: Tenant, seq: int, limit: int) -> Sequence[Event]:
        """The tenant's events after a position, oldest first."""
        return await self._store.log.after(seq, limit, tenant)

    def verify(self, state: str, tenant: Tenant, user_id: UserId) -> Result:
        """Confirm a result that a browser brought. Raises BadState for another user's, a tampered or an old one."""
        return self._signer.read_result(state, tenant, user_id, self._clock())

    async def revoke(self, tenant: Tenant, session_id: SessionId) -> Session:
        """End it at once; an invitation is withdrawn at the provider too. Again: the same. Raises NotFound."""
        await self._store.sessions.get(session_id, tenant)
        heard_at = self._provider.heard_at()
        return await self._store.sessions.change(session_id, lambda session: revoked(session, self._clock(), heard_at))

    async def renew(self, tenant: Tenant, session_id: SessionId) -> Session:
        """Give it a new URL and its full time again; the old URL works until its own end. Raises SessionClosed."""
        await self._store.sessions.get(session_id, tenant)
        kid = self._signer.newest_key_id
        return await self._store.sessions.change(session_id, lambda session: renewed(session, self._clock(), kid))

    async def expire(self, session_id: SessionId) -> float | None:
        """Its time is over, unless a flow is going on; answers in how many seconds to ask again."""
        later: list[float] = []

        def decide(session: Session) -> Changes | None:
            wait = seconds_left(session, self._clock())
            if wait > 0:
                later.append(wait)
                return None
            return expired(session)

        await self._store.sessions.change(session_id, decide)
        return later[0] if later else None

    def _connect(self, tenant: Tenant, new: NewSession) -> Session:
        company = _company(CompanyRef(self._new_id("cmp")), tenant, new.company)
        sites = tuple(_site(SiteRef(self._new_id("sit")), place) for place in new.sites)
        return self._drafted(tenant, new, company, sites)

    async def _reconnect(self, tenant: Tenant, new: NewSession) -> Session:
        connection_id = new.connection_id or ConnectionId("")
        connection = await self._store.connections.get(connection_id, tenant)
        owner = connection.verdict.who
        if owner is None or owner.user_id != new.user_id:
            raise InvalidRequest([Problem("/connectionId", "this connection is not recorded for this user")])
        company = await self._store.companies.get(connection.company)
        return self._drafted(tenant, new, company, ())

    def _drafted(self, tenant: Tenant, new: NewSession, company: Company, sites: tuple[Site, ...]) -> Session:
        now = self._clock()
        magic = new.link is LinkChoice.MAGIC_LINK
        return Session(
            id=SessionId(self._new_id("ses")),
            tenant=tenant,
            user_id=new.user_id,
            company=company,
            sites=sites,
            mode=Mode.RECONNECT if new.connection_id else Mode.CONNECT,
            status=SessionStatus.CREATED,
            link_choice=new.link,
            link_kind=LinkKind.MAGIC_LINK if magic else LinkKind.INVITATION,  # `auto` tries the exact one first
            link_status=LinkStatus.PENDING,
            created_at=now,
            expires_at=now + new.expires_in,
            serial=1,
            issued_at=int(now),
            key_id=self._signer.newest_key_id,
            origin=new.origin,
            return_url=new.return_url,
            locale=new.locale,
            user_label=new.user_label,
            user_email=new.user_email,
            support_url=new.support_url,
            prefill=new.prefill,
            metadata=new.metadata,
            connection_id=new.connection_id,
        )

    def addresses(self, session: Session) -> Addresses:
        """Derive its URLs: the redirect URL always, the embed URL where somebody may frame it."""
        parts = (session.serial, session.issued_at, session.key_id, session.origin is not None)
        return self.addresses_of(session.id, parts)

    def addresses_of(self, session_id: SessionId, parts: Sequence[Any]) -> Addresses:
        """The same URLs for the same serial, issue time, key id and framing: an equal call is answered equally."""
        serial, issued_at, kid, framed = parts
        token = PageToken(session_id, serial, issued_at)
        embed = f"{self._public_url}/embed/{self._signer.embed_token(token, kid)}"
        connect = f"{self._public_url}/connect/{self._signer.connect_token(token, kid)}"
        return Addresses(embed if framed else None, connect)


def body_digest(body: Any) -> str:
    """One digest for equal JSON, whatever its spelling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _company(ref: CompanyRef, tenant: Tenant, place: Place) -> Company:
    provider_id = ProviderCompanyId(place.id) if place.id else None
    return Company(ref, tenant, place.external_id, place.name, provider_id, None)


def _site(ref: SiteRef, place: Place) -> Site:
    provider_id = ProviderSiteId(place.id) if place.id else None
    return Site(ref, place.external_id, place.name, place.address, provider_id)
