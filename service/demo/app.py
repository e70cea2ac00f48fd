"""The demo as one application: routes, middleware and error pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from service.demo.client import DemoServiceClient, ServiceCallFailed
from service.demo.guard import DemoSameOriginWrites, DemoSecurityHeaders, origin_of
from service.demo.pages import DemoPages, error_answer, ready
from service.demo.settings import DemoSettings

TIMEOUT_SECONDS = 20.0


def create_app(settings: DemoSettings, *, http: httpx.AsyncClient | None = None) -> Starlette:
    """Create the demo; `http` calls the service, and without it the app creates a client and closes it at the end."""
    # The service is on this machine, where a proxy of the environment would not reach it.
    client = http or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        if http is None:
            await client.aclose()

    return Starlette(
        routes=_routes(DemoPages(settings, DemoServiceClient(client, settings.service_url, settings.api_key))),
        middleware=[
            Middleware(DemoSecurityHeaders, service_origin=origin_of(settings.public_service_url)),
            Middleware(DemoSameOriginWrites, own_origin=origin_of(settings.own_url)),
            Middleware(
                SessionMiddleware,
                secret_key=settings.secret,
                session_cookie="meadow",
                # Lax: the cookie must come along when the service redirects back here.
                same_site="lax",
                https_only=settings.own_url.startswith("https:"),
            ),
        ],
        exception_handlers={ServiceCallFailed: _service_failed, HTTPException: _http_error},
        lifespan=lifespan,
    )


def _routes(pages: DemoPages) -> list[Route | Mount]:
    return [
        Route("/", pages.home),
        Route("/readyz", ready),
        Route("/sign-in", pages.sign_in, methods=["POST"]),
        Route("/sign-out", pages.sign_out, methods=["POST"]),
        Route("/utilities", pages.fragment),
        Route("/utilities/connect", pages.connect, methods=["POST"]),
        Route("/utilities/done", pages.done),
        Route("/utilities/{connection_id}/reconnect", pages.reconnect, methods=["POST"]),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


async def _service_failed(request: Request, exc: Exception) -> Response:
    message = exc.message if isinstance(exc, ServiceCallFailed) else str(exc)
    return error_answer(request, message, 502)


async def _http_error(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == 404:
        return error_answer(request, "There is nothing at this address.", status, "Not found")
    detail = exc.detail if isinstance(exc, HTTPException) else ""
    return error_answer(request, detail, status)
