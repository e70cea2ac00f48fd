"""ASGI middleware: an id, a log line and metrics for each request. Paths are logged as templates, without tokens."""

import re
from collections.abc import Mapping, Sequence
from random import Random
from time import perf_counter
from typing import Any

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry.access import Answered, log_request
from service.telemetry.logs import request_scope
from service.telemetry.metrics import Metrics
from service.web.audience import AudienceApp, Handlers

# In the scope: what a route that has begun its answer leaves to be continued, a function of `receive` and `send`.
CONTINUES = "magiclink.continues"
_names = Random()  # noqa: S311 - a request id is no secret

# The caller's id is kept, so that its logs can be joined with ours; in this form only, since others could forge lines.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
# The variable parts of a path are tokens, states and ids; a token in a log could be used by a reader of the log.
_WORDS = frozenset(
    (
        *("v1", "sessions", "connections", "events", "revoke", "renew", "reconnect", "claim", "documents", "usage"),
        *("verify", "embed", "connect", "start", "finished", "exit", "heartbeat", "live", "callback", "webhooks"),
        *("another", "nectar", "healthz", "readyz", "metrics", "embed.js", "embed-status.js", "docs", "openapi.json"),
        *("status", "handoff", "webhook-endpoints", "deliveries", "rotate-secret", "test", "replay"),
    )
)
# Only these templates become metric series: an attacker could combine the words above in millions of paths.
_ROUTES = re.compile(
    r"/(v1/(sessions|connections|webhook-endpoints|deliveries)(/\{\}(/[a-z-]+)?)?|v1/(events|verify)"
    r"|(embed|connect)/\{\}(/[a-z]+)?|(live|status|handoff)/\{\}|callback|webhooks/nectar|healthz|readyz|metrics"
    r"|embed(-status)?\.js|docs|openapi\.json)?"
)
_PINNED_SCRIPT = re.compile(r"/(embed|embed-status)-[0-9a-f]+\.js")
# Of an answer that is no page: opened by itself or in a frame, it loads nothing, and nothing may frame it.
_NO_PAGE = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
# A method is any word of the caller's choice: the others are counted together.
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})


class GuardedApp(AudienceApp):
    """An app whose every answer has these headers: also that of an error which no handler expected."""

    def __init__(
        self, always: Mapping[str, str], routes: Sequence[Route | Mount], handlers: Handlers, **options: Any
    ) -> None:
        super().__init__(routes, handlers, **options)
        self._always = always
        self._last_resort = handlers[Exception]

    def build_middleware_stack(self) -> ASGIApp:
        """Return the added middleware inside of ours: the answer to an error in them passes none of them."""
        app: ASGIApp = self.answer
        for cls, args, kwargs in reversed(self.user_middleware):
            app = cls(app, *args, **kwargs)
        return OutsideOfApp(HeadersOfEveryAnswer(ServerErrorMiddleware(app, self._last_resort), self._always))


class OutsideOfApp:
    """The outermost middleware: runs the rest of an answer, such as a stream, once the app inside has returned."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, then what it left to be continued."""
        await self._app(scope, receive, send)
        if (stream := scope.pop(CONTINUES, None)) is not None:
            await stream(receive, send)


class HeadersOfEveryAnswer:
    """Adds headers to every answer of the app that does not have its own."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        always = {**headers, "Content-Security-Policy": _NO_PAGE}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in always.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and add the headers when it begins its answer."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}  # a page has its own policy
                message["headers"] = [*message["headers"], *(each for each in self._headers if each[0] not in own)]
            await send(message)

        await self._app(scope, receive, guarded)


class RequestObserver:
    """Observes every request of the app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Observe HTTP requests; pass other scopes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = _identifier(next((value for key, value in scope["headers"] if key == b"x-request-id"), b""))
        started, status = perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        with request_scope(name):
            try:
                await self._app(scope, receive, observed)
            finally:
                self._record(name, scope, status or 500, perf_counter() - started)

    def _record(self, name: str, scope: Scope, status: int, seconds: float) -> None:
        route = template_of(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request_answered(method, route, status)
        # A stream lasts as long as its page is open, which says nothing about how fast we answer.
        if not route.startswith("/live/"):
            self._metrics.request_timed(route, seconds)
        client = (scope.get("client") or ("",))[0]
        log_request(Answered(method, route, status, seconds, client, name))


def template_of(path: str) -> str:
    """The path with `{}` for every variable part; `other` where there is no such route."""
    parts = path.split("/")[:6]
    if len(parts) > 1 and parts[1] == "static":
        return "/static/{file}" if len(parts) < 4 else "/static/{digest}/{file}"
    if parts[1:3] == ["v1", "users"]:  # an id may have slashes in it
        last = parts[-1] if len(parts) > 4 else ""
        return f"/v1/users/{{}}/{last}" if last in {"export", "status"} else "/v1/users/{}"
    if pinned := _PINNED_SCRIPT.fullmatch(path):
        return f"/{pinned[1]}-{{digest}}.js"
    template = "/".join(part if part in _WORDS or not part else "{}" for part in parts)
    return template if _ROUTES.fullmatch(template) else "other"


def _identifier(given: bytes) -> str:
    return given.decode() if _REQUEST_ID.fullmatch(given) else f"req_{_names.getrandbits(64):016x}"
