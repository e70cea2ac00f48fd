"""The control API: troubles, time, the log of requests, and a reset.

It is not part of the provider's API: it is for tests and for trying things out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.sandbox.journal import RequestJournal
from service.sandbox.wire import fields
from service.sandbox.wire.answers import add_errors, detail, parse_object
from service.sandbox.wire.browsers import is_cross_site, is_strangers_name
from service.sandbox.wire.enums import STATUSES
from service.sandbox.wire.errors import InvalidFields, RecordMissing
from service.sandbox.world.troubles import SandboxTrouble, read_trouble
from service.sandbox.world.world import SandboxWorld

ADVANCE_MOST_SECONDS = 315_360_000


class SameSiteControl:
    """Middleware that refuses requests of other sites' pages, which a browser sends without asking its user."""

    def __init__(self, app: ASGIApp, own_origin: str) -> None:
        self._app = app
        self._own_origin = own_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to another site's request, whatever its method."""
        app, headers = self._app, Headers(scope=scope)
        if scope["type"] == "http" and is_cross_site(headers, self._own_origin):
            app = detail(403, "Sent from another site.")
        elif scope["type"] == "http" and is_strangers_name(headers, self._own_origin):
            app = detail(403, "Sent to a name that is not the sandbox's; SANDBOX_PUBLIC_URL says which is.")
        await app(scope, receive, send)


def create_control(world: SandboxWorld, journal: RequestJournal) -> Starlette:
    """Create the control API, to be mounted at `/_control`."""
    operations = SandboxControlApi(world, journal)
    control = Starlette(
        middleware=[Middleware(SameSiteControl, own_origin=world.settings.public_url)],
        routes=[
            Route("/reset", operations.reset, methods=["POST"]),
            Route("/requests", operations.requests),
            Route("/time", operations.advance, methods=["POST"]),
            Route("/troubles", operations.list_troubles),
            Route("/troubles/{name}", operations.put_trouble, methods=["PUT"]),
            Route("/troubles/{name}", operations.stop_trouble, methods=["DELETE"]),
            Route("/connections/{connection_id}", operations.set_status, methods=["PUT"]),
            Route("/connections/{connection_id}", operations.remove_connection, methods=["DELETE"]),
        ],
    )
    add_errors(control)
    return control


class SandboxControlApi:
    """The control API's operations, one method each."""

    def __init__(self, world: SandboxWorld, journal: RequestJournal) -> None:
        self._world = world
        self._journal = journal

    async def reset(self, _: Request) -> Response:
        self._world.reset()
        self._journal.clear()
        return Response(status_code=204)

    async def requests(self, _: Request) -> Response:
        return Response(f'{{"requests": [{", ".join(self._journal.entries())}]}}', media_type="application/json")

    async def advance(self, request: Request) -> Response:
        values = fields.read(await _body(request), {"advanceSeconds": _advance}, required=("advanceSeconds",))
        self._world.clock.advance(values["advanceSeconds"])
        self._world.end_due_work()
        return JSONResponse({"now": self._world.clock.time()})

    async def list_troubles(self, _: Request) -> Response:
        return JSONResponse({"troubles": [trouble.as_wire() for trouble in self._world.troubles]})

    async def put_trouble(self, request: Request) -> Response:
        trouble = await self._read_trouble(request)
        self._world.troubles.put(trouble)
        # New connections take the status when they are created; existing ones change now.
        if trouble.name == "status_change":
            self._world.connections.apply_status_trouble(trouble.company_id)
        return JSONResponse(trouble.as_wire())

    async def stop_trouble(self, request: Request) -> Response:
        trouble = read_trouble(request.path_params["name"], await _body(request), starts=False)
        self._world.troubles.remove(trouble.name, trouble.company_id)
        return Response(status_code=204)

    async def set_status(self, request: Request) -> Response:
        """Give one connection a status, as the provider's own check could; a check that has not ended is dropped."""
        values = fields.read(await _body(request), {"status": fields.choice(STATUSES)}, required=("status",))
        connection = self._world.connections.set_status(request.path_params["connection_id"], values["status"])
        return JSONResponse({"id": connection.id, "status": connection.status})

    async def remove_connection(self, request: Request) -> Response:
        self._world.connections.remove(request.path_params["connection_id"])
        return Response(status_code=204)

    async def _read_trouble(self, request: Request) -> SandboxTrouble:
        trouble = read_trouble(request.path_params["name"], await _body(request))
        # A trouble for a misspelled company would never do anything.
        if trouble.company_id is not None:
            try:
                self._world.companies.get(trouble.company_id)
            except RecordMissing:
                raise InvalidFields({"companyId": ["Unknown company."]}) from None
        return trouble


async def _body(request: Request) -> Mapping[str, Any]:
    """Return the fields of the body and of the query string; the body wins, and numbers in the query are numbers."""
    raw = await request.body()
    query = {name: _number(value) for name, value in request.query_params.items()}
    return {**query, **(parse_object(raw) if raw.strip() else {})}


def _number(value: str) -> str | float:
    readers: tuple[Callable[[str], float], ...] = (int, float)
    for reader in readers:
        try:
            return reader(value)
        except ValueError:
            continue
    return value


def _advance(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= ADVANCE_MOST_SECONDS:
        return float(value)
    raise ValueError(f"Must be a number of seconds from 0 to {ADVANCE_MOST_SECONDS}.")
