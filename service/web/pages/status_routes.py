"""The status page: the state of a user's connections, in a frame of the host's page.

It shows names of utilities and states, and nothing that leads to a session. Its one button sends a message to the host
page, whose backend decides whether to create a reconnect session. So the address alone can change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.domain.model import Connection, ConnectionId
from service.domain.status_words import words_for
from service.domain.statuses import ConnectionState, needs_attention
from service.domain.theme import Theme
from service.errors import NotFound
from service.urls import framing_problem
from service.usecases.user_status import OpenedStatus, UserStatuses
from service.web.headers import ISOLATED, FramePolicy, is_top_level
from service.web.languages import Language
from service.web.pages.brand import brand_of
from service.web.pages.contexts import ElsewherePage, Page
from service.web.pages.responses import PageResponses, token_of
from service.web.parameters import query_fields
from service.web.request_language import page_language


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One connection; `mend_id` is its id where its user can mend it, and None otherwise."""

    provider: str | None
    label: str
    sentence: str
    tone: str = ""
    mend_id: ConnectionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage(Page):
    """The page; `closed` where the time of its address is over."""

    template: ClassVar[str] = "pages/status.html"
    host_origin: str
    seconds_left: int
    closed: bool
    accounts: tuple[AccountRow, ...] = ()


class StatusRoutes:
    """GET /status/{token}."""

    def __init__(self, statuses: UserStatuses, responses: PageResponses, allowed_origins: Sequence[str]) -> None:
        self._statuses = statuses
        self._responses = responses
        self._allowed_origins = allowed_origins

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [Route("/status/{token}", self.status)]

    async def status(self, request: Request) -> Response:
        """GET /status/{token}: for the frame of the one origin in the token; at top level it shows nothing."""
        if is_top_level(request):
            page = ElsewherePage(lang=page_language(request).code, made_for="status")
            return self._responses.render(page, FramePolicy())
        opened = await self._statuses.by_token(token_of(request))
        # Checked again: the operator may have taken the origin off the list since.
        if framing_problem(opened.origin, self._allowed_origins) is not None:
            raise NotFound
        # Any other page could lay its own controls over the button (clickjacking), or show the user's utilities.
        frame = FramePolicy((opened.origin,))
        brand = brand_of(Theme(), dict(query_fields(request)).get("look", ""))
        shown = replace(status_page(opened, page_language(request)), brand=brand)
        response = self._responses.render(shown, frame, opened.closed.status if opened.closed else 200)
        response.headers.update(ISOLATED)
        return response


def status_page(opened: OpenedStatus, language: Language) -> StatusPage:
    """What the page shows of a user's connections."""
    return StatusPage(
        lang=language.code,
        host_origin=opened.origin,
        seconds_left=opened.seconds_left,
        closed=opened.closed is not None,
        accounts=tuple(_row(one) for one in opened.connections),
    )


def _row(connection: Connection) -> AccountRow:
    state = connection.state
    asks = needs_attention(state)
    words = words_for(connection.reported.status, state)
    tone = "warn" if asks else "good" if state is ConnectionState.WORKING else ""
    return AccountRow(
        provider=connection.reported.provider_name,
        label=words.label,
        sentence="" if state is ConnectionState.WORKING else words.sentence,
        tone=tone,
        mend_id=connection.id if asks else None,
    )
