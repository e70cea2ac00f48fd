"""The door for the provider: signed webhooks, written before they are acknowledged, worked off afterwards."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.errors import MagiclinkError, NotFound
from service.intake import Intake
from service.web.bodies import read_raw
from service.web.problems import HANDLERS


class Hooks:
    """The handler; `enabled` is whether any secret is set, since an empty one would verify anything."""

    def __init__(self, intake: Intake, count: Callable[[str], None], *, enabled: bool) -> None:
        self._count = count
        self._intake = intake
        self._enabled = enabled

    def app(self) -> Starlette:
        """The route."""
        app = Starlette(routes=[Route("/nectar", self.receive, methods=["POST"])], exception_handlers=dict(HANDLERS))
        app.router.redirect_slashes = False
        return app

    async def receive(self, request: Request) -> Response:
        """204 once it is kept; 401, 400, 413 as the case may be; 404 where the route is disabled."""
        if not self._enabled:
            raise NotFound
        try:
            await self._intake.keep(dict(request.headers), await read_raw(request))
        except MagiclinkError as exc:
            self._count(exc.code)
            raise
        self._count("kept")
        return Response(status_code=204)
