"""Continuing on another device: the offer that a started page shows, and the page that the other device opens.

The address of the offer names its session. It starts nothing without the code, which only the offering page shows: a
scanner that loads the address, or a person who photographs it, sees only the company's name and the masked user.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from service.domain.handoffs import HandoffState, offer_id
from service.domain.model import Session
from service.domain.timing import HANDOFF_SECONDS
from service.usecases.pages import Pages
from service.web.headers import FramePolicy
from service.web.pages.answers import HandoffJson, QrJson
from service.web.pages.contexts import HandoffPage
from service.web.pages.cookies import read_form, set_page_cookie
from service.web.pages.flow_routes import FlowRoutes
from service.web.pages.noted_session import note_session
from service.web.pages.page_fields import named_fields
from service.web.pages.qr import qr_outline
from service.web.pages.responses import PageResponses, json_answer, token_of
from service.web.request_language import page_language

_SHOWN: dict[HandoffState, Literal["asking", "wrong", "over"]] = {
    HandoffState.ASKING: "asking",
    HandoffState.WRONG: "wrong",
    HandoffState.OVER: "over",
}
_STATUS = {HandoffState.ASKING: 200, HandoffState.WRONG: 422, HandoffState.OVER: 410}


@dataclass(frozen=True, slots=True)
class HandoffRoutes:
    """The handlers; an offer needs the page key, as every call of a page's script does."""

    pages: Pages
    responses: PageResponses
    flow: FlowRoutes

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [
            *(Route(f"/{flow}/{{token}}/handoff", self.offer, methods=["POST"]) for flow in ("embed", "connect")),
            Route("/handoff/{token}", self.other_device, methods=["GET", "POST"]),
        ]

    async def offer(self, request: Request) -> Response:
        """POST …/handoff: an address for another device, and the code that its user types there."""
        session, key = await self.flow.page_of(request)
        offered = await self.pages.offer_handoff(session.id, key)
        url = self.responses.url_of(f"/handoff/{offered.token}")
        drawn = qr_outline(url)
        qr: QrJson = {"size": drawn.size, "path": drawn.path}
        offer: HandoffJson = {
            "id": offered.id,
            "url": url,
            "code": offered.code,
            "qr": qr,
            "secondsLeft": HANDOFF_SECONDS,
        }
        return json_answer(offer)

    async def other_device(self, request: Request) -> Response:
        """One route for both methods, so that a 405 names both in `Allow`."""
        return await (self.accept if request.method == "POST" else self.ask)(request)

    async def ask(self, request: Request) -> Response:
        """GET /handoff/{token}: names the company and the masked user, and asks for the code. It starts nothing."""
        token = self.pages.read_handoff(token_of(request))
        self.flow.limit.take_offer(offer_id(token.nonce))
        session, state = await self.pages.handoff(token, partial(note_session, request))
        return self._page(request, session, state)

    async def accept(self, request: Request) -> Response:
        """POST /handoff/{token}: the code. Where it is right this device's page takes over."""
        self.responses.refuse_cross_site(request)
        token = self.pages.read_handoff(token_of(request))
        self.flow.limit.take_offer(offer_id(token.nonce))  # before the code is checked: guesses count too
        _, before = await self.pages.handoff(token, partial(note_session, request))
        form = await read_form(request)
        code = "".join(form.get("code", "").split())
        state, key = await self.pages.accept_handoff(token, code, form.get("page", ""))
        session = (await self.pages.outcome(token.session_id)).session
        if state is HandoffState.OVER and before is not HandoffState.OVER:
            # Wake the stream of the offering page: otherwise it notices only after `PubSub.keep_alive_seconds`.
            self.flow.pubsub.publish({session.id})
        if state is not HandoffState.ACCEPTED:
            return self._page(request, session, state)
        response = RedirectResponse(f"/connect/{self.pages.connect_token(session)}", 303)
        set_page_cookie(request, response, session, key, secure=self.responses.secure)
        return response

    def _page(self, request: Request, session: Session, state: HandoffState) -> Response:
        page = HandoffPage(
            **named_fields(session, page_language(request, session)),
            state=_SHOWN[state],
            action=request.scope["path"],
            form_value=self.pages.new_form_value(),
        )
        return self.responses.render(page, FramePolicy(), _STATUS[state])
