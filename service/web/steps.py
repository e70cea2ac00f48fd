"""What a page asks while its flow goes on: start, finished, exit, heartbeat, live."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.errors import RateLimited
from service.handoff import Handoff
from service.live import Live
from service.model import Event, Session
from service.web.bodies import ExitPage, StartPage, parse, read_json
from service.web.faces import Faces, json_answer, still_open
from service.web.forms import page_cookie, page_key_of
from service.web.headers import wants_json
from service.web.limits import PageLimits
from service.web.stream import Stream, Told

_STREAMS = 8  # of one page: it has one, and those that its network lost and we have not missed yet


@dataclass(frozen=True, slots=True)
class Steps:
    """The handlers; every one but `start` needs the page's key."""

    handoff: Handoff
    live: Live
    faces: Faces
    limits: PageLimits

    def routes(self) -> list[Route]:
        """The routes, as a table."""
        both = [(f"/{flow}/{{token}}", flow) for flow in ("embed", "connect")]
        verbs = (("finished", self.finished), ("exit", self.exit), ("heartbeat", self.heartbeat))
        return [
            Route("/embed/{token}/start", self.start, methods=["POST"]),
            *(Route(f"{path}/{name}", handler, methods=["POST"]) for path, _ in both for name, handler in verbs),
            Route("/live/{token}", self.follow),
        ]

    async def start(self, request: Request) -> Response:
        """POST /embed/{token}/start: our script starts the page and gets the page's key, once."""
        self.faces.refuse_cross_site(request)
        body: StartPage = parse(StartPage, await read_json(request))
        session = still_open(await self.handoff.by_embed_token(request.path_params["token"]))
        self.limits.take(session.id)
        key = page_key_of(request, session.id, secure=self.faces.secure)
        return self.faces.started(await self.handoff.start(session, key, take_over=body.take_over), done=False)

    async def finished(self, request: Request) -> Response:
        """POST …/finished: "I have finished"."""
        session, key = await self._page_of(request)
        standing = await self.handoff.finished(session.id, key)
        if wants_json(request):
            return json_answer(self.faces.view(standing, done=_redirects(request)))
        return RedirectResponse(self.faces.done_url(standing.session), 303)

    async def exit(self, request: Request) -> Response:
        """POST …/exit: the person left."""
        session, key = await self._page_of(request)
        if request.headers.get("content-type", "").startswith("application/json"):
            body: ExitPage = parse(ExitPage, await read_json(request))
            await self.handoff.leave(session.id, key, body.stage, body.reason)
            return Response(status_code=204)
        await self.handoff.leave(session.id, key, "page", "left")
        return self.faces.onward(await self.handoff.outcome(session.id))

    async def heartbeat(self, request: Request) -> Response:
        """POST …/heartbeat: the page is still there."""
        session, key = await self._page_of(request)
        await self.handoff.seen(session.id, key)
        return Response(status_code=204)

    async def follow(self, request: Request) -> Response:
        """GET /live/{token}: the session's news, as a stream or (asked for JSON) as one answer."""
        session = await self.handoff.by_any_token(request.path_params["token"])
        key = page_key_of(request, session.id, secure=self.faces.secure)
        done = page_cookie(request, session.id, secure=self.faces.secure) is not None

        async def view() -> dict[str, Any]:
            return self.faces.view(await self.handoff.standing(session.id, key), done=done)

        first = await view()
        if wants_json(request):
            return json_answer(first)
        if self.live.of(session.id) >= _STREAMS:
            raise RateLimited
        last = await self.handoff.position(session.id, request.headers.get("last-event-id"), int(first["seq"]))

        async def since(seq: int) -> list[Event]:
            return list(await self.handoff.news(session.id, seq))

        async def present() -> None:
            await self.handoff.seen(session.id, key)

        return _Streamed(Stream(session.id, self.live, Told(view, since, present), last))

    async def _page_of(self, request: Request) -> tuple[Session, str | None]:
        self.faces.refuse_cross_site(request)
        read = self.handoff.by_connect_token if _redirects(request) else self.handoff.by_embed_token
        opening = await read(request.path_params["token"])
        self.limits.take(opening.session.id)
        return opening.session, page_key_of(request, opening.session.id, secure=self.faces.secure)


class _Streamed(Response):
    """A response that writes itself."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stream(scope, receive, send)


def _redirects(request: Request) -> bool:
    return request.url.path.startswith("/connect/")
