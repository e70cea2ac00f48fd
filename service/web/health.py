"""Routes for operators: health, readiness and metrics; and the static files."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from service.errors import MagiclinkError
from service.telemetry.metrics import CONTENT_TYPE, Metrics

_STATIC = Path(__file__).parent.parent / "static"


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
        self._streams = streams
        self._metrics = metrics
        self._metrics_key = metrics_key

    def routes(self) -> list[Route | Mount]:
        """Return the table of routes."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/embed.js", self.embed_script),
            Mount("/static", _Static(directory=_STATIC)),
        ]

    async def healthz(self, _request: Request) -> Response:
        """GET /healthz: the process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: the database takes writes too."""
        try:
            await self._check()
        except MagiclinkError as exc:  # a load balancer stops sending requests here until it answers 200 again
            return JSONResponse({"status": "unavailable", "code": exc.code}, 503, {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: for Prometheus, with the metrics key; 404 where the settings have none."""
        if self._metrics_key is None:
            return PlainTextResponse("set MAGICLINK_METRICS_KEY to enable metrics\n", 404)
        given = request.headers.get("authorization", "")
        # In constant time, so that response times do not tell an attacker how much of a guess is right.
        if not hmac.compare_digest(given.encode(), f"Bearer {self._metrics_key}".encode()):
            return PlainTextResponse("a valid metrics key is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        return PlainTextResponse(self._metrics.render(self._streams()), media_type=CONTENT_TYPE)

    async def embed_script(self, _request: Request) -> Response:
        """GET /embed.js: the script that host pages on other sites load."""
        # Cached for five minutes only: hosts load this address for ever, and a mended script must reach their users.
        headers = {
            "Cache-Control": "public, max-age=300",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return FileResponse(_STATIC / "embed.js", media_type="text/javascript", headers=headers)


class _Static(StaticFiles):
    """Static files, with headers that keep browsers from guessing their type."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Return Starlette's answer with our headers."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "public, max-age=300"
        return response
