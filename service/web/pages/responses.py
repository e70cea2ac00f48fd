"""Responses to end users: the page for a session's state, who may frame it, and the redirect back to the host."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from service.domain.event_json import iso
from service.domain.model import Mode, Session
from service.domain.page_view import AccountToMend, PageSnapshot
from service.domain.session_time import can_sign
from service.domain.statuses import has_stopped
from service.errors import Expired, MagiclinkError, NotFound
from service.settings import Settings
from service.settings.utility_hints import UtilityHints
from service.telemetry.logs import request_id
from service.urls import origin_of, return_url_problem
from service.usecases.pages import OpenedPage, StartedPage
from service.web.headers import ISOLATED, FramePolicy, allowed_features, page_headers, refuse_cross_site, target_of
from service.web.pages.advice import account_of, hints_for
from service.web.pages.answers import HandoffJson, StartedJson, ViewJson, view_json
from service.web.pages.brand import brand_of, framers_of
from service.web.pages.contexts import (
    ConfirmPage,
    ConnectPage,
    DonePage,
    EmbedPage,
    ErrorPage,
    FramedErrorPage,
    OpenPage,
    Page,
    ReconnectPage,
)
from service.web.pages.cookies import return_address
from service.web.pages.flow_view import FlowView, checked_link
from service.web.pages.page_fields import connection_views, helped_fields, named_fields, outcome_of
from service.web.pages.rendering import PageRenderer
from service.web.parameters import query_fields
from service.web.request_language import page_language, script_language

# What follows an address in a text: the marks of a sentence, closing brackets and closing quotes.
_AFTER_ADDRESSES = ".,:;!?)]}>*'\"`\u2019\u201d\u00bb\u2026\u3002\uff0c\u3001 "

SignState = Callable[[Session], str]
SignResult = Callable[[PageSnapshot], str]


class PageResponses:
    """Renders pages; `sign_state` signs the callback state of a session's page, `sign_result` its result."""

    def __init__(
        self,
        environments: Mapping[str, Environment],
        settings: Settings,
        sign_state: SignState,
        sign_result: SignResult,
    ) -> None:
        self._renderer = PageRenderer(environments)
        self._settings = settings
        self._sign_state = sign_state
        self._sign_result = sign_result
        self._public_origin = origin_of(settings.public_url) or settings.public_url
        self._provider_origin = origin_of(settings.provider_pages_url) or ""
        self._hints = UtilityHints(settings.utility_hints)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the service over https."""
        return self._public_origin.startswith("https:")

    def refuse_cross_site(self, request: Request) -> None:
        """Raise Forbidden for a POST that another site made."""
        refuse_cross_site(request, self._public_origin)

    def url_of(self, path: str) -> str:
        """Our own URL with this path."""
        return f"{self._public_origin}{path}"

    def render(self, page: Page, frame: FramePolicy, status: int = 200) -> Response:
        """A page with its headers."""
        logo = origin_of(page.brand.logo_url) if page.brand.logo_url else None
        response = HTMLResponse(self._renderer.encoded(page), status)
        response.raw_headers[:0] = _encoded_headers(replace(frame, images=(logo,)) if logo else frame, page.lang)
        return response

    def embed(self, request: Request, session: Session, status: int) -> Response:
        """The embeddable page; only the session's origin may frame it."""
        # The host's element says what its own page looks like; who may frame this page is the session's alone.
        brand = brand_of(session.theme, dict(query_fields(request)).get("look", ""))
        fields = self._flow(request, session) | {"brand": brand, "has_ancestors": bool(session.ancestors)}
        page = EmbedPage(**fields, host_origin=session.origin or "")
        # No other page can frame it: an attacker's could lay its own controls over ours (clickjacking).
        return self.render(page, FramePolicy(framers_of(session), (self._provider_origin, "'self'")), status)

    def open(self, request: Request, snapshot: PageSnapshot, *, back: bool) -> Response:
        """The started redirect flow; `back`: its user returns to the secure page, though they have finished there."""
        session = snapshot.session
        page = OpenPage(**self._flow(request, session), view=replace(self._flow_view(request, snapshot), back=back))
        return self.render(page, FramePolicy((), (self._provider_origin, "'self'"), target_of(session.return_url)))

    def connect(self, request: Request, session: Session, mends: AccountToMend | None, form_value: str) -> Response:
        """The page with the redirect flow's one button; `form_value` is another one each time the page is loaded."""
        ahead = PageSnapshot(session, (), 0, 0.0, mends=mends)
        language = page_language(request, session)
        account, action = account_of(ahead, language), f"{_address_of(request)}/start"
        asks: dict[str, Any] = {"action": action, "form_value": form_value, "hints": hints_for(ahead, self._hints)}
        if account is not None:
            return self.render(
                ReconnectPage(**helped_fields(session, language), **asks, account=account), FramePolicy()
            )
        mode: Literal["connect", "reconnect"] = "reconnect" if session.mode is Mode.RECONNECT else "connect"
        return self.render(ConnectPage(**named_fields(session, language), **asks, mode=mode), FramePolicy())

    def finished(self, request: Request, snapshot: PageSnapshot, form_value: str) -> Response:
        """A finished link that is opened once more: its outcome, and a button that opens the flow in this browser."""
        action = f"{_address_of(request)}/start"
        stopped = any(has_stopped(one.state) for one in snapshot.connections)
        done = self._done(request, snapshot, None)
        page = replace(done, connections=(), hints=(), has_stopped=stopped, action=action, form_value=form_value)
        return self.render(page, FramePolicy())

    def confirm(
        self,
        request: Request,
        session: Session,
        reason: Literal["callback", "takeover"],
        action: str,
        hidden: dict[str, str],
        status: int,
    ) -> Response:
        """A question with one button; it shows for which company and user the account is connected."""
        page = ConfirmPage(
            **named_fields(session, page_language(request, session)), reason=reason, action=action, hidden=hidden
        )
        return self.render(page, FramePolicy(targets=target_of(session.return_url)), status)

    def error(self, request: Request, error: MagiclinkError, session: Session | None = None) -> Response:
        """The error page, which says what the user can do; `session` is the one that the caller has proved to know."""
        page = ErrorPage(lang=page_language(request, session).code, code=error.code, request_id=request_id())
        if session is not None:
            page = replace(page, brand=brand_of(session.theme), support_url=session.support_url)
        return self.render(page, FramePolicy(), error.status)

    def framed_error(self, request: Request, error: MagiclinkError) -> Response:
        """The constant page in a frame, where there is no session that could say who may frame it.

        It has no controls, so a page that lays its own over it (clickjacking) gains nothing.
        """
        code: Literal["not_found", "unavailable"] = "not_found" if isinstance(error, NotFound) else "unavailable"
        page = FramedErrorPage(lang=page_language(request).code, code=code)
        response = self.render(page, FramePolicy(("*",)), error.status)
        response.headers.update(ISOLATED)
        return response

    def started(self, request: Request, started: StartedPage, *, redirects: bool) -> Response:
        """The answer to a start by script: the page key, this once, and the page's view.

        In the redirect flow the key is in the page's cookie, and nowhere that a script could read it.
        """
        view = self.view(request, started.snapshot, redirects=redirects)
        return json_answer({"pageKey": None if redirects else started.page_key, "view": view})

    def view(self, request: Request, snapshot: PageSnapshot, *, redirects: bool) -> ViewJson:
        """What a started page may know, as JSON; one of the redirect flow (`redirects`) also gets its callback URL."""
        # A page that follows comes back only with a result: until then its user is on the other device.
        returns = redirects and (not snapshot.follows or snapshot.session.achieved)
        done_url = self._callback_url(snapshot) if returns else None
        return view_json(snapshot, done_url, self._hints, script_language(request))

    def to_callback(self, request: Request, snapshot: PageSnapshot) -> Response:
        """Redirect the page that is bound now to its callback, or to the host where no state is signed any more."""
        address = self._callback_url(snapshot)
        return self.to_host(request, snapshot) if address is None else RedirectResponse(address, 303)

    def _callback_url(self, snapshot: PageSnapshot) -> str | None:
        session = snapshot.session
        return f"/callback?state={self._sign_state(session)}" if can_sign(session, snapshot.at) else None

    def to_host(
        self, request: Request, snapshot: PageSnapshot, again_url: str | None = None, *, stays: bool = False
    ) -> Response:
        """Redirect to the host with a signed result. `returnUrl` is checked again: what is allowed may have changed.

        Without one the done page ends the flow; `again_url` is the session's page, where the caller may know its URL.
        `stays`: on the other device, where the host may not know its user.
        """
        address = None if stays else self._return_address(snapshot)
        if address is None:
            return self.render(self._done(request, snapshot, again_url), FramePolicy())
        # No cache may keep the signed result in the address, and the host must not get our URL, which holds a token.
        return RedirectResponse(address, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    def closed(self, request: Request, snapshot: PageSnapshot, closed: MagiclinkError) -> Response:
        """A closed link of the redirect flow: one button takes the user to the host, with the outcome.

        It names no connection, and the result of a session that has one is not signed: whoever has the URL gets this
        page, and need not have the key of a page of the session.
        """
        session, snapshot = snapshot.session, replace(snapshot, connections=())
        # The URL may expire before the job that expires the session has run; result and page must agree.
        if isinstance(closed, Expired) and session.over_at is None:
            snapshot = replace(snapshot, session=replace(session, over_at=snapshot.at))
        page = ErrorPage(
            lang=page_language(request, session).code,
            code=closed.code,
            brand=brand_of(session.theme),
            request_id=request_id(),
            onward_url=self._return_address(snapshot, signed=not session.achieved),
            support_url=session.support_url,
        )
        return self.render(page, FramePolicy(), closed.status)

    def _return_address(self, snapshot: PageSnapshot, *, signed: bool = True) -> str | None:
        session = snapshot.session
        if session.return_url is None or return_url_problem(session.return_url, self._settings.allowed_origins):
            return None
        result = self._sign_result(snapshot) if signed and can_sign(session, snapshot.at) else None
        return return_address(session, snapshot.connections, result)

    def _done(self, request: Request, snapshot: PageSnapshot, again_url: str | None) -> DonePage:
        session, failed_at = snapshot.session, snapshot.session.company.failed_at
        can_open = not (session.closed or session.achieved)
        return DonePage(
            **helped_fields(session, page_language(request, session)),
            outcome=outcome_of(snapshot),
            connections=connection_views(snapshot),
            hints=hints_for(snapshot, self._hints),
            unreachable_since=iso(failed_at) if failed_at is not None else None,
            can_open=can_open,
            again_url=again_url if can_open else None,
        )

    def _flow(self, request: Request, session: Session) -> dict[str, Any]:
        return helped_fields(session, page_language(request, session)) | {
            "session_id": session.id,
            "token_path": _address_of(request),
            "live_path": f"/live/{token_of(request)}",
            "provider_origin": self._provider_origin,
            "mode": session.mode.value,
            "allowed_features": allowed_features(request),
        }

    def _flow_view(self, request: Request, snapshot: PageSnapshot) -> FlowView:
        view = self.view(request, snapshot, redirects=True)
        link = checked_link(view["link"], self._provider_origin)
        return FlowView(
            status=view["status"],
            link=link,
            connections=connection_views(snapshot),
            account=account_of(snapshot, page_language(request, snapshot.session)),
            hints=hints_for(snapshot, self._hints),
            confirming=view["confirming"],
            finished=view["finished"],
            waiting=view["waiting"],
            unreachable_since=view["unreachableSince"],
            seen=view["seen"],
            on_phone=view["onPhone"],
            failure_code="link_refused" if link.is_refused else snapshot.session.failure,
            done_url=view["doneUrl"],
        )


@lru_cache(maxsize=1024)  # one for each origin of a host app, in each language
def _encoded_headers(frame: FramePolicy, lang: str) -> list[tuple[bytes, bytes]]:
    headers = {**page_headers(frame), "Content-Language": lang, "Vary": "Accept-Language"}
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def json_answer(body: ViewJson | StartedJson | HandoffJson) -> Response:
    """JSON for our own script. It may hold a page key or the provider's link, so no cache may store it."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(body, headers=headers)


def token_of(request: Request) -> str:
    """The token in the path, without punctuation at its end.

    A chat or a mail program that makes a link of an address often includes the full stop or the bracket after it. No
    token ends with any of these characters.
    """
    return str(request.path_params["token"]).rstrip(_AFTER_ADDRESSES)


def _address_of(request: Request) -> str:
    # Not of `request.url`, where a "?" that was percent-encoded in the path would begin a query.
    path = str(request.scope["path"])
    return path.removesuffix(request.path_params["token"]) + token_of(request)


def require_open(opened: OpenedPage) -> Session:
    """Return the session, or raise what closed it."""
    if opened.closed is not None:
        raise opened.closed
    return opened.session
