"""The routes of one user: `/v1/users/{id}`. The id is the host's own: any text, percent-encoded as one path segment."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from service.domain.changes import JobKind
from service.domain.model import Tenant, UserId, UserRef
from service.errors import InvalidRequest, NotFound, Problem
from service.telemetry.load import RequestLoad
from service.urls import framing_problem
from service.usecases.api_keys import ApiKeys
from service.usecases.connections import Connections
from service.usecases.user_status import UserStatuses
from service.usecases.users import Users
from service.web.api.endpoint import api_endpoint
from service.web.api.problems import HANDLERS
from service.web.api.query import query_of
from service.web.api.user_json import export_json, status_json
from service.web.audience import AudienceApp

RunNow = Callable[[JobKind, str, float], Awaitable[None]]
# How long an erasure waits for its job. Whatever is not erased by then, the job erases afterwards.
_ERASURE_SECONDS = 20.0
# As in the body of POST /v1/sessions.
_USER_ID = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


class _EncodedRoute(Route):
    """A route that is matched before the path is decoded: `a%2Fexport` is one segment, an id with a slash in it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path")
        return super().matches(scope if raw is None else {**scope, "path": raw.decode("latin-1")})


@dataclass(frozen=True, slots=True)
class UserUseCases:
    """The use cases that these routes call."""

    users: Users
    connections: Connections
    statuses: UserStatuses


class UserRoutes:
    """`run_now` runs a job at once and waits for it for so many seconds; `load` limits how many calls there are."""

    def __init__(
        self,
        use_cases: UserUseCases,
        keys: ApiKeys,
        run_now: RunNow,
        allowed_origins: Sequence[str],
        load: RequestLoad,
    ) -> None:
        self._load = load
        self._users = use_cases.users
        self._connections = use_cases.connections
        self._statuses = use_cases.statuses
        self._keys = keys
        self._run_now = run_now
        self._allowed_origins = allowed_origins

    def app(self) -> AudienceApp:
        """Build the app that is mounted at `/v1/users`."""
        return AudienceApp(
            [
                _EncodedRoute("/{id}", api_endpoint(self._keys, {"DELETE": self.erase}), methods=["DELETE"]),
                _EncodedRoute("/{id}/export", api_endpoint(self._keys, {"GET": self.export}), methods=["GET"]),
                _EncodedRoute("/{id}/status", api_endpoint(self._keys, {"GET": self.status}), methods=["GET"]),
            ],
            HANDLERS,
            load=self._load,
        )

    async def erase(self, request: Request, tenant: Tenant) -> Response:
        """DELETE /v1/users/{id}."""
        user_id = user_id_of(request)

        async def run_job(user: UserRef) -> None:
            await self._run_now(JobKind.ERASE, user, _ERASURE_SECONDS)

        is_complete = await self._users.erase(tenant, user_id, request.state.key_id, run_job)
        return Response(status_code=204 if is_complete else 202)

    async def export(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/users/{id}/export."""
        query_of(request, set())
        records = await self._users.export(tenant, user_id_of(request), request.state.key_id)
        own = {records.user: records.user_id}
        return JSONResponse(export_json(records, await self._connections.for_export(records.connections, own)))

    async def status(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/users/{id}/status."""
        origin = query_of(request, {"origin"}).get("origin")
        if origin is not None and (wrong := framing_problem(origin, self._allowed_origins)) is not None:
            raise InvalidRequest([Problem("/origin", wrong)])
        user_id = user_id_of(request)
        return JSONResponse(status_json(user_id, await self._statuses.of_user(tenant, user_id, origin)))


def user_id_of(request: Request) -> UserId:
    """The user id in the path, decoded. Raises NotFound for what no user id can be, without a query."""
    try:
        text = unquote_to_bytes(str(request.path_params["id"])).decode()
    except UnicodeDecodeError as exc:
        raise NotFound from exc
    if not _USER_ID.fullmatch(text):
        raise NotFound
    return UserId(text)
