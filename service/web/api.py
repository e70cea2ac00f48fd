"""The door for host backends: `/v1`, JSON, a key on every call, problem documents for every refusal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.connections import Connections
from service.errors import BadState, InvalidRequest, MagiclinkError, Problem, ProviderTimeout
from service.keys import Keys
from service.ledger import NewSession, Repeat, Wanted
from service.links import Links
from service.live import Live, heard
from service.model import Session, SessionId, SessionStatus, Tenant, UserId
from service.sessions import Sessions
from service.settings import Settings
from service.web.bodies import (
    ClaimConnection,
    CreateSession,
    Nothing,
    Reconnect,
    VerifyResult,
    parse,
    read_json,
    read_optional_json,
)
from service.web.once import Once, kept, repeat_of
from service.web.problems import HANDLERS
from service.web.queries import (
    PAGING,
    connection_id_of,
    flag,
    limit_of,
    listed,
    number,
    paging_of,
    position_of,
    query_of,
    renamed,
    session_id_of,
    told,
)
from service.web.render import connection_json, event_json, iso, session_json

_WAIT_MOST = 30
_PREPARE_SECONDS = 45.0  # less than an equal call waits for this one
_NOW_SECONDS = 60.0  # with `prepare: now` the background takes over only if this process dies

Handler = Callable[[Request, Tenant], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Stories:
    """What this door calls."""

    sessions: Sessions
    links: Links
    connections: Connections
    keys: Keys
    live: Live


class Api:
    """The handlers; each is one call of the public face."""

    def __init__(self, stories: Stories, settings: Settings) -> None:
        self._sessions = stories.sessions
        self._links = stories.links
        self._connections = stories.connections
        self._keys = stories.keys
        self._live = stories.live
        self._settings = settings
        self._once = Once(stories.sessions)

    def app(self) -> Starlette:
        """The routes, as a table."""
        routes = [
            ("/sessions", "POST", self.create_session),
            ("/sessions", "GET", self.list_sessions),
            ("/sessions/{id}", "GET", self.get_session),
            ("/sessions/{id}/events", "GET", self.session_events),
            ("/sessions/{id}/revoke", "POST", self.revoke_session),
            ("/sessions/{id}/renew", "POST", self.renew_session),
            ("/connections", "GET", self.list_connections),
            ("/connections/{id}", "GET", self.get_connection),
            ("/connections/{id}/reconnect", "POST", self.reconnect),
            ("/connections/{id}/claim", "POST", self.claim),
            ("/connections/{id}/claim", "DELETE", self.unclaim),
            ("/connections/{id}/documents", "GET", self.documents),
            ("/connections/{id}/usage", "GET", self.usage),
            ("/events", "GET", self.events),
            ("/verify", "POST", self.verify),
        ]
        table: dict[str, dict[str, Handler]] = {}
        for path, method, handler in routes:
            table.setdefault(path, {})[method] = handler
        app = Starlette(
            routes=[Route(path, self._endpoint(by), methods=list(by)) for path, by in table.items()],
            exception_handlers=dict(HANDLERS),
        )
        app.router.redirect_slashes = False  # a key does not travel on by a redirect
        return app

    def _endpoint(self, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            caller = await self._keys.caller_of(request.headers.get("authorization"))
            request.state.key_id = caller.key_id
            method = "GET" if request.method == "HEAD" else request.method
            if method != "GET":
                query_of(request, set())
            response = await handlers[method](request, caller.tenant)
            response.headers["Cache-Control"] = "no-store"
            return response

        return endpoint

    async def create_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions."""
        raw = await read_json(request)
        body: CreateSession = parse(CreateSession, raw)
        new = body.noun(self._settings.link, self._settings.allowed_origins)
        return await self._create(request, tenant, new, raw, now=body.prepare == "now")

    async def reconnect(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/connections/{id}/reconnect."""
        connection_id = connection_id_of(request)
        owner = (await self._connections.get(tenant, connection_id)).connection.verdict.who
        if owner is None:
            raise InvalidRequest(detail="This connection is not attributed to a user; claim it first")
        raw = await read_optional_json(request)
        body: Reconnect = parse(Reconnect, raw)
        new = body.noun(connection_id, owner.user_id, self._settings.link, self._settings.allowed_origins)
        return await self._create(request, tenant, new, raw, now=body.prepare == "now")

    async def list_sessions(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions."""
        query = query_of(request, PAGING | {"userId", "status", "companyId"})
        if query.get("status", "created") not in set(SessionStatus):
            raise InvalidRequest([Problem("/status", "is not a session status")])
        after, limit = paging_of(request)
        filters = renamed(query, {"userId": "user_id", "status": "status", "companyId": "company"})
        found = await self._sessions.page(tenant, filters, after, limit + 1)
        rows = [(session_json(*one), one[0].created_at) for one in found]
        return listed(rows, limit)

    async def get_session(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions/{id}."""
        query_of(request, set())
        return JSONResponse(session_json(*await self._sessions.get(tenant, session_id_of(request))))

    async def session_events(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions/{id}/events."""
        query_of(request, PAGING)
        seq, limit = position_of(request), limit_of(request)
        events = await self._sessions.timeline(tenant, session_id_of(request), seq, limit + 1)
        return told([event_json(event) for event in events], limit, None)

    async def revoke_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions/{id}/revoke."""
        raw = await read_optional_json(request)
        parse(Nothing, raw)

        async def run() -> dict[str, Any]:
            session = await self._sessions.revoke(tenant, session_id_of(request))
            return session_json(*await self._sessions.get(tenant, session.id))

        return await self._once.run(request, tenant, raw, run)

    async def renew_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions/{id}/renew."""
        raw = await read_optional_json(request)
        parse(Nothing, raw)

        async def run() -> dict[str, Any]:
            return kept(await self._sessions.renew(tenant, session_id_of(request)))

        return await self._once.run(request, tenant, raw, run)

    async def list_connections(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections."""
        query = query_of(request, PAGING | {"userId", "companyId", "status", "attributed"})
        names = {"userId": "user_id", "companyId": "company", "status": "status"}
        filters: dict[str, Any] = dict(renamed(query, names))
        if "attributed" in query:
            filters["attributed"] = flag("attributed", query["attributed"])
        after, limit = paging_of(request)
        found = await self._connections.page(tenant, filters, after, limit + 1)
        rows = [(connection_json(one), one.connection.recorded_at) for one in found]
        return listed(rows, limit)

    async def get_connection(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}."""
        query_of(request, set())
        return JSONResponse(connection_json(await self._connections.get(tenant, connection_id_of(request))))

    async def claim(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/connections/{id}/claim."""
        raw = await read_json(request)
        body: ClaimConnection = parse(ClaimConnection, raw)
        connection_id = connection_id_of(request)

        async def run() -> dict[str, Any]:
            await self._connections.claim(tenant, connection_id, SessionId(body.session_id), request.state.key_id)
            return connection_json(await self._connections.get(tenant, connection_id))

        return await self._once.run(request, tenant, raw, run)

    async def unclaim(self, request: Request, tenant: Tenant) -> Response:
        """DELETE /v1/connections/{id}/claim."""
        connection_id = connection_id_of(request)
        await self._connections.unclaim(tenant, connection_id, request.state.key_id)
        return JSONResponse(connection_json(await self._connections.get(tenant, connection_id)))

    async def documents(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}/documents."""
        query_of(request, set())
        return JSONResponse(
            {"data": list(await self._connections.documents(tenant, connection_id_of(request))), "next": None}
        )

    async def usage(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}/usage."""
        filters = query_of(request, {"startDate", "endDate", "dateType", "datasourceType", "identifier"})
        data = await self._connections.usage(tenant, connection_id_of(request), filters)
        return JSONResponse({"data": list(data), "next": None})

    async def events(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/events: at least once, in order; waits for news if asked to."""
        query = query_of(request, PAGING | {"wait"})
        wait = number("wait", query.get("wait", "0"), 0, _WAIT_MOST)
        seq, limit = position_of(request), limit_of(request)
        async with self._live.listen() as bell:
            events = await self._sessions.events(tenant, seq, limit + 1)
            if not events and wait and await heard(bell, wait):
                events = await self._sessions.events(tenant, seq, limit + 1)
        return told([event_json(event) for event in events], limit, str(seq))

    async def verify(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/verify: is this result ours, of this user, and fresh?"""
        body: VerifyResult = parse(VerifyResult, await read_json(request))
        try:
            result = self._sessions.verify(body.state, tenant, UserId(body.user_id))
        except BadState as exc:
            raise InvalidRequest([Problem("/state", exc.detail)]) from exc
        return JSONResponse(
            {
                "valid": True,
                "sessionId": result.session_id,
                "userId": result.user_id,
                "status": result.status,
                "connectionId": result.connection_id,
                "at": iso(result.at),
            }
        )

    async def _create(self, request: Request, tenant: Tenant, new: NewSession, raw: Any, *, now: bool) -> Response:
        repeat = repeat_of(request, raw)
        wanted = Wanted(repeat, None if now else kept, _NOW_SECONDS if now else 0.0)
        made = await self._sessions.create(tenant, new, wanted)
        if not isinstance(made, Session):
            return JSONResponse(self._once.with_urls(dict(made)), 201)
        session = await self._prepared(made, tenant, repeat) if now else made
        return JSONResponse(self._once.with_urls(kept(session)), 201)

    async def _in_time(self, session: Session) -> Session:
        try:
            async with asyncio.timeout(_PREPARE_SECONDS):
                return await self._links.prepare(session.id)
        except TimeoutError as exc:
            raise ProviderTimeout from exc

    async def _prepared(self, session: Session, tenant: Tenant, repeat: Repeat | None) -> Session:
        """Wait for the link; what the provider said no to is closed, and its key may be tried again."""
        try:
            ready = await self._in_time(session)
        except MagiclinkError as exc:
            await self._links.give_up(session.id, exc.code)
            await self._sessions.answered(tenant, repeat, None)
            raise
        await self._sessions.answered(tenant, repeat, kept(ready))
        return ready
