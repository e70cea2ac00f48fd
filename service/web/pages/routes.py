"""The routes for end users: the embeddable page, the redirect flow, and the callback that both end with.

`flow_routes` has the routes that both flows share. In the frame the page key is in the page's memory; in the redirect
flow a first-party cookie carries it. A GET never starts or reveals anything: mail scanners load every URL they see.
"""

import re
from contextlib import suppress
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.types import Scope

from service.domain.model import Mode, Session
from service.domain.page_starts import PageStart, ResumeKeeper
from service.domain.timing import CALLBACK_POLL_SECONDS
from service.errors import (
    AlreadyOpen,
    BadState,
    Expired,
    InvalidRequest,
    MagiclinkError,
    MethodNotAllowed,
    NotFound,
    Revoked,
    SessionClosed,
)
from service.usecases.pages import Pages
from service.web.api.problems import problem
from service.web.audience import AudienceApp
from service.web.headers import FramePolicy, is_framed, is_top_level, wants_json
from service.web.pages.bodies import StartPage
from service.web.pages.brand import brand_of, framers_of
from service.web.pages.contexts import ElsewherePage, HandoverPage
from service.web.pages.cookies import page_cookie, read_form, set_page_cookie
from service.web.pages.flow_routes import FlowRoutes
from service.web.pages.handoff_routes import HandoffRoutes
from service.web.pages.noted_session import note_session, noted_session
from service.web.pages.responses import PageResponses, require_open, token_of
from service.web.pages.status_routes import StatusRoutes
from service.web.parameters import query_fields
from service.web.request_body import MAX_PAGE_BODY_BYTES, parse, read_json
from service.web.request_language import page_language

_CLOSED = (Expired, Revoked, SessionClosed)
_FRAMED_PAGE = re.compile(r"/(embed|status)/[^/]+")


class PagesMount(Mount):
    """Mounts the pages where nothing else answers, so that a wrong method of another route is 405 and not 404 here."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match in part only: Starlette's router prefers the first route with the path, whatever its methods."""
        match, child_scope = super().matches(scope)
        return (Match.PARTIAL if match is Match.FULL else match), child_scope


