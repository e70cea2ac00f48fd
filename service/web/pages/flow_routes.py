"""The routes that a page's script calls during a flow: start, finished, exit, heartbeat, live."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.domain.events import Event
from service.domain.model import CompanyRef, Session
from service.domain.page_starts import PageStart, ResumeKeeper
from service.domain.page_view import has_arrived
from service.domain.session_time import link_can_be_shown
from service.domain.timing import CALLBACK_POLL_SECONDS
from service.errors import RateLimited
from service.pubsub import PubSub
from service.usecases.open_streams import OpenStreams
from service.usecases.pages import Pages
from service.web.headers import wants_json
from service.web.pages.answers import ViewJson
from service.web.pages.bodies import ExitPage, StartPage
from service.web.pages.cookies import page_cookie, page_key_of
from service.web.pages.noted_session import note_session
from service.web.pages.rate_limit import PageRateLimit
from service.web.pages.responses import PageResponses, json_answer, require_open, token_of
from service.web.pages.sse import STREAMS_MOST, EventStream, StreamSource, StreamStart
from service.web.request_body import MAX_PAGE_BODY_BYTES, parse, read_json

# Polls a company at once and waits at most so many seconds.
PollNow = Callable[[CompanyRef, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FlowRoutes:
    """The handlers. All but `start` need the page key."""

    pages: Pages
    poll_now: PollNow
    pubsub: PubSub
    responses: PageResponses
    limit: PageRateLimit
    open_streams: OpenStreams

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        both = [(f"/{flow}/{{token}}", flow) for flow in ("embed", "connect")]
        verbs = (
            *(("finished", self.finished), ("another", self.another)),
            *(("exit", self.exit), ("heartbeat", self.heartbeat)),
        )
        return [
            Route("/embed/{token}/start", self.start, methods=["POST"]),
            *(Route(f"{path}/{name}", handler, methods=["POST"]) for path, _ in both for name, handler in verbs),
            Route("/live/{token}", self.follow),
        ]

    async def start(self, request: Request) -> Response:
        """POST /embed/{token}/start: start the page; the answer holds the page key, this once."""
        self.responses.refuse_cross_site(request)
        # The token first: without a valid one no body is read or validated.
        session = require_open(await self.pages.by_embed_token(token_of(request)))
        self.limit.take_start(session.id)
        body: StartPage = parse(StartPage, await read_json(request, MAX_PAGE_BODY_BYTES))
        key = page_key_of(request, session.id, secure=self.responses.secure)
        start = PageStart(key, body.resume, ResumeKeeper(body.kept_by), take_over=body.take_over)
        return self.responses.started(request, await self.pages.start(session, start), redirects=False)

    async def finished(self, request: Request) -> Response:
        """POST …/finished: "I have finished". The provider is asked at once, and the page says what it answered."""
        session, key = await self.page_of(request)
        await self.pages.finish(session.id, key)
        await self.poll_now(session.company.ref, CALLBACK_POLL_SECONDS)
        snapshot = await self.pages.outcome(session.id)
        if not wants_json(request):
            waits = link_can_be_shown(snapshot.session, snapshot.at) and not has_arrived(snapshot)
            # Without a script too the page says that nothing has arrived, with the way back to the secure page.
            page = RedirectResponse(request.url.path.removesuffix("/finished"), 303)
            return page if waits else self.responses.to_callback(request, snapshot)
        return json_answer(self.responses.view(request, snapshot, redirects=_redirects(request)))

    async def another(self, request: Request) -> Response:
        """POST …/another: the user wants to connect another account. The answer is the page's view."""
        session, key = await self.page_of(request)
        await self.pages.ask_for_another(session.id, key)
        return json_answer(
            self.responses.view(request, await self.pages.snapshot(session.id, key), redirects=_redirects(request))
        )

    async def exit(self, request: Request) -> Response:
        """POST …/exit: the user left."""
        session, key = await self.page_of(request)
        if request.headers.get("content-type", "").startswith("application/json"):
            body: ExitPage = parse(ExitPage, await read_json(request, MAX_PAGE_BODY_BYTES))
            await self.pages.leave(session.id, key, body.stage, body.reason)
            return Response(status_code=204)
        stays = self.pages.is_passed_on(session, key)
        if not self.pages.follows(session, key):  # such a user goes on with the other device
            await self.pages.leave(session.id, key, "page", "left")
        again_url = request.url.path.removesuffix("/exit") if _redirects(request) else None
        return self.responses.to_host(request, await self.pages.outcome(session.id), again_url, stays=stays)

    async def heartbeat(self, request: Request) -> Response:
        """POST …/heartbeat: record that the page is present."""
        session, key = await self.page_of(request)
        await self.pages.heartbeat(session.id, key)
        return Response(status_code=204)

    async def follow(self, request: Request) -> Response:
        """GET /live/{token}: the session's events as a stream or, where JSON is asked for, its state as one answer."""
        session_id = self.pages.session_of_token(token_of(request))
        key = page_key_of(request, session_id, secure=self.responses.secure)
        # The token of either flow is accepted here: only the cookie shows that the page is one of the redirect flow.
        redirects = page_cookie(request, session_id, secure=self.responses.secure) is not None
        # A stream keeps what its view needs, and not the middlewares' functions that `request` has.
        asked = Request(request.scope)

        async def view() -> tuple[ViewJson, int | None]:
            snapshot = await self.pages.snapshot(session_id, key, marked=True)
            return self.responses.view(asked, snapshot, redirects=redirects), snapshot.mark

        async def events_after(seq: int) -> list[Event]:
            return list(await self.pages.events_after(session_id, seq))

        async def keep_alive(is_present: bool) -> int | None:  # noqa: FBT001 - the one value that it takes
            return await self.open_streams.keep_alive(session_id, key, is_present=is_present)

        first = await self.pages.snapshot(
            session_id, key
        )  # raises before a stream begins, so a refusal still has its own status
        if wants_json(request):
            return json_answer(self.responses.view(request, first, redirects=redirects))
        if self.pubsub.count_for(session_id) >= STREAMS_MOST:
            raise RateLimited
        last_event_id = request.headers.get("last-event-id")
        position = await self.pages.stream_position(session_id, last_event_id, first.seq)
        source = StreamSource(view, events_after, keep_alive)
        start = StreamStart(position, first.event_id if last_event_id is None else None)
        return _StreamResponse(EventStream(session_id, self.pubsub, source, start))

    async def page_of(self, request: Request) -> tuple[Session, str | None]:
        """The session and the page key of a call by a page's script, which the session's limit counts."""
        self.responses.refuse_cross_site(request)
        read = self.pages.by_connect_token if _redirects(request) else self.pages.by_embed_token
        opened = await read(token_of(request))
        note_session(request, opened.session)
        self.limit.take(opened.session.id)  # before the key is checked: guesses count too
        return opened.session, page_key_of(request, opened.session.id, secure=self.responses.secure)


class _StreamResponse(Response):
    """A Starlette response that runs an EventStream."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stream(scope, receive, send)


def _redirects(request: Request) -> bool:
    return request.url.path.startswith("/connect/")
