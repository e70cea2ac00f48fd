"""The demo host app: its routes, its policies, and what is shown when something goes wrong."""

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

from service.demo.client import Client, ServiceTrouble
from service.demo.guard import SameOriginWrites, SecurityHeaders, origin_of
from service.demo.pages import Pages, ready, trouble
from service.demo.settings import DemoSettings

TIMEOUT_SECONDS = 20.0


def create_app(settings: DemoSettings, *, http: httpx.AsyncClient | None = None) -> Starlette:
    """`http` is the way to the service; without it the app opens one and closes it at the end."""
    calls = http or httpx.AsyncClient(timeout=TIMEOUT_SECONDS)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        if http is None:
            await calls.aclose()

    return Starlette(
        routes=_routes(Pages(settings, Client(calls, settings.service_url, settings.api_key))),
        middleware=[
            Middleware(SecurityHeaders, service_origin=origin_of(settings.public_service_url)),
            Middleware(SameOriginWrites, own_origin=origin_of(settings.own_url)),
            Middleware(
                SessionMiddleware,
                secret_key=settings.secret,
                session_cookie="meadow",
                same_site="lax",
                https_only=settings.own_url.startswith("https:"),
            ),
        ],
        exception_handlers={ServiceTrouble: _service_trouble, HTTPException: _http_trouble},
        lifespan=lifespan,
    )


def _routes(pages: Pages) -> list[Route | Mount]:
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


async def _service_trouble(request: Request, exc: Exception) -> Response:
    message = exc.message if isinstance(exc, ServiceTrouble) else str(exc)
    return trouble(request, message, 502)


async def _http_trouble(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == 404:
        return trouble(request, "There is nothing at this address.", status, "Not found")
    detail = exc.detail if isinstance(exc, HTTPException) else ""
    return trouble(request, detail, status)
