"""The pages behind magic links, edit links and invitations.

They set no cookie and post no message, like the provider's; at the end they redirect only with `SANDBOX_REDIRECTS`.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service.sandbox.hosted.flows import FlowEntry, HostedFlows
from service.sandbox.hosted.steps import Step
from service.sandbox.hosted.wizard import ConnectionWizard, Form, WizardResult
from service.sandbox.wire import fields
from service.sandbox.wire.answers import require_utf8
from service.sandbox.wire.errors import ClosedLink, ClosedReason, RecordMissing
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


def hosted_routes(world: SandboxWorld, token: Callable[[], str] = secrets.token_urlsafe) -> list[BaseRoute]:
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


@dataclass(frozen=True)
class HostedVisit:
    """One request: the address of the first page, to which forms post, the flow and step of this one, and its form."""

    action: str
    flow_id: str
    step: str
    form: Form | None = None


class HostedPages:
    """The pages, one method per kind of address; all of them show the wizard."""

    def __init__(self, world: SandboxWorld, wizard: ConnectionWizard) -> None:
        self._world = world
        self._wizard = wizard

    async def magic_link(self, request: Request) -> Response:
        """Show a link for a new connection."""
        path = request.path_params
        return await self._visit(request, lambda _: self._link(path, self._world.links.find))

    async def edit_link(self, request: Request) -> Response:
        """Show a link for editing a connection, which keeps its id."""
        path = request.path_params
        return await self._visit(request, lambda _: self._link(path, self._world.links.find_edit))

    async def invitation(self, request: Request) -> Response:
        """Show an invitation to create a connection, or to sign in to one again."""
        token = request.path_params["token"]
        return await self._visit(request, lambda visit: self._invitation(token, visit))

    async def older_link(self, request: Request) -> Response:
        """Redirect an older address to the newer one. Reference: the provider's cookbook of magic links."""
        company_id, secret = (request.path_params["company"], request.path_params["secret"])
        try:
            company = self._world.companies.get(company_id)
        except RecordMissing:
            return RedirectResponse(f"/p/connect/{company_id}/{secret}", 302)
        return RedirectResponse(f"/p/connect/{company.public_id}/{secret}", 302)

    async def _visit(self, request: Request, open_entry: Callable[[HostedVisit], FlowEntry]) -> Response:
        visit = await read_visit(request)
        try:
            entry = self._with_return(request, open_entry(visit))
            if visit.form is not None:
                return self._redirect(entry, visit, self._wizard.submit(entry, visit.form))
            view = self._wizard.show(entry, visit.action, visit.flow_id, visit.step)
        except RecordMissing:
            return _error_page(
                "We do not know this link", "The address may be incomplete, or its connection is gone.", 404
            )
        except ClosedLink as closed:
            return _error_page(*CLOSED[closed.reason], 410)
        return self._page(entry, view, is_opened=self._is_opening(entry, visit))

    def _redirect(self, entry: FlowEntry, visit: HostedVisit, result: WizardResult) -> Response:
        # Reference: RFC 9110, 15.4.4: after a form the browser GETs the next page, which a reload repeats harmlessly.
        if result.connection_id and entry.redirect_uri:
            return RedirectResponse(_return_url(entry, result.connection_id), 303)
        return RedirectResponse(result.address(visit.action), 303)

    def _is_opening(self, entry: FlowEntry, visit: HostedVisit) -> bool:
        """Tell whether this request opens the link; the later pages of a flow that is known do not."""
        return visit.form is None and self._wizard.flow_of(entry, visit.flow_id) is None

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

    def _invitation(self, token: str, visit: HostedVisit) -> FlowEntry:
        invitation = self._world.invitations.by_token(token)
        entry = _entry_of(invitation)
        # Only opening the link is a view; showing the next step is none.
        if self._is_opening(entry, visit):
            self._world.invitations.open(token)
        else:
            self._require_open(invitation, entry, visit)
        return entry

    def _require_open(self, invitation: SandboxInvitation, entry: FlowEntry, visit: HostedVisit) -> None:
        """Raise `ClosedLink`, but let a flow finish: the use that fulfilled the invitation may be its own."""
        status = self._world.invitations.status(invitation)
        flow = self._wizard.flow_of(entry, visit.flow_id)
        # Without this the last page of the flow that used the invitation up would be an error.
        if flow and (flow.submitted or (status == "FULFILLED" and flow.connection_id in invitation.created)):
            return
        if status != "ACTIVE":
            raise ClosedLink(CLOSED_BY[status])

    def _with_return(self, request: Request, entry: FlowEntry) -> FlowEntry:
        """Take `redirect_uri` and `state` from the address too, if redirects are switched on."""
        if not self._world.settings.redirects:
            return replace(entry, redirect_uri=None)
        # A value that is no address is ignored: the visitor could not correct it.
        target, state = request.query_params.get("redirect_uri"), request.query_params.get("state")
        try:
            return replace(entry, redirect_uri=fields.web_url(target), state=state) if target else entry
        except ValueError:
            return entry

    def _page(self, entry: FlowEntry, view: Step, *, is_opened: bool) -> Response:
        troubles = self._world.troubles
        # Opening a link uses up the trouble, its later pages do not.
        find = troubles.use if is_opened else troubles.active
        refused = find("framing_refused", entry.company_id) is not None
        return page(view, frameable=not refused, form_targets=_targets(entry.redirect_uri))


async def read_visit(request: Request) -> HostedVisit:
    """Read a request for one of the wizard's pages."""
    form = await read_form(request) if request.method == "POST" else None
    query = request.query_params
    posted = next(iter(form.get("flow", ())), "") if form else ""
    own = [(name, value) for name, value in query.multi_items() if name not in {"flow", "step"}]
    action = f"{request.url.path}?{urlencode(own)}" if own else request.url.path
    return HostedVisit(action, posted or query.get("flow", ""), query.get("step", ""), form)


async def read_form(request: Request) -> dict[str, Sequence[str]]:
    """Return the text fields of a form; files are ignored."""
    require_utf8(request)
    data = await request.form()
    names = dict.fromkeys(data.keys())
    return {name: [value for value in data.getlist(name) if isinstance(value, str)] for name in names}


def _entry_of(invitation: SandboxInvitation) -> FlowEntry:
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


def _error_page(title: str, text: str, status: int) -> Response:
    return page(SandboxErrorView(SandboxFrame(title), text, ASK), status, frameable=True)


def _targets(redirect_uri: str | None) -> tuple[str, ...]:
    """Return the origin that the last form may redirect to, for the page's policy."""
    parts = urlsplit(redirect_uri or "")
    # A `;` or a space in the host would add directives to the policy.
    safe = re.fullmatch(r"[\w.:\[\]-]+", parts.netloc, re.ASCII)
    return (f"{parts.scheme}://{parts.netloc}",) if safe else ()


def _return_url(entry: FlowEntry, connection_id: str) -> str:
    parts = urlsplit(entry.redirect_uri or "")
    added = {"state": entry.state, "connectionId": connection_id}
    query = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in added.items() if v is not None)]
    return urlunsplit(parts._replace(query=urlencode(query)))
