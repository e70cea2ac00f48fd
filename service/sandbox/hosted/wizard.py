"""The connection flow itself: which step is due, what each form means to the world, and the page that comes next.

The links' pages and the dashboard share it. Nothing here speaks HTTP. Reference: contract sections 7.4 and 12.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.sandbox.hosted.flows import FlowEntry, FlowRequest, HostedFlow, HostedFlows
from service.sandbox.hosted.step_views import Errors, view_of
from service.sandbox.hosted.steps import Step, resolve_provider
from service.sandbox.wire import fields
from service.sandbox.wire.enums import MFA_TOKEN_EXPIRED, is_wrong_password
from service.sandbox.wire.errors import EmailNotVerified, Invalid
from service.sandbox.world.invitations import Via
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import MFA_CODE, PASSWORD, SITES_MOST, USERNAME, is_sandbox_url
from service.sandbox.world.submission import read_edit, read_submission
from service.sandbox.world.world import SandboxWorld

Form = Mapping[str, Sequence[str]]
ORDER = ("email", "provider", "credentials", "mfa", "settings", "done")
RANKS = {name: rank for rank, name in enumerate(ORDER)} | {"change": 2, "keep": 2}

STALE = "This page was open for too long. Please start again."
REFUSED = "The provider did not accept this user name and password. Check them and try again."
_TEXTS = {
    "sites": ("sites", "Choose one to three sites."),
    "initialDatasourceTypes": ("types", "Choose utility types from the list."),
    "dataCollectionStartDate": ("startDate", "Enter the start date as year, month and day."),
    "workflowOwnerEmail": ("ownerEmail", "Enter an e-mail address such as name@example.com, or none."),
}


@dataclass(frozen=True)
class WizardOutcome:
    """The page to show, its status, and once the flow is done the connection that it made or changed."""

    view: Step
    status: int
    connection_id: str | None = None


class ConnectionWizard:
    """Leads people through the steps."""

    def __init__(self, world: SandboxWorld, flows: HostedFlows) -> None:
        self._world = world
        self._flows = flows
        self._takers: dict[str, Callable[[FlowRequest], Errors]] = {
            "email": self._take_email,
            "provider": self._take_provider,
            "change": self._take_change,
            "credentials": self._take_credentials,
            "keep": self._take_keep,
            "mfa": self._take_code,
            "settings": self._take_settings,
        }

    def show(self, opening: FlowEntry, action: str) -> WizardOutcome:
        """Return the first page; nothing is remembered yet."""
        return self._page(FlowRequest(opening, action, self._arrive(opening)), {})

    def flow_of(self, opening: FlowEntry, form: Form) -> HostedFlow | None:
        """Return the flow that a form belongs to, so that a page can tell its own use of a link from another's."""
        return self._flows.find(next(iter(form.get("flow", ())), ""), opening)

    def take(self, opening: FlowEntry, action: str, form: Form) -> WizardOutcome:
        """Do what a form asks for and return the next page.

        A form of a step that is not yet due does nothing, nor does one of a finished flow: posted twice is posted once.
        Raises `ClosedLink` or `Missing` when the hand-off ended meanwhile.
        """
        flow = self.flow_of(opening, form)
        visit = FlowRequest(opening, action, flow or self._arrive(opening), form)
        if flow is None:
            self._flows.keep(visit.flow)
        step, due = visit.entered("step"), self._due(visit)
        if due == "done":
            return self._page(visit, {})
        if step not in self._takers or RANKS[step] > RANKS[due]:
            return self._page(visit, {} if flow else {"form": STALE})
        errors = self._takers[step](visit)
        return self._page(visit, errors, step if errors else None)

    def _page(self, visit: FlowRequest, errors: Errors, step: str | None = None) -> WizardOutcome:
        due = self._due(visit)
        if step in ORDER and RANKS[step] < RANKS[due]:
            due = step
        status = 422 if set(errors) - {"form"} else 200
        made = visit.flow.connection_id if due == "done" else None
        return WizardOutcome(view_of(self._world, visit, due, errors), status, made)

    def _arrive(self, opening: FlowEntry) -> HostedFlow:
        flow = self._flows.draft(opening)
        if opening.connection_id:
            before = self._world.connections.get(opening.connection_id)
            flow.url, flow.country, flow.username = before.url, before.country, before.username
            flow.is_chosen = True
            # Reference: platform/data-input/reconnecting: after an MFA error comes the code, not the password screen.
            flow.signed_in = flow.wants_code = before.status == MFA_TOKEN_EXPIRED
        return flow

    def _due(self, visit: FlowRequest) -> str:
        flow = visit.flow
        steps = (
            ("email", visit.opening.needs_email and flow.proof is None),
            ("done", flow.submitted),
            ("provider", not flow.is_chosen),
            ("credentials", not flow.signed_in),
            ("mfa", flow.wants_code and not flow.code_given),
        )
        return next((name for name, is_due in steps if is_due), "settings")

    def _take_email(self, visit: FlowRequest) -> Errors:
        try:
            visit.flow.proof = self._world.invitations.verify_email(visit.opening.token, visit.entered("email"))
        except EmailNotVerified:
            return {"email": "This invitation is not for that address. Enter the address that it was sent to."}
        return {}

    def _take_provider(self, visit: FlowRequest) -> Errors:
        words = visit.entered("pick") or resolve_provider(visit.entered("url"))
        url = _checked(fields.web_url, words)
        country = _checked(fields.country, visit.entered("country").strip())
        errors = {
            "url": "" if url else "Enter a website such as https://nectarclimate.com, or a name from the list.",
            "country": "" if country else "Enter a country as two letters, for example US.",
        }
        if url and country:
            visit.flow.url, visit.flow.country = url, country
            visit.flow.is_chosen, visit.flow.signed_in = True, False
        return {name: text for name, text in errors.items() if text}

    def _take_change(self, visit: FlowRequest) -> Errors:
        visit.flow.is_chosen = visit.is_edit
        return {}

    def _take_keep(self, visit: FlowRequest) -> Errors:
        """Change only sites and types: the credentials that the provider has stay. For a known connection only."""
        visit.flow.signed_in = visit.is_edit
        return {}

    def _take_credentials(self, visit: FlowRequest) -> Errors:
        flow = visit.flow
        username = _checked(fields.text(1, 255), visit.entered("username"))
        password = _checked(fields.secret, visit.entered("password"))
        errors = {
            "username": "" if username else "Enter your user name.",
            "password": "" if password else "Enter your password.",
        }
        if not username or not password:
            return {name: text for name, text in errors.items() if text}
        flow.username, flow.password = username, password
        flow.signed_in = not self._is_refused(visit)
        if not flow.signed_in:
            self._record_refusal(visit)
            return {"form": REFUSED}
        flow.wants_code = is_sandbox_url(flow.url) and bool(self._trouble("mfa", visit))
        flow.code_given = False
        return {}

    def _take_code(self, visit: FlowRequest) -> Errors:
        if not re.fullmatch(r"[0-9]{6}", visit.entered("code").replace(" ", "")):
            return {"code": "Enter the six digits of the code."}
        visit.flow.code_given = True
        return {}

    def _take_settings(self, visit: FlowRequest) -> Errors:
        body = {
            "sites": list(visit.form.get("sites", ())),
            "initialDatasourceTypes": list(visit.form.get("types", ())),
            "dataCollectionStartDate": visit.entered("startDate") or None,
            "workflowOwnerEmail": visit.entered("ownerEmail").strip() or None,
        }
        if not body["sites"]:
            return dict([_TEXTS["sites"]])
        try:
            made = self._send(visit, body)
        except Invalid as wrong:
            return dict(_TEXTS.get(name, ("form", text[0])) for name, text in wrong.errors.items())
        return self._settle(visit, made)

    def _settle(self, visit: FlowRequest, made: SandboxConnection) -> Errors:
        """Go on by what the connection's status says; it may differ from what the sign-in foretold."""
        flow = visit.flow
        if made.status == MFA_TOKEN_EXPIRED and flow.code_given:
            made = self._world.submissions.answer_mfa(made.id, MFA_CODE, _via(visit))
        if is_wrong_password(made.status):
            flow.signed_in = False
            return {"form": REFUSED}
        flow.wants_code = made.status == MFA_TOKEN_EXPIRED
        if not flow.wants_code:
            flow.submitted, flow.password = True, ""
        return {}

    def _is_refused(self, visit: FlowRequest) -> bool:
        flow = visit.flow
        if not is_sandbox_url(flow.url):
            return False
        return (flow.username, flow.password) != (USERNAME, PASSWORD) or self._trouble("wrong_password", visit)

    def _record_refusal(self, visit: FlowRequest) -> None:
        """Make the connection, or change it, with the status that tells of the wrong password.

        Its sites are chosen later; until then a new one has those of the link, if any.
        """
        known = visit.opening.prefill.get("sites") or []
        is_new = visit.flow.connection_id is None
        self._send(visit, {"sites": list(known)[:SITES_MOST]} if is_new else {})

    def _send(self, visit: FlowRequest, body: dict[str, Any]) -> SandboxConnection:
        """Make the flow's connection, or change the one that it has: one flow never makes two."""
        flow, via = visit.flow, _via(visit)
        account = {"url": flow.url, "country": flow.country, "username": flow.username, "password": flow.password}
        if flow.connection_id is None:
            made = self._world.submissions.create(
                visit.opening.company_id, read_submission(account | body, sites_later=True), via
            )
            flow.connection_id = made.id
            return made
        before = self._world.connections.get(flow.connection_id)
        return self._world.submissions.edit(before.id, read_edit(before, account | body), via)

    def _trouble(self, name: str, visit: FlowRequest) -> bool:
        return self._world.troubles.active(name, visit.opening.company_id) is not None


def _via(visit: FlowRequest) -> Via:
    return Via(visit.opening.channel, visit.opening.invitation_id, visit.flow.proof)


def _checked(check: fields.Check, value: str) -> str:
    """Return the checked value, or nothing for one that is refused."""
    try:
        return str(check(value))
    except ValueError:
        return ""