class PageRoutes:
    """The handlers of both flows."""

    def __init__(self, pages: Pages, responses: PageResponses, flow: FlowRoutes, status: StatusRoutes) -> None:
        self._pages = pages
        self._poll_now = flow.poll_now
        self._responses = responses
        self._flow = flow
        self._status = status

    def app(self) -> AudienceApp:
        """Build the app from the table of routes."""
        routes = [
            Route("/embed/{token}", self.embed),
            Route("/connect/{token}", self.connect),
            Route("/connect/{token}/start", self.start, methods=["POST"]),
            Route("/callback", self.callback_route, methods=["GET", "POST"]),
            *self._flow.routes(),
            *HandoffRoutes(self._pages, self._responses, self._flow).routes(),
            *self._status.routes(),
        ]
        return AudienceApp(
            routes,
            {MagiclinkError: self._on_error, HTTPException: self._on_http_error, Exception: self._on_error},
        )

    async def embed(self, request: Request) -> Response:
        """GET /embed/{token}: the page for a frame. At top level it shows nothing of the session."""
        if is_top_level(request):
            return self._responses.render(ElsewherePage(lang=page_language(request).code), FramePolicy())
        opened = await self._pages.by_embed_token(token_of(request))
        return self._responses.embed(request, opened.session, opened.closed.status if opened.closed else 200)

    async def connect(self, request: Request) -> Response:
        """GET /connect/{token}: one button, or the flow in the browser that pressed it."""
        opened = await self._pages.by_connect_token(token_of(request))
        session = opened.session
        note_session(request, session)
        if opened.closed is not None:
            return self._responses.closed(request, await self._pages.outcome(session.id), opened.closed)
        # Without the session's cookie a browser gets only the button: the link is shown where the button was pressed.
        key = page_cookie(request, session.id, secure=self._responses.secure)
        query = dict(query_fields(request))
        if key is None or not (self._pages.holds_page_key(session, key) or self._pages.follows(session, key)):
            return await self._before_start(request, session, asked="takeOver" in query)
        # `back`: the way back to the secure page for a browser without scripts, after "I have finished".
        back = "back" in query
        return self._responses.open(request, await self._pages.snapshot(session.id, key), back=back)

    async def _before_start(self, request: Request, session: Session, *, asked: bool) -> Response:
        """The page with the button; `asked`: it was pressed, and another page was started before."""
        form_value = self._pages.new_form_value()
        if asked:
            hidden = {"takeOver": "true", "page": form_value}
            return self._responses.confirm(request, session, "takeover", f"{request.url.path}/start", hidden, 200)
        if session.achieved:
            return self._responses.finished(request, await self._pages.outcome(session.id), form_value)
        mends = (await self._pages.outcome(session.id)).mends if session.mode is Mode.RECONNECT else None
        return self._responses.connect(request, session, mends, form_value)

    async def start(self, request: Request) -> Response:
        """POST /connect/{token}/start: the button. Where another browser started it, the user must confirm."""
        self._responses.refuse_cross_site(request)
        opened = await self._pages.by_connect_token(token_of(request))
        json, session = wants_json(request), opened.session
        note_session(request, session)
        self._flow.limit.take_start(session.id)
        if opened.closed is not None and not json:
            return self._responses.closed(request, await self._pages.outcome(session.id), opened.closed)
        require_open(opened)
        form = {} if json else await read_form(request)
        take_over = form.get("takeOver") == "true"
        if json:
            take_over = parse(StartPage, await read_json(request, MAX_PAGE_BODY_BYTES)).take_over
        try:
            started = await self._pages.start(
                session, self._by_cookie(request, session, take_over=take_over, silent=not json), form.get("page")
            )
        except AlreadyOpen:
            if json:
                raise
            hidden = {"takeOver": "true", "page": self._pages.new_form_value()}
            return self._responses.confirm(request, session, "takeover", request.url.path, hidden, 409)
        # A redirect after the POST, so that reloading the page does not post again.
        response: Response = RedirectResponse(request.url.path.removesuffix("/start"), 303)
        if json:
            response = self._responses.started(request, started, redirects=True)
        return self._with_cookie(request, response, session, started.page_key)

    async def callback_route(self, request: Request) -> Response:
        """One route for both methods, so that a 405 names both in `Allow`."""
        return await (self.confirmed if request.method == "POST" else self.callback)(request)

    async def callback(self, request: Request) -> Response:
        """GET /callback: the user comes back. What a browser brings is a reason to poll, and never evidence."""
        state = _state_of(request)
        session = await self._pages.by_state(state, partial(note_session, request))
        self._flow.limit.take(session.id)  # every callback polls the provider
        if is_framed(request):
            await self._pages.enqueue_poll(session)
            language = page_language(request, session)
            page = HandoverPage(lang=language.code, session_id=session.id, brand=brand_of(session.theme))
            return self._responses.render(page, FramePolicy(("'self'", *framers_of(session))))
        key = page_cookie(request, session.id, secure=self._responses.secure)
        if key is not None and session.achieved and self._pages.follows(session, key):
            return self._responses.to_host(request, await self._pages.outcome(session.id))
        # An attacker could send their own callback URL to somebody else: a browser without the page key is asked first.
        if key is None or not self._pages.is_same_page(session, key):
            await self._pages.enqueue_poll(session)
            return self._responses.confirm(request, session, "callback", "/callback", {"state": state}, 200)
        return await self._returned(request, session, await self._bound_again(request, session, key))

    async def confirmed(self, request: Request) -> Response:
        """POST /callback: the user confirmed, in a browser without the page's cookie."""
        self._responses.refuse_cross_site(request)
        state = (await read_form(request)).get("state", "")
        session = await self._pages.by_state(state, partial(note_session, request))
        self._flow.limit.take(session.id)
        # Confirming once more is harmless: what has ended is only reported again.
        if session.closed or session.achieved:
            return self._responses.to_host(request, await self._pages.outcome(session.id))
        started = await self._pages.start(session, self._by_cookie(request, session, take_over=True, silent=True))
        response = await self._returned(request, session, started.page_key)
        return self._with_cookie(request, response, session, started.page_key)

    async def _bound_again(self, request: Request, session: Session, key: str) -> str:
        """The key of a browser that left our page and comes back from the provider's: it is bound once more."""
        if session.closed or self._pages.holds_page_key(session, key):
            return key
        start = self._by_cookie(request, session, take_over=False, silent=True)
        return (await self._pages.start(session, start)).page_key

    def _by_cookie(self, request: Request, session: Session, *, take_over: bool, silent: bool) -> PageStart:
        key = page_cookie(request, session.id, secure=self._responses.secure)
        return PageStart(key, None, ResumeKeeper.COOKIE, take_over=take_over, silent=silent)

    async def _returned(self, request: Request, session: Session, key: str) -> Response:
        if not session.closed:
            await self._pages.finish(session.id, key)
        await self._poll_now(session.company.ref, CALLBACK_POLL_SECONDS)
        stays = self._pages.is_passed_on(session, key)
        return self._responses.to_host(request, await self._pages.outcome(session.id), stays=stays)

    def _with_cookie(self, request: Request, response: Response, session: Session, key: str) -> Response:
        set_page_cookie(request, response, session, key, secure=self._responses.secure)
        return response

    async def _on_error(self, request: Request, exc: Exception) -> Response:
        error = exc if isinstance(exc, MagiclinkError) else MagiclinkError()
        if _by_script(request) or (request.url.path.startswith("/embed/") and request.method == "POST"):
            return problem(error)
        if request.method == "GET" and is_framed(request) and _FRAMED_PAGE.fullmatch(request.url.path):
            return self._responses.framed_error(request, error)
        session = noted_session(request)
        # On another device the host may not know its user, so a handoff's page has no way to the host.
        if session is not None and isinstance(error, _CLOSED) and not request.url.path.startswith("/handoff/"):
            with suppress(MagiclinkError):  # the database may be away
                return self._responses.closed(request, await self._pages.outcome(session.id), error)
        return self._responses.error(request, error, session)

    async def _on_http_error(self, request: Request, exc: Exception) -> Response:
        known = isinstance(exc, HTTPException) and exc.status_code == 405
        response = await self._on_error(request, MethodNotAllowed() if known else NotFound())
        for name, value in (getattr(exc, "headers", None) or {}).items():
            response.headers[name] = value
        return response


def _state_of(request: Request) -> str:
    """The state in the query. Raises BadState where the query is larger than any that leads here."""
    try:
        return dict(query_fields(request)).get("state", "")
    except InvalidRequest as exc:
        raise BadState from exc


def _by_script(request: Request) -> bool:
    """Whether our script calls: it asks for JSON or sends it. A form post or a loaded URL gets a page instead."""
    sends = request.headers.get("content-type", "").startswith("application/json")
    return sends or wants_json(request) or request.url.path.startswith("/live/")
