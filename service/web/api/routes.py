"""The routes for host backends: `/v1`, JSON, an API key on every call, a problem document for every refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.domain.model import Connection, Session, SessionId, Tenant
from service.domain.requests import KeptAnswer, KeyLease, SessionRequest
from service.domain.session_status import SessionStatus
from service.domain.statuses import ConnectionState
from service.errors import InvalidRequest, Problem
from service.pubsub import PubSub
from service.settings import Settings
from service.telemetry.load import RequestLoad
from service.usecases.api_keys import ApiKeys
from service.usecases.bills import Bills
from service.usecases.claims import Claims
from service.usecases.connections import Connections
from service.usecases.idempotency import IdempotentCalls
from service.usecases.links import Links
from service.usecases.results import Results
from service.usecases.sessions import Sessions
from service.usecases.webhooks_out import OutgoingWebhooks
from service.web.api.answers import ConnectionListJson, ProviderListJson, SessionListJson
from service.web.api.bodies import ClaimConnection, CreateSession, NoFields, Reconnect
from service.web.api.creation import SessionCreation
from service.web.api.endpoint import Handler, api_endpoint
from service.web.api.endpoint_routes import EndpointRoutes
from service.web.api.event_routes import EventRoutes
from service.web.api.idempotency import (
    Answer,
    IdempotentRoutes,
    Rendering,
    kept_answer,
    stored_answer,
)
from service.web.api.json import connection_json, session_json
from service.web.api.problems import HANDLERS
from service.web.api.query import (
    PAGING,
    connection_id_of,
    document_cursor,
    document_place_of,
    event_page,
    flag,
    limit_of,
    next_cursor,
    paging_of,
    position_of,
    query_of,
    renamed,
    session_id_of,
    values_of,
)
from service.web.api.result_routes import ResultRoutes
from service.web.audience import AudienceApp
from service.web.request_body import parse, read_json, read_optional_json

# Stored with a claim until its answer has been read. If the process dies before that, an equal call reads the answer.
_CLAIMED = {"_claimed": True}


@dataclass(frozen=True, slots=True)
class ApiUseCases:
    """The use cases that these routes call, and where they wait for events."""

    sessions: Sessions
    results: Results
    links: Links
    connections: Connections
    claims: Claims
    bills: Bills
    webhooks: OutgoingWebhooks
    keys: ApiKeys
    idempotent: IdempotentCalls
    pubsub: PubSub


class ApiRoutes:
    """The handlers; each is one call of the API. `load` limits how many there are at once."""

    def __init__(self, use_cases: ApiUseCases, settings: Settings, load: RequestLoad) -> None:
        self._load = load
        self._sessions = use_cases.sessions
        self._connections = use_cases.connections
        self._claims = use_cases.claims
        self._bills = use_cases.bills
        self._keys = use_cases.keys
        self._settings = settings
        self._idempotent = IdempotentRoutes(use_cases.idempotent, use_cases.sessions)
        self._creation = SessionCreation(
            use_cases.idempotent, use_cases.sessions, use_cases.links, self._idempotent, load
        )
        self._events = EventRoutes(use_cases.sessions, use_cases.pubsub, load)
        self._results = ResultRoutes(use_cases.results)
        self._endpoints = EndpointRoutes(use_cases.webhooks, self._idempotent)

    def app(self) -> AudienceApp:
        """Build the app from the table of routes."""
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
            ("/events", "GET", self._events.events),
            ("/verify", "POST", self._results.verify),
            *self._endpoints.table(),
        ]
        table: dict[str, dict[str, Handler]] = {}
        for path, method, handler in routes:
            table.setdefault(path, {})[method] = handler
        found = [Route(path, api_endpoint(self._keys, by), methods=list(by)) for path, by in table.items()]
        return AudienceApp(found, HANDLERS, load=self._load)

    async def create_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions."""
        raw = await read_json(request)
        body: CreateSession = parse(CreateSession, raw)

        async def wanted() -> SessionRequest:
            made = body.to_request(self._settings.link, self._settings.allowed_origins)
            return await self._endpoints.with_own_address(tenant, made)

        return await self._creation.run(request, tenant, raw, wanted, now=body.prepare == "now")

    async def reconnect(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/connections/{id}/reconnect."""
        connection_id = connection_id_of(request)
        raw = await read_optional_json(request)
        body: Reconnect = parse(Reconnect, raw)

        async def wanted() -> SessionRequest:
            # The session is for the connection's owner, whom the body cannot name: a reconnect never changes the owner.
            user_id = (await self._connections.get(tenant, connection_id)).user_id
            if user_id is None:
                raise InvalidRequest(detail="This connection has no user: claim it first, unless its user was erased")
            made = body.to_request(connection_id, user_id, self._settings.link, self._settings.allowed_origins)
            return await self._endpoints.with_own_address(tenant, made)

        return await self._creation.run(request, tenant, raw, wanted, now=body.prepare == "now")

    async def list_sessions(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions."""
        query = query_of(request, PAGING | {"userId", "status", "companyId"})
        if query.get("status", "created") not in set(SessionStatus):
            raise InvalidRequest([Problem("/status", "is not a session status")])
        after, limit = paging_of(request)
        filters = renamed(query, {"userId": "user_id", "status": "status", "companyId": "company"})
        found = await self._sessions.list_page(tenant, filters, after, limit + 1)
        following = next_cursor([(session.id, session.created_at) for session, _ in found], limit)
        page: SessionListJson = {"data": [session_json(*one) for one in found[:limit]], "next": following}
        return JSONResponse(page)

    async def get_session(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions/{id}."""
        query_of(request, set())
        return JSONResponse(session_json(*await self._sessions.get(tenant, session_id_of(request))))

    async def session_events(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/sessions/{id}/events."""
        query_of(request, PAGING)
        seq, limit = position_of(request), limit_of(request)
        events = await self._sessions.timeline(tenant, session_id_of(request), seq, limit + 1)
        return JSONResponse(event_page(events, limit, None))

    async def revoke_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions/{id}/revoke."""
        raw = await read_optional_json(request)
        parse(NoFields, raw)

        async def run(key: KeyLease | None) -> Answer:
            def keep(session: Session, connections: Sequence[Connection]) -> KeptAnswer | None:
                return kept_answer(key, session_json(session, connections))

            return session_json(*await self._sessions.revoke(tenant, session_id_of(request), keep))

        return await self._idempotent.run(request, tenant, raw, run)

    async def renew_session(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/sessions/{id}/renew."""
        raw = await read_optional_json(request)
        parse(NoFields, raw)

        async def run(key: KeyLease | None) -> Answer:
            def keep(session: Session, connections: Sequence[Connection]) -> KeptAnswer | None:
                return kept_answer(key, stored_answer(session, connections))

            return stored_answer(*await self._sessions.renew(tenant, session_id_of(request), keep))

        return await self._idempotent.run(request, tenant, raw, run)

    async def list_connections(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections."""
        query = query_of(request, PAGING | {"userId", "companyId", "status", "state", "attributed"})
        if query.get("state", "checking") not in set(ConnectionState):
            raise InvalidRequest([Problem("/state", "is not a connection state")])
        names = {"userId": "user_id", "companyId": "company", "status": "status", "state": "state"}
        filters: dict[str, Any] = dict(renamed(query, names))
        if "attributed" in query:
            filters["attributed"] = flag("attributed", query["attributed"])
        after, limit = paging_of(request)
        found = await self._connections.list_page(tenant, filters, after, limit + 1)
        following = next_cursor([(one.connection.id, one.connection.recorded_at) for one in found], limit)
        return JSONResponse(ConnectionListJson(data=[connection_json(one) for one in found[:limit]], next=following))

    async def get_connection(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}."""
        query_of(request, set())
        return JSONResponse(connection_json(await self._connections.get(tenant, connection_id_of(request))))

    async def claim(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/connections/{id}/claim."""
        raw = await read_json(request)
        body: ClaimConnection = parse(ClaimConnection, raw)
        connection_id = connection_id_of(request)

        async def read() -> Answer:
            return connection_json(await self._connections.get(tenant, connection_id))

        async def whole(stored: Answer) -> Answer:
            return await read() if stored == _CLAIMED else stored

        async def run(key: KeyLease | None) -> Answer:
            kept = kept_answer(key, _CLAIMED, is_partial=True)
            await self._claims.claim(tenant, connection_id, SessionId(body.session_id), request.state.key_id, kept)
            return await read()

        return await self._idempotent.run(request, tenant, raw, run, Rendering(complete=whole))

    async def unclaim(self, request: Request, tenant: Tenant) -> Response:
        """DELETE /v1/connections/{id}/claim."""
        connection_id = connection_id_of(request)
        await self._claims.undo(tenant, connection_id, request.state.key_id)
        return JSONResponse(connection_json(await self._connections.get(tenant, connection_id)))

    async def documents(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}/documents."""
        query_of(request, PAGING)
        place, limit = document_place_of(request), limit_of(request)
        with self._load.waiting():
            data, following = await self._bills.documents(tenant, connection_id_of(request), place, limit)
        return JSONResponse(ProviderListJson(data=list(data), next=document_cursor(following)))

    async def usage(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/connections/{id}/usage."""
        known = {"startDate", "endDate", "dateType", "datasourceType", "identifier"}
        filters: dict[str, str | list[str]] = dict(query_of(request, known, repeatable={"datasourceType"}))
        if "datasourceType" in filters:
            filters["datasourceType"] = values_of(request, "datasourceType")
        with self._load.waiting():
            data = await self._bills.usage(tenant, connection_id_of(request), filters)
        return JSONResponse(ProviderListJson(data=list(data), next=None))
