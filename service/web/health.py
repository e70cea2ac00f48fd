"""Routes for operators: health, readiness and metrics; and where the scripts and files are mounted."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from service.errors import MagiclinkError
from service.telemetry.metrics import CONTENT_TYPE, Metrics
from service.web.embed_script import EMBED_SCRIPTS, STATUS_SCRIPTS
from service.web.static_routes import StaticRoutes


class HealthRoutes:
    """The handlers. `check` raises what keeps the service from working; `streams` counts the live streams."""

    def __init__(
        self,
        check: Callable[[], Awaitable[None]],
        streams: Callable[[], int],
        metrics: Metrics,
        metrics_key: str | None,
    ) -> None:
        self._check = check
        self._checking: asyncio.Task[MagiclinkError | None] | None = None
        self._streams = streams
        self._metrics = metrics
        self._metrics_key = metrics_key

    def routes(self) -> list[Route | Mount]:
        """Return the table of routes."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/embed.js", EMBED_SCRIPTS.newest),
            # Before the address of the other script, which would match, too.
            Route("/embed-status.js", STATUS_SCRIPTS.newest),
            Route("/embed-status-{digest}.js", STATUS_SCRIPTS.pinned),
            Route("/embed-{digest}.js", EMBED_SCRIPTS.pinned),
            Mount("/static", StaticRoutes().app()),
        ]

    async def healthz(self, _request: Request) -> Response:
        """GET /healthz: the process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: the database takes writes too."""
        # One check for all that ask at the same time: it needs no key, and each of a stranger's requests would write.
        if self._checking is None:
            self._checking = asyncio.create_task(self._checked(), name="readyz")
        wrong = await asyncio.shield(self._checking)
        if wrong is not None:  # a load balancer stops sending requests here until it answers 200 again
            return JSONResponse({"status": "unavailable", "code": wrong.code}, 503, {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    async def _checked(self) -> MagiclinkError | None:
        try:
            await self._check()
        except MagiclinkError as exc:
            return exc
        finally:
            self._checking = None
        return None

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: for Prometheus, with the metrics key; 404 where the settings have none."""
        if self._metrics_key is None:
            return PlainTextResponse("set MAGICLINK_METRICS_KEY to enable metrics\n", 404)
        given = request.headers.get("authorization", "")
        # In constant time, so that response times do not tell an attacker how much of a guess is right.
        if not hmac.compare_digest(given.encode(), f"Bearer {self._metrics_key}".encode()):
            return PlainTextResponse("a valid metrics key is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        return PlainTextResponse(self._metrics.render(self._streams()), media_type=CONTENT_TYPE)
