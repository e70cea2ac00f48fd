"""An app for one audience: its routes, and how their errors are answered, in one layer.

Starlette's own app has four layers, each of which passes on every message of the answer, and its router tries one route
after the other. A request to `/v1` went through two such apps: that took as long as its read of the database.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Unavailable
from service.telemetry.load import RequestLoad

# In the scope: the app's RequestLoad, where it has one.
LOAD = "magiclink.load"
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]
# One of them is for `Exception` itself, which is what an error of any other class is answered by.
Handlers = Mapping[type[Exception], ErrorHandler]


class AudienceApp(Starlette):
    """An app whose routes are tried in their order, but only those that the path's first segment can lead to.

    More requests than `load` allows are refused with 503, so that the others are answered before their callers give up.
    It is for an app whose callers have a key: a stranger could send a thousand requests slowly, and so end an app.

    No path is redirected to one with a slash at its end or without: an API key or a token must not travel with it. An
    error that the handler of `Exception` answers is raised again, so that the server logs it.
    """

    def __init__(
        self,
        routes: Sequence[Route | Mount],
        handlers: Handlers,
        *,
        load: RequestLoad | None = None,
        **options: Any,
    ) -> None:
        super().__init__(routes=routes, **options)
        self._handlers = handlers
        self.load = load
        segments = {_first_segment(route) for route in routes} | {None}
        self._routes_by_segment = {
            name: [route for route in routes if _first_segment(route) in {name, None}] for name in segments
        }

    def build_middleware_stack(self) -> ASGIApp:
        """Return the one layer."""
        return self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer of the route, or of the handler of its error."""
        if scope["type"] != "http":
            await self.router(scope, receive, send)
            return
        if self.load is None:
            await self._answer(scope, receive, send)
            return
        if self.load.is_too_high():
            await self._answer(scope, receive, send, is_refused=True)
            return
        scope[LOAD] = self.load
        with self.load.request():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, is_refused: bool = False) -> None:
        request = Request(scope, receive, send)
        try:
            route = _refuse() if is_refused else self._route_of(scope)
            app = route.app if isinstance(route, Mount) else await route.endpoint(request)
        except Exception as exc:
            kind = next(each for each in type(exc).__mro__ if each in self._handlers)
            await (await self._handlers[kind](request, exc))(scope, receive, send)
            if kind is Exception:
                raise
            exc.__traceback__ = None  # an instance that is raised again would collect the tracebacks of all requests
            return
        # Outside of `try`: an answer that has begun cannot become another one.
        await app(scope, receive, send)

    def _route_of(self, scope: Scope) -> Route | Mount:
        """Return the route, and put what it reads from the path into the scope. Raises HTTPException: 404 and 405."""
        _, _, path = scope["path"].removeprefix(scope.get("root_path", "")).partition("/")
        first: str | None = path.partition("/")[0]
        partial: tuple[Route | Mount, Scope] | None = None
        for route in self._routes_by_segment[first if first in self._routes_by_segment else None]:
            match, read = route.matches(scope)
            if match is Match.FULL:
                scope.update(read)
                return route
            if match is Match.PARTIAL and partial is None:
                partial = route, read
        if partial is None:
            raise HTTPException(404)
        route, read = partial
        if isinstance(route, Route):
            raise HTTPException(405, headers={"Allow": ", ".join(route.methods or ())})
        scope.update(read)
        return route


def _refuse() -> NoReturn:
    raise Unavailable("The service has too many requests in progress; retry shortly")


def _first_segment(route: Route | Mount) -> str | None:
    """Return the first segment of the paths that the route matches, None where they differ in it."""
    if not route.path:  # a mount at the root
        return None
    segment = route.path.split("/")[1]
    return None if "{" in segment else segment
