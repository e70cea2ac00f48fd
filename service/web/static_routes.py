"""The routes beneath `/static`: what our own pages load."""

from dataclasses import replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import NotFound
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.web.cached import IMMUTABLE, CachedAnswer
from service.web.static_files import DIGEST, FILES
from service.web.theme_sheet import sheet_of_file

# The machine's own table may have others, and with `nosniff` a browser runs no script of another type.
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class StaticRoutes:
    """The handlers."""

    def __init__(self) -> None:
        self._files = {name: CachedAnswer(content, _MEDIA_TYPES[Path(name).suffix]) for name, content in FILES.items()}
        self._kept = {name: replace(answer, cache=IMMUTABLE) for name, answer in self._files.items()}

    def app(self) -> ASGIApp:
        """Return the app to mount, whose routes are no part of the described API: files are no promise."""
        routes = AudienceApp([Route("/{file}", self.newest), Route("/{digest}/{file}", self.of_version)], HANDLERS)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await routes(scope, receive, send)

        return answer

    async def newest(self, request: Request) -> Response:
        """GET /static/{file}: the sheet of a session's look, or a file for a page of a version before digests."""
        name = request.path_params["file"]
        return _found(self._files.get(name) or sheet_of_file(name)).to(request)

    async def of_version(self, request: Request) -> Response:
        """GET /static/{digest}/{file}: browsers keep it for good.

        A page of another version, as while a deployment is replaced, gets the files of this one. They are not kept,
        since the digest is not theirs.
        """
        found = _found(self._kept.get(request.path_params["file"]))
        if request.path_params["digest"] != DIGEST:
            found = replace(found, cache="no-store")
        return found.to(request)


def _found(answer: CachedAnswer | None) -> CachedAnswer:
    if answer is None:
        raise NotFound
    return answer
