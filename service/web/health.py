"""Routes for operators: health, readiness and metrics; and the static files."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from service.errors import MagiclinkError, NotFound
from service.telemetry.metrics import CONTENT_TYPE, Metrics
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.web.cached import CachedAnswer
from service.web.embed_script import EMBED_SCRIPTS, STATUS_SCRIPTS
from service.web.theme_sheet import sheet_of_file

_STATIC = Path(__file__).parent.parent / "static"
# The machine's own table may have others, and with `nosniff` a browser runs no script of another type.
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


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
        self._files = {path.name: _answer_of(path) for path in _STATIC.iterdir() if path.is_file()}
        self._static_routes = AudienceApp([Route("/{file}", self.static)], HANDLERS)

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
            Mount("/static", self._static_app),  # an app of its own: its files are no part of the described API
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

    async def _static_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._static_routes(scope, receive, send)

    async def static(self, request: Request) -> Response:
        """GET /static/{file}: what our own pages load."""
        # By name among those read at the start: no path from outside ever reaches the file system.
        name = request.path_params["file"]
        found = self._files.get(name) or sheet_of_file(name)
        if found is None:
            raise NotFound
        return found.to(request)


def _answer_of(path: Path) -> CachedAnswer:
    return CachedAnswer(path.read_bytes(), _MEDIA_TYPES[path.suffix])
