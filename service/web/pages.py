"""The door for people: the embeddable page, the redirect flow and the way back.

Two flows share one set of verbs (`steps.py`). In the frame the page key lives in the page's memory; in the redirect
flow a first-party cookie carries it. A GET never starts, spends or reveals anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from service.connections import Connections
from service.errors import AlreadyOpen, MagiclinkError, MethodNotAllowed, NotFound
from service.handoff import Handoff
from service.model import Session, SessionStatus
from service.web.bodies import StartPage, parse, read_json
from service.web.contexts import ElsewherePage, HandoverPage
from service.web.faces import Faces, still_open
from service.web.forms import page_cookie, page_key_of, read_form, set_page_cookie
from service.web.headers import Frame, is_framed, is_top_level, wants_json
from service.web.problems import problem
from service.web.steps import Steps

_LOOK_SECONDS = 4.0  # how long the way back waits for the provider before it goes on with what is known


@dataclass(frozen=True, slots=True)
class Stories:
    """What this door calls."""

    handoff: Handoff
    connections: Connections


class Pages:
    """The handlers."""

    def __init__(self, stories: Stories, faces: Faces, steps: Steps) -> None:
        self._handoff = stories.handoff
        self._connections = stories.connections
        self._faces = faces
        self._steps = steps

    def app(self) -> Starlette:
        """The routes, as a table."""
        routes = [
            Route("/embed/{token}", self.embed),
            Route("/connect/{token}", self.connect),
            Route("/connect/{token}/start", self.start, methods=["POST"]),
            Route("/callback", self.way_back, methods=["GET", "POST"]),
            *self._steps.routes(),
        ]
        handlers: Mapping[Any, Any] = {
            MagiclinkError: self._on_error,
            HTTPException: self._on_http_error,
            Exception: self._on_error,
        }
        app = Starlette(routes=routes, exception_handlers=dict(handlers))
        app.router.redirect_slashes = False  # a token does not travel on by a redirect
        return app

    async def embed(self, request: Request) -> Response:
        """GET /embed/{token}: the page for a frame. Opened by itself it says only where to go."""
        if is_top_level(request):
            return self._faces.render(ElsewherePage(), Frame())
        opening = await self._handoff.by_embed_token(request.path_params["token"])
        return self._faces.embed(request, opening.session, opening.closed.status if opening.closed else 200)

    async def connect(self, request: Request) -> Response:
        """GET /connect/{token}: one button; for the page that pressed it, the flow."""
        opening = await self._handoff.by_connect_token(request.path_params["token"])
        session = opening.session
        if opening.closed is not None:
            return self._faces.closed(await self._handoff.outcome(session.id), opening.closed)
        key = page_cookie(request, session.id, secure=self._faces.secure)
        if key is None or not self._handoff.holds(session, key):
            return self._faces.first(request, session)
        return self._faces.open(request, await self._handoff.standing(session.id, key))

    async def start(self, request: Request) -> Response:
        """POST /connect/{token}/start: the button. Another page's session asks first whether to take over."""
        self._faces.refuse_cross_site(request)
        opening = await self._handoff.by_connect_token(request.path_params["token"])
        json, session = wants_json(request), opening.session
        self._steps.limits.take(session.id)
        if opening.closed is not None and not json:
            return self._faces.closed(await self._handoff.outcome(session.id), opening.closed)
        still_open(opening)
        form = {} if json else await read_form(request)
        take_over = parse(StartPage, await read_json(request)).take_over if json else form.get("takeOver") == "true"
        try:
            key = page_cookie(request, session.id, secure=self._faces.secure)
            started = await self._handoff.start(session, key, take_over=take_over, silent=not json)
        except AlreadyOpen:
            if json:
                raise
            return self._faces.confirm(session, "takeover", request.url.path, {"takeOver": "true"}, 409)
        response: Response = RedirectResponse(request.url.path.removesuffix("/start"), 303)
        if json:
            response = self._faces.started(started, done=True)
        return self._with_cookie(response, session, started.page_key)

    async def way_back(self, request: Request) -> Response:
        """One route, so that whoever comes with another method is told of both."""
        return await (self.confirmed if request.method == "POST" else self.callback)(request)

    async def callback(self, request: Request) -> Response:
        """GET /callback: the way back. What came through a browser is a reason to look, and never evidence."""
        state = request.query_params.get("state", "")
        session = await self._handoff.by_state(state)
        self._steps.limits.take(session.id)  # every way back is a look at the provider
        if is_framed(request):
            await self._handoff.look(session)
            ancestors = ("'self'", session.origin) if session.origin else ("'self'",)
            return self._faces.render(HandoverPage(session_id=session.id), Frame(ancestors))
        key = page_key_of(request, session.id, secure=self._faces.secure)
        if key is None or not self._handoff.holds(session, key):
            await self._handoff.look(session)
            return self._faces.confirm(session, "callback", "/callback", {"state": state}, 200)
        return await self._returned(session, key)

    async def confirmed(self, request: Request) -> Response:
        """POST /callback: the person confirmed, in a browser that could not show that it is the page which started."""
        self._faces.refuse_cross_site(request)
        session = await self._handoff.by_state((await read_form(request)).get("state", ""))
        self._steps.limits.take(session.id)
        if session.closed or session.status is SessionStatus.CONNECTED:
            return self._faces.onward(await self._handoff.outcome(session.id))
        started = await self._handoff.start(session, None, take_over=True, silent=True)
        return self._with_cookie(await self._returned(session, started.page_key), session, started.page_key)

    async def _returned(self, session: Session, key: str) -> Response:
        if not session.closed:
            await self._handoff.finished(session.id, key)
        await self._connections.look_now(session.company.ref, _LOOK_SECONDS)
        return self._faces.onward(await self._handoff.outcome(session.id))

    def _with_cookie(self, response: Response, session: Session, key: str) -> Response:
        set_page_cookie(response, session, key, secure=self._faces.secure)
        return response

    async def _on_error(self, request: Request, exc: Exception) -> Response:
        error = exc if isinstance(exc, MagiclinkError) else MagiclinkError()
        if _by_script(request) or (request.url.path.startswith("/embed/") and request.method == "POST"):
            return problem(error)
        return self._faces.error(error)

    async def _on_http_error(self, request: Request, exc: Exception) -> Response:
        known = isinstance(exc, HTTPException) and exc.status_code == 405
        response = await self._on_error(request, MethodNotAllowed() if known else NotFound())
        for name, value in (getattr(exc, "headers", None) or {}).items():
            response.headers[name] = value
        return response


def _by_script(request: Request) -> bool:
    """Our own script asks for JSON or sends it; a person's form or address gets a page."""
    sends = request.headers.get("content-type", "").startswith("application/json")
    return sends or wants_json(request) or request.url.path.startswith("/live/")
