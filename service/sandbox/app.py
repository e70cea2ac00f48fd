"""The sandbox as one application. Run it with `date_header=False`: its answers carry the date of its own clock."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from service.sandbox.api.documents import file_routes
from service.sandbox.api.operations import VERSIONS, create_api
from service.sandbox.control import create_control
from service.sandbox.dashboard.pages import dashboard_routes
from service.sandbox.deliveries import TIMEOUT_SECONDS, SandboxDeliveries, Sleep
from service.sandbox.gate import SandboxApiGate, SandboxGate
from service.sandbox.hosted.pages import hosted_routes
from service.sandbox.journal import RequestJournal
from service.sandbox.settings import SandboxSettings
from service.sandbox.wire.answers import add_errors
from service.sandbox.world.world import SandboxWorld


def create_app(
    settings: SandboxSettings,
    *,
    clock: Callable[[], float] = time.time,  # noqa: TID251 - where the sandbox is composed
    http: httpx.AsyncClient | None = None,
    sleep: Sleep = anyio.sleep,
) -> Starlette:
    """Create the application; `http` sends its webhooks, and is closed with it.

    Its lifespan sends the webhooks. `state.world` and `state.deliveries` are for callers in the same process.
    """
    world = SandboxWorld(settings, clock)
    # The receiver is on this machine, where a proxy of the environment would not reach it.
    client = http or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
    deliveries = SandboxDeliveries(world, client)
    journal = RequestJournal()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(deliveries.run, sleep)
            yield
            group.cancel_scope.cancel()
        await client.aclose()
        world.close()

    app = Starlette(
        routes=_routes(world, journal, sleep),
        middleware=[Middleware(SandboxGate, world, deliveries, journal)],
        lifespan=lifespan,
    )
    # Addresses of the API have no trailing slash; with one they are 404, not a redirect.
    app.router.redirect_slashes = False
    add_errors(app)
    app.state.world, app.state.deliveries = world, deliveries
    return app


def _routes(world: SandboxWorld, journal: RequestJournal, sleep: Sleep) -> list[BaseRoute]:
    api = SandboxApiGate(create_api(world), world, sleep)
    return [
        *(Mount(f"/{version}", api) for version in VERSIONS),
        Mount("/_control", create_control(world, journal)),
        *file_routes(world),
        *hosted_routes(world),
        *dashboard_routes(world),
        Route("/healthz", _healthy),
        Route("/readyz", _healthy),
    ]


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
