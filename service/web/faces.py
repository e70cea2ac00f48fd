"""Pages made of nouns: which context a session gives, in which frame it may stand, and where the way back leads."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from service.errors import Expired, MagiclinkError
from service.handoff import Opening, Standing, Started
from service.logs import request_id
from service.model import Connection, Mode, Session, SessionStatus
from service.origins import origin_of, return_url_problem
from service.settings import Settings
from service.statuses import canonical_status, needs_attention
from service.web.contexts import (
    ConfirmPage,
    ConnectionView,
    ConnectPage,
    DonePage,
    EmbedPage,
    ErrorPage,
    FlowView,
    LinkView,
    OpenPage,
    Page,
    masked,
)
from service.web.forms import return_address
from service.web.headers import Frame, page_headers, refuse_cross_site, target_of
from service.web.render import page_json

State = Callable[[Session], str]
Sign = Callable[[Standing], str]


class Faces:
    """See the module. `state` signs the way back of a session's page, `sign` its result."""

    def __init__(self, environment: Environment, settings: Settings, state: State, sign: Sign) -> None:
        self._environment = environment
        self._settings = settings
        self._state = state
        self._sign = sign
        self._public_origin = origin_of(settings.public_url) or settings.public_url
        self._provider_origin = origin_of(settings.provider_pages_url) or ""

    @property
    def secure(self) -> bool:
        """Whether people reach us over https."""
        return self._public_origin.startswith("https:")

    def refuse_cross_site(self, request: Request) -> None:
        """Raise Forbidden for a post that another site made."""
        refuse_cross_site(request, self._public_origin)

    def render(self, page: Page, frame: Frame, status: int = 200) -> Response:
        """A page with its headers. Nothing but the context's own fields reaches the template."""
        fields = {name: getattr(page, name) for name in type(page).__dataclass_fields__}
        html = self._environment.get_template(page.template).render(fields)
        return HTMLResponse(html, status, page_headers(frame))

    def embed(self, request: Request, session: Session, status: int) -> Response:
        """The embeddable page; only the session's own host may frame it."""
        page = EmbedPage(**self._flow(request, session), host_origin=session.origin or "")
        frame = Frame((session.origin,) if session.origin else (), (self._provider_origin, "'self'"))
        return self.render(page, frame, status)

    def open(self, request: Request, standing: Standing) -> Response:
        """The started redirect flow."""
        session = standing.session
        page = OpenPage(**self._flow(request, session), view=self._flow_view(standing))
        return self.render(page, Frame((), (self._provider_origin, "'self'"), target_of(session.return_url)))

    def first(self, request: Request, session: Session) -> Response:
        """The redirect flow's button."""
        page = ConnectPage(
            **_named(session),
            action=f"{request.url.path}/start",
            mode="reconnect" if session.mode is Mode.RECONNECT else "connect",
        )
        return self.render(page, Frame())

    def confirm(
        self,
        session: Session,
        reason: Literal["callback", "takeover"],
        action: str,
        hidden: dict[str, str],
        status: int,
    ) -> Response:
        """A question with one button; it names for whom the account is being connected."""
        page = ConfirmPage(**_named(session), reason=reason, action=action, hidden=hidden)
        return self.render(page, Frame(targets=target_of(session.return_url)), status)

    def error(self, error: MagiclinkError) -> Response:
        """A refusal that a person can act on."""
        return self.render(ErrorPage(code=error.code, request_id=request_id()), Frame(), error.status)

    def started(self, started: Started, *, done: bool) -> Response:
        """What our script gets for starting: the page's key, this once."""
        return json_answer({"pageKey": started.page_key, "view": self.view(started.standing, done=done)})

    def view(self, standing: Standing, *, done: bool) -> dict[str, Any]:
        """What a started page may know; `done`: it is the redirect flow's, which ends at our callback."""
        done_url = self.done_url(standing.session) if done else None
        return page_json(standing.session, standing.connections, seq=standing.seq, at=standing.at, done_url=done_url)

    def done_url(self, session: Session) -> str:
        """Our own way back."""
        return f"/callback?state={self._state(session)}"

    def onward(self, standing: Standing) -> Response:
        """To the host, with a result it can confirm; asked again, since what is allowed may have changed since."""
        session = standing.session
        address = self._address(standing)
        if address is None:
            page = DonePage(**_named(session), outcome=_outcome(standing), connections=_connections(standing))
            return self.render(page, Frame())
        return RedirectResponse(address, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    def closed(self, standing: Standing, closed: MagiclinkError) -> Response:
        """A dead link of the redirect flow: one button takes the person to the host, which hears what became of it."""
        session = standing.session
        if isinstance(closed, Expired):
            standing = replace(standing, session=replace(session, status=SessionStatus.EXPIRED))
        page = ErrorPage(
            code=closed.code,
            request_id=request_id(),
            onward_url=self._address(standing),
            support_url=session.support_url,
        )
        return self.render(page, Frame(), closed.status)

    def _address(self, standing: Standing) -> str | None:
        session = standing.session
        if session.return_url is None or return_url_problem(session.return_url, self._settings.allowed_origins):
            return None
        return return_address(session, standing.connections, self._sign(standing))

    def _flow(self, request: Request, session: Session) -> dict[str, Any]:
        return _named(session) | {
            "session_id": session.id,
            "token_path": request.url.path,
            "live_path": f"/live/{request.path_params['token']}",
            "provider_origin": self._provider_origin,
        }

    def _flow_view(self, standing: Standing) -> FlowView:
        told = self.view(standing, done=True)
        link = told["link"]
        # Framed only if it has the configured pages' origin: anything else in a link is not the provider's.
        url = link["url"] if link["url"] and origin_of(link["url"]) == self._provider_origin else None
        return FlowView(
            status=told["status"],
            link=LinkView(status=link["status"], url=url, framable=link["framable"]),
            connections=_connections(standing),
            confirming=told["confirming"],
            finished=told["finished"],
            failure_code=standing.session.failure,
            done_url=told["doneUrl"],
        )


def json_answer(body: dict[str, Any]) -> Response:
    """For our own script; never kept anywhere."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(body, headers=headers)


def still_open(opening: Opening) -> Session:
    """The session, or raise what closed it."""
    if opening.closed is not None:
        raise opening.closed
    return opening.session


def _named(session: Session) -> dict[str, Any]:
    return {
        "company": session.company.name or session.company.external_id or "your organisation",
        "user_label": masked(session.user_label or session.user_email or "") or None,
        "support_url": session.support_url,
    }


def _connections(standing: Standing) -> tuple[ConnectionView, ...]:
    return tuple(_connection(connection) for connection in standing.connections)


def _connection(connection: Connection) -> ConnectionView:
    status = canonical_status(connection.seen.status)
    return ConnectionView(
        status=status, provider=connection.seen.provider_name, needs_attention=needs_attention(status)
    )


def _outcome(standing: Standing) -> Any:
    status = standing.session.status.value
    if status in {"connected", "exited", "expired", "revoked", "failed"}:
        return status
    attention = any(needs_attention(connection.seen.status) for connection in standing.connections)
    return "attention" if attention else "confirming"
