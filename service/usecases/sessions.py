"""Sessions as the host uses them: create, read, list, renew, revoke; and their expiry.

What a page does with a session is in `pages`; how its link is made, in `links`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain import session_rules, session_time
from service.domain.changes import Changes
from service.domain.events import Event
from service.domain.model import (
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    ProviderCompanyId,
    ProviderSiteId,
    Session,
    SessionId,
    Site,
    SiteRef,
    Tenant,
    UserRef,
)
from service.domain.requests import CreateOptions, KeptAnswer, KeyLease, PlaceRequest, SessionRequest, new_session
from service.domain.runtime import Runtime
from service.domain.session_summary import SessionSummary
from service.domain.tokens import PageToken
from service.errors import InvalidRequest, Problem
from service.provider import Provider
from service.signing import Signer
from service.store import Store


@dataclass(frozen=True, slots=True)
class SessionUrls:
    """The two URLs of a session; `embed_url` is None where no origin may frame it."""

    embed_url: str | None
    redirect_url: str


# Makes the answer that is stored for equal calls of a session and its connections; None without an Idempotency-Key.
KeepSession = Callable[[Session, Sequence[Connection]], KeptAnswer | None]


class Sessions:
    """A host's calls about sessions, always for one tenant."""

    def __init__(self, store: Store, signer: Signer, provider: Provider, runtime: Runtime, public_url: str) -> None:
        self._store = store
        self._signer = signer
        self._provider = provider
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._public_url = public_url

    async def create(
        self, tenant: Tenant, request: SessionRequest, options: CreateOptions
    ) -> Session | Mapping[str, Any]:
        """Write a session durably and enqueue its link; return it, or the stored answer of an equal earlier call.

        Where that call's process died before it answered, the session that it made is returned.

        Raises InvalidRequest where a reconnect names a connection of another user; NotFound for a connection, a company
        or a site that is unknown to the tenant; IdempotencyKeyReused, IdempotencyInProgress.
        """
        company, sites = await self._places(tenant, request)
        issued = self._clock(), self._signer.newest_key_id
        session_id = SessionId(self._new_id("ses"))
        places = UserRef(self._new_id("usr")), company, sites
        session = new_session(session_id, tenant, request, places, issued)

        def decide(session: Session) -> Changes:
            return session_rules.create(session, options.prepare_in_seconds)

        return await self._store.sessions.create(session, decide, options.key, options.render)

    async def earlier(self, key: KeyLease | None) -> Session | Mapping[str, Any] | None:
        """Return what `create` returns for an equal earlier call, or None: to be asked before anything is checked.

        What a request was checked against may have changed since it was answered. Raises IdempotencyKeyReused,
        IdempotencyInProgress.
        """
        return await self._store.sessions.earlier(key) if key is not None else None

    async def get(self, tenant: Tenant, session_id: SessionId) -> tuple[SessionSummary, Sequence[Connection]]:
        """What is shown of a session, and its connections. Raises NotFound."""
        return await self._store.sessions.summary(session_id, tenant)

    async def list_page(
        self, tenant: Tenant, filters: Mapping[str, str], after: tuple[float, str] | None, limit: int
    ) -> list[tuple[SessionSummary, Sequence[Connection]]]:
        """What is shown of sessions, newest first, each with its connections."""
        return await self._store.sessions.list_page(tenant, filters, after, limit)

    async def timeline(self, tenant: Tenant, session_id: SessionId, seq: int, limit: int) -> Sequence[Event]:
        """The session's events after a position, oldest first. Raises NotFound."""
        await self._store.sessions.get(session_id, tenant)
        return await self._store.events.after(seq, limit, tenant, session_id)

    async def events(self, tenant: Tenant, seq: int, limit: int) -> Sequence[Event]:
        """The tenant's events after a position, oldest first."""
        return await self._store.events.after(seq, limit, tenant)

    async def revoke(
        self, tenant: Tenant, session_id: SessionId, keep: KeepSession = lambda _session, _connections: None
    ) -> tuple[Session, Sequence[Connection]]:
        """End the session at once, and its invitation soon; repeating changes nothing. Raises NotFound."""
        now, provider_now = self._clock(), self._provider.provider_now()
        return await self._store.sessions.change_and_keep(
            session_id, lambda session: session_rules.revoke(session, now, provider_now), tenant, keep
        )

    async def renew(
        self, tenant: Tenant, session_id: SessionId, keep: KeepSession = lambda _session, _connections: None
    ) -> tuple[Session, Sequence[Connection]]:
        """Give it a new URL and its full time again; the old URL works until its own end. Raises SessionClosed."""
        now, key_id = self._clock(), self._signer.newest_key_id
        return await self._store.sessions.change_and_keep(
            session_id, lambda session: session_rules.renew(session, now, key_id), tenant, keep
        )

    async def expire(self, session_id: SessionId) -> float | None:
        """Expire it unless a flow is under way; return in how many seconds to try again, None where it is closed."""
        wait = 0.0

        def decide(session: Session) -> Changes | None:
            nonlocal wait
            wait = session_time.seconds_left(session, self._clock())
            return None if wait > 0 else session_rules.expire(session, self._clock())

        await self._store.sessions.change(session_id, decide)
        return wait if wait > 0 else None

    def urls_of(self, session_id: SessionId, parts: Sequence[Any]) -> SessionUrls:
        """Derive the URLs from serial, issue time, key id and whether it may be framed: equal parts give equal URLs."""
        serial, issued_at, key_id, framed = parts
        token = PageToken(session_id, serial, issued_at)
        embed = f"{self._public_url}/embed/{self._signer.embed_token(token, key_id)}"
        connect = f"{self._public_url}/connect/{self._signer.connect_token(token, key_id)}"
        return SessionUrls(embed if framed else None, connect)

    async def _places(self, tenant: Tenant, request: SessionRequest) -> tuple[Company, tuple[Site, ...]]:
        if request.connection_id is not None:
            return await self._connection_company(tenant, request, request.connection_id), ()
        company = _company(CompanyRef(self._new_id("cmp")), tenant, request.company)
        return company, tuple(_site(SiteRef(self._new_id("sit")), place) for place in request.sites)

    async def _connection_company(
        self, tenant: Tenant, request: SessionRequest, connection_id: ConnectionId
    ) -> Company:
        connection = await self._store.connections.get(connection_id, tenant)
        owner = connection.verdict.owner
        users = await self._store.users.ids([owner.user] if owner is not None else [])
        if owner is None or users.get(owner.user) != request.user_id:
            raise InvalidRequest([Problem("/connectionId", "this connection is not recorded for this user")])
        return await self._store.companies.get(connection.company)


def _company(ref: CompanyRef, tenant: Tenant, place: PlaceRequest) -> Company:
    provider_id = ProviderCompanyId(place.id) if place.id else None
    return Company(ref, tenant, place.external_id, place.name, provider_id, None)


def _site(ref: SiteRef, place: PlaceRequest) -> Site:
    provider_id = ProviderSiteId(place.id) if place.id else None
    return Site(ref, place.external_id, place.name, place.address, provider_id)
