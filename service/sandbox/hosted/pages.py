"""The hosted pages that end users see: magic links, edit links and invitations.

Faithful to the provider: no cookie, no message, and at the end no way on, unless `SANDBOX_REDIRECTS` is on.
Reference: contract sections 6, 7.4 and 7.5.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service.sandbox.hosted.flows import FlowEntry, HostedFlows
from service.sandbox.hosted.wizard import ConnectionWizard, Form, WizardOutcome
from service.sandbox.wire import fields
from service.sandbox.wire.errors import ClosedLink, ClosedReason, Missing
from service.sandbox.wire.html import ASSETS, SandboxErrorView, SandboxFrame, page
from service.sandbox.world.invitations import CLOSED as CLOSED_BY
from service.sandbox.world.records import SandboxInvitation, SandboxMagicLink
from service.sandbox.world.world import SandboxWorld

CLOSED: dict[ClosedReason, tuple[str, str]] = {
    "expired": ("This link has expired", "Links stop working after a while, so that an old e-mail opens nothing."),
    "revoked": ("This link was withdrawn", "Whoever sent it has ended it."),
    "fulfilled": ("This link was already used", "It was good for a limited number of uses, and they are spent."),
}
ASK = "Ask the person or the app that sent you here for a new link."


def routes(world: SandboxWorld, token: Callable[[], str] = secrets.token_urlsafe) -> list[BaseRoute]:
    """Return the end users' routes, the pages' style sheet included."""
    pages = HostedPages(world, ConnectionWizard(world, HostedFlows(world.clock.real, token)))
    both = ["GET", "POST"]
    return [
        Route("/p/connect/{company}/workflow/{secret}", pages.edit_link, methods=both),
        Route("/p/connect/{company}/{secret}", pages.magic_link, methods=both),
        Route("/p/i/{token}", pages.invitation, methods=both),
        Route("/create-datasource/magic-link/{company}/{secret}/connect", pages.older_link),
        Route("/create-datasource/magic-link/{company}/{secret}", pages.older_link),
        Mount("/assets", StaticFiles(directory=ASSETS)),
    ]


class HostedPages:
    """One method per address; what they share is the walk through the wizard."""

    def __init__(self, world: SandboxWorld, wizard: ConnectionWizard) -> None:
        self._world = world
        self._wizard = wizard

    async def magic_link(self, request: Request) -> Response:
        """A link for a new connection."""
        path = request.path_params
        return await self._visit(request, lambda _: self._link(path, self._world.links.find))

    async def edit_link(self, request: Request) -> Response:
        """A link for changing a connection, which keeps its id."""
        path = request.path_params
        return await self._visit(request, lambda _: self._link(path, self._world.links.find_edit))

    async def invitation(self, request: Request) -> Response:
        """An invitation to make a connection, or to sign in again to one."""
        token = request.path_params["token"]
        return await self._visit(request, lambda form: self._invitation(token, form))

    async def older_link(self, request: Request) -> Response:
        """Send an older address on to the newer one. Reference: cookbooks/magic-link-integration."""
        known = (request.path_params["company"], request.path_params["secret"])
        try:
            company = self._world.companies.get(known[0])
        except Missing:
            return RedirectResponse(f"/p/connect/{known[0]}/{known[1]}", 302)
        return RedirectResponse(f"/p/connect/{company.public_id}/{known[1]}", 302)

    async def _visit(self, request: Request, open_door: Callable[[Form | None], FlowEntry]) -> Response:
        form = read_form(await request.form()) if request.method == "POST" else None
        try:
            opening = self._with_return(request, open_door(form))
            action = action_of(request)
            outcome = self._wizard.take(opening, action, form) if form else self._wizard.show(opening, action)
        except Missing:
            return _dead_end(
                "We do not know this link", "The address may be incomplete, or its connection is gone.", 404
            )
        except ClosedLink as closed:
            return _dead_end(*CLOSED[closed.reason], 410)
        return self._answer(request, opening, outcome)

    def _link(self, path: dict[str, str], find: Callable[[str, str], SandboxMagicLink]) -> FlowEntry:
        link = find(path["company"], path["secret"])
        return FlowEntry(
            f"link/{link.id}",
            link.company_id,
            "link",
            connection_id=link.connection_id,
            prefill=link.prefill,
            redirect_uri=link.redirect_uri,
            state=link.state,
        )

    def _invitation(self, token: str, form: Form | None) -> FlowEntry:
        invitation = self._world.invitations.open(token) if form is None else self._world.invitations.by_token(token)
        opening = _opening(invitation)
        if form is not None:
            self._require_open(invitation, opening, form)
        return opening

    def _require_open(self, invitation: SandboxInvitation, opening: FlowEntry, form: Form) -> None:
        """Let a flow finish what it began: the use that fulfilled the invitation may be its own."""
        status = self._world.invitations.status(invitation)
        flow = self._wizard.flow_of(opening, form)
        if flow and (flow.submitted or (status == "FULFILLED" and flow.connection_id in invitation.created)):
            return
        if status != "ACTIVE":
            raise ClosedLink(CLOSED_BY[status])

    def _with_return(self, request: Request, opening: FlowEntry) -> FlowEntry:
        """Take `redirect_uri` and `state` from the address too, where that addition of the sandbox is switched on."""
        if not self._world.settings.redirects:
            return replace(opening, redirect_uri=None)
        target, state = request.query_params.get("redirect_uri"), request.query_params.get("state")
        try:
            return replace(opening, redirect_uri=fields.web_url(target), state=state) if target else opening
        except ValueError:
            return opening

    def _answer(self, request: Request, opening: FlowEntry, outcome: WizardOutcome) -> Response:
        if outcome.connection_id and opening.redirect_uri:
            return RedirectResponse(_return_url(opening, outcome.connection_id), 303)
        troubles = self._world.troubles
        use = troubles.use if request.method == "GET" else troubles.active
        refused = use("framing_refused", opening.company_id) is not None
        return page(
            outcome.view,
            outcome.status,
            frameable=not refused,
            form_targets=_targets(opening.redirect_uri),
        )


def read_form(data: FormData) -> dict[str, Sequence[str]]:
    """Return the text fields of a form; files are not looked at."""
    names = dict.fromkeys(data.keys())
    return {name: [value for value in data.getlist(name) if isinstance(value, str)] for name in names}


def action_of(request: Request) -> str:
    """Return the address that a form goes back to: this one, what was asked of it included."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _opening(invitation: SandboxInvitation) -> FlowEntry:
    renamed = {
        "initialSites": "sites",
        "utilityTypes": "initialDatasourceTypes",
        "connectionOwnerEmail": "workflowOwnerEmail",
    }
    return FlowEntry(
        f"invitation/{invitation.id}",
        invitation.company_id,
        "invitation",
        invitation_id=invitation.id,
        token=invitation.token,
        connection_id=invitation.connection_id,
        prefill={renamed.get(name, name): value for name, value in invitation.prefill.items()},
        needs_email=bool(invitation.allowed_emails),
        redirect_uri=invitation.redirect_uri,
        state=invitation.state,
    )


def _dead_end(title: str, text: str, status: int) -> Response:
    return page(SandboxErrorView(SandboxFrame(title), text, ASK), status, frameable=True)


def _targets(redirect_uri: str | None) -> tuple[str, ...]:
    """Return the origin that the last form may lead to; one that could break out of the policy is left out."""
    parts = urlsplit(redirect_uri or "")
    safe = re.fullmatch(r"[\w.:\[\]-]+", parts.netloc, re.ASCII)
    return (f"{parts.scheme}://{parts.netloc}",) if safe else ()


def _return_url(opening: FlowEntry, connection_id: str) -> str:
    parts = urlsplit(opening.redirect_uri or "")
    added = {"state": opening.state, "connectionId": connection_id}
    query = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in added.items() if v is not None)]
    return urlunsplit(parts._replace(query=urlencode(query)))
